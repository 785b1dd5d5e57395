"""Measure the accuracy of a model."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch

_PROPOSALS = {'proposals': ('evaluate_proposals', 'EvaluateProposals'),
              'patch': ('evaluate_patches', 'EvaluatePatches')}
FORMS: dispatch.Forms = {
    'ClickSegmenter': {'clicks': ('evaluate_clicks', 'EvaluateClicks')},
    'DeepLab': {'semantic': ('evaluate_semantic', 'EvaluateSemantic')},
    'DeepMask': _PROPOSALS,
    'MaskRCNN': {'coco': ('evaluate_coco', 'EvaluateCoco')},
    'RitmDeepLab': {'clicks': ('evaluate_clicks', 'EvaluateClicks')},
    'RitmHRNet': {'clicks': ('evaluate_clicks', 'EvaluateClicks')},
    'SharpMask': _PROPOSALS,
    'Yolact': {'coco': ('evaluate_coco', 'EvaluateCoco')},
}


def main(arguments: Sequence[str], prog: str) -> None:
    """Evaluates the model that the first argument names."""
    dispatch.run(FORMS, 'Measure the accuracy of a model.', arguments, prog)


def words() -> list[str]:
    """What can be completed."""
    return dispatch.words(FORMS)
