"""Options of the subcommands that run a click model: flipping, zoom-in and refinement."""

import dataclasses
import functools
import typing
from collections.abc import Callable
from typing import Annotated, Any

from tyro.conf import DisallowNone

from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Count, Switch, option

if typing.TYPE_CHECKING:
    from chainer_seg.models.deeplab import ClickSegmenter
    from chainer_seg.models.ritm import RitmSegmenter

_LEAST_ZOOM = 16  # pixels


@dataclasses.dataclass(frozen=True)
class ClickView:
    """Inference; the settings of the model if omitted.

    Attributes:
        flip: Average with the mirrored image.
        zoom_side: Side of the crops that zoom in on the object, in pixels; 0 for the whole image only.
        local_side: Side of the crops around what the last click changed, in pixels; 0 for none.
        click_limit: The network sees only the first clicks, as many as this; 0 for all (RITM only).
        fbrs: From the second click on, optimise scales and shifts of the features until the result agrees
            with the clicks (RITM only).
    """

    flip: Annotated[DisallowNone[bool | None], option()] = None
    zoom_side: Annotated[int | None, option(metavar='PX')] = None
    local_side: Annotated[int | None, option(metavar='PX')] = None
    click_limit: Annotated[Count | None, option(metavar='N')] = None
    fbrs: Switch = False

    def apply(self, model: 'ClickSegmenter | RitmSegmenter', name: str) -> None:
        """Sets the options on the click model of that name.

        Raises:
            chainer_seg.errors.UserError: The crops would be too small, or --fbrs is given for a model
                without it.
        """
        from chainer_seg.models.ritm import RitmSegmenter
        if self.fbrs:
            if not isinstance(model, RitmSegmenter):
                raise UserError(f'--fbrs is a refinement of RITM models, but {name} holds a '
                                f'{type(model).__name__}; omit it.')
            model.fbrs = True
        for option_name in ('flip', 'zoom_side', 'local_side', 'click_limit'):
            value = getattr(self, option_name)
            if value is None:
                continue
            flag = f'--{option_name.replace("_", "-")}'
            if option_name not in model.click_settings():
                raise UserError(f'{flag} does not apply to {name}, a {type(model).__name__}; omit it.')
            if option_name.endswith('_side') and value and value < _LEAST_ZOOM:
                raise UserError(f'{flag} must be 0 or at least {_LEAST_ZOOM} pixels, got {value}.')
            setattr(model, option_name, value if option_name == 'flip' else value or None)


def refinement(name: str, crf_text: str) -> Callable[..., Any] | None:
    """The refinement of that name, a dense CRF with the parameters of ``crf_text``; None for 'none'."""
    from chainer_seg.cli.crf_options import crf_parameters
    from chainer_seg.models.deeplab.dense_crf import dense_crf
    from chainer_seg.models.deeplab.refine import find_refinement
    if name == 'none':
        return None
    if name == 'crf':
        return functools.partial(dense_crf, preset=crf_parameters(crf_text))
    return find_refinement(name)
