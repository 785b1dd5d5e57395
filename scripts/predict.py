"""Use a model on images or videos: python scripts/predict.py MODEL INPUT... [options]."""

from commands import dispatch

from chainer_seg import command_line

MODULES = {
    'ClickSegmenter': {'clicks': 'predict_click'},
    'DeepLab': {'semantic': 'predict_semantic'},
    'DeepMask': {'proposals': 'predict_deepmask'},
    'MaskRCNN': {'instances': 'predict_instances'},
    'SharpMask': {'proposals': 'predict_deepmask'},
    'Yolact': {'instances': 'predict_instances'},
}


def main():
    dispatch.run(__doc__, MODULES)


if __name__ == '__main__':
    command_line.run(main)
