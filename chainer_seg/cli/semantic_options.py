"""What the scripts that use a DeepLab share: how it looks at images, and how its labels are refined."""

import argparse
import dataclasses

from chainer_seg import command_line
from chainer_seg.cli.crf_options import crf_parameters
from chainer_seg.models.deeplab.dense_crf import PRESETS, CrfParameters
from chainer_seg.models.deeplab.multi_scale import SCALES
from chainer_seg.options import When

OF_LISTS = When('to a list of images (.txt) as --annotations',
                lambda options: str(options.annotations).endswith('.txt'))

_CRF_NUMBERS = ', '.join(field.name for field in dataclasses.fields(CrfParameters))


def add_semantic_options(parser):
    """Adds what changes a DeepLab's answer."""
    group = parser.add_argument_group('how it is done')
    scales = group.add_mutually_exclusive_group()
    scales.add_argument('--scales', type=float, nargs='+', default=(1,), metavar='S',
                        help='look at images in these sizes; at each place the highest logits count')
    scales.add_argument('--msc', dest='scales', action='store_const', const=SCALES,
                        default=argparse.SUPPRESS,
                        help=f'in the published sizes, {", ".join(f"{scale:g}" for scale in SCALES)}')
    group.add_argument('--mirror', action='store_true',
                       help='look at mirrored images, too, and take the mean')
    group.add_argument('--crf', type=crf_parameters, metavar='P',
                       help=f'refine by a dense CRF: {" or ".join(PRESETS)}, and single numbers that '
                            f'differ, as in deeplab,steps=5; the numbers are {_CRF_NUMBERS}')
    group.add_argument('--longest-side', type=command_line.count_argument, metavar='PX',
                       help='shrink larger images to this; as the model was made if left out')


def semantic_settings(options):
    """The options as arguments of ``model.segment``."""
    return {'scales': tuple(options.scales), 'mirror': options.mirror, 'refinement': options.crf,
            'longest_side': options.longest_side}


def described_settings(model, options):
    """The same as a dict, JSON-ready, of all that labels depend on beside model and image."""
    crf = None if options.crf is None else dataclasses.asdict(options.crf)
    return {'scales': list(options.scales), 'mirror': options.mirror, 'crf': crf,
            'longest_side': options.longest_side or model.longest_side}
