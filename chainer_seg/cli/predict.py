"""Run a model on images or videos."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch
from chainer_seg.recipes.options import value_of_option

_CLICK_OPTIONS = ('--pos', '--neg', '--clicks')  # with any of them, a detector is clicked
FORMS = dispatch.forms_by_class(
    clicks={'clicks': ('predict_click', 'PredictClick')},
    semantic={'semantic': ('predict_semantic', 'PredictSemantic')},
    detections={'instances': ('predict_instances', 'PredictInstances')},
    proposals={'proposals': ('predict_deepmask', 'PredictDeepMask')})


def main(arguments: Sequence[str], prog: str) -> None:
    """Runs the model that the first argument names; clicks choose the protocol of clicks."""
    if value_of_option(arguments, '--protocol') is None and any(
            value_of_option(arguments, name) is not None for name in _CLICK_OPTIONS):
        arguments = [*arguments, '--protocol', 'clicks']
    dispatch.run(FORMS, 'Run a model on images or videos.', arguments, prog)


def words() -> list[str]:
    """What can be completed."""
    return dispatch.words(FORMS)
