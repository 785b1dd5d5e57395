"""What the scripts that compute proposals share: how many, at which scales, and for which images."""

from chainer_seg import command_line  # before Chainer, which it makes work
from chainer_seg.errors import UserError
from chainer_seg.models.deepmask.defaults import EXPONENT_STEP, FIRST_EXPONENT, LAST_EXPONENT

PROPOSAL_FLAGS = ('--np', '--si', '--sf', '--ss', '--zoom', '--dm', '--exact')


def add_proposal_options(parser, n):
    """Adds how proposals are made; ``n`` is the default for how many."""
    group = parser.add_argument_group('the proposals')
    group.add_argument('--np', type=command_line.count_argument, default=n, metavar='N', dest='n',
                       help='number of proposals for an image')
    group.add_argument('--si', type=float, default=FIRST_EXPONENT, metavar='E',
                       help='the pyramid of images begins at the scale 2 to the power of this')
    group.add_argument('--sf', type=float, default=LAST_EXPONENT, metavar='E', help='and ends at this')
    group.add_argument('--ss', type=float, default=EXPONENT_STEP, metavar='E', help='in such steps')
    group.add_argument('--zoom', action='store_true',
                       help='add the scale 2, for small objects; doubles the time')
    group.add_argument('--dm', action='store_true',
                       help='the coarse masks of the DeepMask that a SharpMask contains')
    group.add_argument('--exact', action='store_true',
                       help="choose windows as the Torch implementation does, off by one as there")


def proposal_settings(model, options):
    """The options as arguments of ``model.propose_rle``."""
    from chainer_seg.models.deepmask import SharpMask, pyramid_scales
    if options.dm and not isinstance(model, SharpMask):
        raise UserError('--dm asks a SharpMask for the masks of its DeepMask, and this is a DeepMask, '
                        'which has no others; leave it out.')
    return {'n': options.n, 'scales': pyramid_scales(options.si, options.sf, options.ss),
            'zoom': options.zoom, 'dm': options.dm, 'exact': options.exact}


def add_range_options(parser):
    """Adds the choice of a range of the images."""
    group = parser.add_argument_group('the images')
    group.add_argument('--start-at', '--startAt', type=command_line.count_argument, default=1,
                       metavar='I', help='number of the first image, from 1')
    group.add_argument('--end-at', '--endAt', type=command_line.count_argument, metavar='I',
                       help='number of the last image; the last of all if left out')


def image_range(options, count):
    """The chosen images of ``count`` as numbers from 0."""
    end = min(options.end_at or count, count)
    if options.start_at > end:
        raise UserError(f'There is no image from {options.start_at} to {end}; the data set has '
                        f'{count}.')
    return range(options.start_at - 1, end)


def check_makes_proposals(model, name):
    """Refuses a model that makes no proposals."""
    if not hasattr(model, 'propose_rle'):
        raise UserError(f'{name} holds a {type(model).__name__}, which makes no proposals; give a '
                        f'DeepMask or a SharpMask.')
