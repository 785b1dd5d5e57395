"""Run a model on images or videos: chainer-seg predict MODEL INPUT... [options]."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch
from chainer_seg.options import Parser, words_of

MODULES = {
    'ClickSegmenter': {'clicks': 'predict_click'},
    'DeepLab': {'semantic': 'predict_semantic'},
    'DeepMask': {'proposals': 'predict_deepmask'},
    'MaskRCNN': {'instances': 'predict_instances'},
    'RitmDeepLab': {'clicks': 'predict_click'},
    'RitmHRNet': {'clicks': 'predict_click'},
    'SharpMask': {'proposals': 'predict_deepmask'},
    'Yolact': {'instances': 'predict_instances'},
}


def main(arguments: Sequence[str], prog: str) -> None:
    dispatch.run('predict', __doc__, MODULES, arguments)


def words() -> list[str]:
    """The options."""
    return words_of(make_parser())


def make_parser() -> Parser:
    """A parser of the options for all models, for their names."""
    return dispatch.joint_parser(MODULES)
