"""Run a model on images or videos."""

from collections.abc import Sequence

from chainer_seg.cli import dispatch
from chainer_seg.recipes.options import value_of_option

# With any of these, a detector is clicked.
_OPTIONS = {'clicks': ('--pos', '--neg', '--clicks'), 'maps': ('--list',)}
FORMS = dispatch.forms_by_class(
    clicks={'clicks': ('predict_click', 'PredictClick'), 'maps': ('predict_click_maps', 'PredictClickMaps')},
    semantic={'semantic': ('predict_semantic', 'PredictSemantic')},
    detections={'instances': ('predict_instances', 'PredictInstances')},
    proposals={'proposals': ('predict_deepmask', 'PredictDeepMask')})


def main(arguments: Sequence[str], prog: str) -> None:
    """Runs the model that the first argument names; clicks and lists of click maps choose the protocol."""
    if value_of_option(arguments, '--protocol') is None:
        for protocol, names in _OPTIONS.items():
            if any(value_of_option(arguments, name) is not None for name in names):
                arguments = [*arguments, '--protocol', protocol]
    dispatch.run(FORMS, 'Run a model on images or videos.', arguments, prog)


def words() -> list[str]:
    """What can be completed."""
    return dispatch.words(FORMS)
