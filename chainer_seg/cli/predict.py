"""Run a model on images or videos."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch

FORMS: dispatch.Forms = {
    'ClickSegmenter': {'clicks': ('predict_click', 'PredictClick')},
    'DeepLab': {'semantic': ('predict_semantic', 'PredictSemantic')},
    'DeepMask': {'proposals': ('predict_deepmask', 'PredictDeepMask')},
    'MaskRCNN': {'instances': ('predict_instances', 'PredictInstances')},
    'RitmDeepLab': {'clicks': ('predict_click', 'PredictClick')},
    'RitmHRNet': {'clicks': ('predict_click', 'PredictClick')},
    'SharpMask': {'proposals': ('predict_deepmask', 'PredictDeepMask')},
    'Yolact': {'instances': ('predict_instances', 'PredictInstances')},
}


def main(arguments: Sequence[str], prog: str) -> None:
    """Runs the model that the first argument names."""
    dispatch.run(FORMS, 'Run a model on images or videos.', arguments, prog)


def words() -> list[str]:
    """What can be completed."""
    return dispatch.words(FORMS)
