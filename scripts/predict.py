"""Use a model on images: python scripts/predict.py MODEL INPUT... [options]."""

from commands import by_model

from chainer_seg import command_line

MODULES = {
    'ClickSegmenter': {'clicks': 'predict_click'},
    'DeepMask': {'proposals': 'predict_deepmask'},
    'SharpMask': {'proposals': 'predict_deepmask'},
}


def main():
    by_model.run(__doc__, MODULES)


if __name__ == '__main__':
    command_line.run(main)
