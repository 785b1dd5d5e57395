"""Options of the subcommands that run a DeepLab: scales, mirroring and refinement."""

import argparse
import dataclasses
from typing import Any

from chainer_seg import command_line
from chainer_seg.cli.crf_options import crf_parameters
from chainer_seg.models.deeplab.dense_crf import PRESETS, CrfParameters
from chainer_seg.models.deeplab.multi_scale import SCALES
from chainer_seg.options import Parser, When

OF_LISTS = When('to a list of images (.txt) as --annotations',
                lambda options: str(options.annotations).endswith('.txt'))

_CRF_NUMBERS = ', '.join(field.name for field in dataclasses.fields(CrfParameters))


def add_semantic_options(parser: Parser) -> None:
    """Adds the options of inference."""
    group = parser.add_argument_group('inference')
    scales = group.add_mutually_exclusive_group()
    scales.add_argument('--scales', type=float, nargs='+', default=(1,), metavar='S',
                        help='scales at which images are segmented; the maximum of the logits counts')
    scales.add_argument('--msc', dest='scales', action='store_const', const=SCALES,
                        default=argparse.SUPPRESS,
                        help='segment at the published scales, '
                             f'{", ".join(f"{scale:g}" for scale in SCALES)}')
    group.add_argument('--mirror', action='store_true',
                       help='average with the mirrored image')
    group.add_argument('--crf', type=crf_parameters, metavar='P',
                       help=f'refine by a dense CRF: {" or ".join(PRESETS)}, optionally with changed '
                            f'parameters, as in deeplab,steps=5; the parameters are {_CRF_NUMBERS}')
    group.add_argument('--longest-side', type=command_line.count_argument, metavar='PX',
                       help='maximum longer side, in pixels; that of the model if omitted')


def semantic_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The options as arguments of ``model.segment``."""
    return {'scales': tuple(options.scales), 'mirror': options.mirror, 'refinement': options.crf,
            'longest_side': options.longest_side}
