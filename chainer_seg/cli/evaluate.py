"""Measure the accuracy of a model."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch

_CLICKS = {'clicks': ('evaluate_clicks', 'EvaluateClicks')}
_DETECTIONS = {'coco': ('evaluate_coco', 'EvaluateCoco'), **_CLICKS}
_PROPOSALS = {'proposals': ('evaluate_proposals', 'EvaluateProposals'),
              'patch': ('evaluate_patches', 'EvaluatePatches'), **_CLICKS}
FORMS: dispatch.Forms = {
    'ClickSegmenter': _CLICKS,
    'DeepLab': {'semantic': ('evaluate_semantic', 'EvaluateSemantic')},
    'DeepMask': _PROPOSALS,
    'MaskRCNN': _DETECTIONS,
    'RitmDeepLab': _CLICKS,
    'RitmHRNet': _CLICKS,
    'SharpMask': _PROPOSALS,
    'Yolact': _DETECTIONS,
}


def main(arguments: Sequence[str], prog: str) -> None:
    """Evaluates the model that the first argument names."""
    dispatch.run(FORMS, 'Measure the accuracy of a model.', arguments, prog)


def words() -> list[str]:
    """What can be completed."""
    return dispatch.words(FORMS)
