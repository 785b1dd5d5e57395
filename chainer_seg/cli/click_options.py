"""Options of the subcommands that run a click model: flipping, zoom-in and refinement."""

import argparse
import functools
import typing
from collections.abc import Callable
from typing import Any

from chainer_seg.errors import UserError
from chainer_seg.options import Parser

if typing.TYPE_CHECKING:
    from chainer_seg.models.deeplab import ClickSegmenter
    from chainer_seg.models.ritm import RitmSegmenter


def add_view_options(parser: Parser) -> None:
    """Adds --flip, --zoom-side and --fbrs."""
    group = parser.add_argument_group('inference')
    group.add_argument('--flip', action=argparse.BooleanOptionalAction,
                       help='average with the mirrored image; the setting of the model if omitted')
    group.add_argument('--zoom-side', type=_side, metavar='PX',
                       help='zoom in on the object, scaled to this side in pixels; 0 for the whole image '
                            'only; the setting of the model if omitted')
    group.add_argument('--fbrs', action='store_true',
                       help='from the second click on, optimise scales and shifts of the features until the '
                            'result agrees with the clicks (RITM only)')


def set_view(model: 'ClickSegmenter | RitmSegmenter', options: argparse.Namespace) -> None:
    """Sets --flip, --zoom-side and --fbrs on a click model.

    Raises:
        chainer_seg.errors.UserError: --fbrs is given for a model without it.
    """
    from chainer_seg.models.ritm import RitmSegmenter
    if options.fbrs:
        if not isinstance(model, RitmSegmenter):
            raise UserError(f'--fbrs is a refinement of RITM models, but {options.model} holds a '
                            f'{type(model).__name__}; omit it.')
        model.fbrs = True
    if options.flip is not None:
        model.flip = options.flip
    if options.zoom_side is not None:
        model.zoom_side = options.zoom_side or None


def refinement(name: str, options: argparse.Namespace) -> Callable[..., Any] | None:
    """The refinement of that name, with the parameters in the options; None for 'none'."""
    from chainer_seg.models.deeplab.dense_crf import dense_crf
    from chainer_seg.models.deeplab.refine import find_refinement
    if name == 'none':
        return None
    if name == 'crf':
        return functools.partial(dense_crf, preset=options.crf_parameters)
    return find_refinement(name)


def _side(text):
    if not text.isdigit() or 0 < int(text) < 16:
        raise argparse.ArgumentTypeError(f'{text!r} is neither 0 nor a number of pixels of at least 16')
    return int(text)
