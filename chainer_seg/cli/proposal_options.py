"""Options of the subcommands that compute proposals: how many, at which scales, for which images."""

import argparse
import typing
from typing import Any

from chainer_seg import command_line
from chainer_seg.errors import UserError
from chainer_seg.models.deepmask.defaults import EXPONENT_STEP, FIRST_EXPONENT, LAST_EXPONENT
from chainer_seg.options import Parser

if typing.TYPE_CHECKING:
    import chainer

PROPOSAL_FLAGS = ('--np', '--si', '--sf', '--ss', '--zoom', '--dm', '--exact')


def add_proposal_options(parser: Parser, n: int) -> None:
    """Adds the options of proposals; ``n`` is the default number of them."""
    group = parser.add_argument_group('proposals')
    group.add_argument('--np', type=command_line.count_argument, default=n, metavar='N', dest='n',
                       help='number of proposals per image')
    group.add_argument('--si', type=float, default=FIRST_EXPONENT, metavar='E',
                       help='smallest scale of the image pyramid, as an exponent of 2')
    group.add_argument('--sf', type=float, default=LAST_EXPONENT, metavar='E',
                       help='largest scale of the image pyramid, as an exponent of 2')
    group.add_argument('--ss', type=float, default=EXPONENT_STEP, metavar='E',
                       help='step between scales, as an exponent of 2')
    group.add_argument('--zoom', action='store_true',
                       help='add the scale 2, for small objects; doubles the time')
    group.add_argument('--dm', action='store_true',
                       help='propose the coarse masks of the DeepMask inside a SharpMask')
    group.add_argument('--exact', action='store_true',
                       help='place windows exactly as the Torch implementation does, with its '
                            'offset by one')


def proposal_settings(model: 'chainer.Link', options: argparse.Namespace) -> dict[str, Any]:
    """The options as arguments of ``model.propose_rle``."""
    from chainer_seg.models.deepmask import SharpMask, pyramid_scales
    if options.dm and not isinstance(model, SharpMask):
        raise UserError('--dm asks a SharpMask for the masks of its DeepMask, and this is a DeepMask, '
                        'which has no others; omit it.')
    return {'n': options.n, 'scales': pyramid_scales(options.si, options.sf, options.ss),
            'zoom': options.zoom, 'dm': options.dm, 'exact': options.exact}


def add_range_options(parser: Parser) -> None:
    """Adds --start-at and --end-at, a range of the images."""
    group = parser.add_argument_group('images')
    group.add_argument('--start-at', '--startAt', type=command_line.count_argument, default=1,
                       metavar='I', help='number of the first image, from 1')
    group.add_argument('--end-at', '--endAt', type=command_line.count_argument, metavar='I',
                       help='number of the last image; all to the end if omitted')


def image_range(options: argparse.Namespace, count: int) -> range:
    """The chosen range of ``count`` images, as numbers from 0."""
    end = min(options.end_at or count, count)
    if options.start_at > end:
        raise UserError(f'There is no image from {options.start_at} to {end}; the data set has '
                        f'{count}.')
    return range(options.start_at - 1, end)


def check_makes_proposals(model: 'chainer.Link', name: str) -> None:
    """Raises a UserError if a model cannot propose objects."""
    from chainer_seg.models.deepmask import DeepMask, SharpMask
    if not isinstance(model, (DeepMask, SharpMask)):
        raise UserError(f'{name} holds a {type(model).__name__}, which cannot propose objects; give '
                        f'a DeepMask or a SharpMask.')
