"""Evaluate a model: python scripts/evaluate.py MODEL [options]."""

from commands import dispatch

from chainer_seg import command_line

# The class of a model, its protocols (the first is the default), and who carries them out.
_PROPOSALS = {'proposals': 'evaluate_proposals', 'patch': 'evaluate_patches'}
MODULES = {
    'ClickSegmenter': {'clicks': 'evaluate_clicks'},
    'DeepLab': {'semantic': 'evaluate_semantic'},
    'DeepMask': _PROPOSALS,
    'MaskRCNN': {'coco': 'evaluate_coco'},
    'SharpMask': _PROPOSALS,
    'Yolact': {'coco': 'evaluate_coco'},
}


def main():
    dispatch.run(__doc__, MODULES)


if __name__ == '__main__':
    command_line.run(main)
