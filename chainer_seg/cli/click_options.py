"""What the scripts that click have in common: how the network looks, and what sharpens its answer."""

import argparse
import functools


def add_view_options(parser):
    """Adds the options of how the network looks at a picture."""
    group = parser.add_argument_group('how the network looks')
    group.add_argument('--flip', action=argparse.BooleanOptionalAction,
                       help='look at the mirror image, too; as the model has it if left out')
    group.add_argument('--zoom-side', type=_side, metavar='PX',
                       help='look closer at the object, scaled to so many pixels; 0 for the whole '
                            'picture alone; as the model has it if left out')


def set_view(model, options):
    """Makes a click model look as the options say."""
    if options.flip is not None:
        model.flip = options.flip
    if options.zoom_side is not None:
        model.zoom_side = options.zoom_side or None


def refinement(name, options):
    """The refinement of a name, with the numbers that the options give; None for 'none'."""
    from chainer_seg.models.deeplab.dense_crf import dense_crf
    from chainer_seg.models.deeplab.refine import find_refinement
    if name == 'none':
        return None
    if name == 'crf':
        return functools.partial(dense_crf, preset=options.crf_parameters)
    return find_refinement(name)


def _side(text):
    if not text.isdigit() or 0 < int(text) < 16:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number of pixels from 16, or 0')
    return int(text)
