"""Measure the accuracy of a model."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch

FORMS = dispatch.forms_by_class(
    clicks={'clicks': ('evaluate_clicks', 'EvaluateClicks')},
    semantic={'semantic': ('evaluate_semantic', 'EvaluateSemantic')},
    detections={'coco': ('evaluate_coco', 'EvaluateCoco')},
    proposals={'proposals': ('evaluate_proposals', 'EvaluateProposals'),
               'patch': ('evaluate_patches', 'EvaluatePatches')})


def main(arguments: Sequence[str], prog: str) -> None:
    """Evaluates the model that the first argument names."""
    dispatch.run(FORMS, 'Measure the accuracy of a model.', arguments, prog)


def words() -> list[str]:
    """What can be completed."""
    return dispatch.words(FORMS)
