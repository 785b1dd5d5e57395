"""Measure the accuracy of a model: chainer-seg evaluate MODEL [options]."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch
from chainer_seg.options import Parser, words_of

# The class of a model, its protocols (the first is the default), and who carries them out.
_PROPOSALS = {'proposals': 'evaluate_proposals', 'patch': 'evaluate_patches'}
MODULES = {
    'ClickSegmenter': {'clicks': 'evaluate_clicks'},
    'DeepLab': {'semantic': 'evaluate_semantic'},
    'DeepMask': _PROPOSALS,
    'MaskRCNN': {'coco': 'evaluate_coco'},
    'RitmDeepLab': {'clicks': 'evaluate_clicks'},
    'RitmHRNet': {'clicks': 'evaluate_clicks'},
    'SharpMask': _PROPOSALS,
    'Yolact': {'coco': 'evaluate_coco'},
}


def main(arguments: Sequence[str], prog: str) -> None:
    dispatch.run('evaluate', __doc__, MODULES, arguments)


def words() -> list[str]:
    """The options."""
    return words_of(make_parser())


def make_parser() -> Parser:
    """A parser of the options for all models, for their names."""
    return dispatch.joint_parser(MODULES)
