"""List all problems of a COCO annotation file and its images.

The exit status is 0 for a data set without problems and 2 otherwise.
"""

import dataclasses
import functools
import json
import sys
from collections.abc import Sequence

from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.cli.dataset_report import print_problems
from chainer_seg.datasets import coco_statistics, validate_coco
from chainer_seg.options import Parser, with_any

_SHOWN = 10  # problems of a kind, unless --verbose asks for all


def print_statistics(statistics):
    """Print the figures and the most frequent categories."""
    categories = statistics.pop('objects per category')
    print(', '.join(f'{name}: {value}' for name, value in statistics.items()))
    most = list(categories.items())[:10]
    if most:
        print('most frequent: ' + ', '.join(f'{name} {count}' for name, count in most))


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg data check', device=False)
    parser.add_argument('--annotations', required=True, metavar='J', help='COCO JSON file')
    parser.add_argument('--images', metavar='D', help='folder of the images; if omitted, '
                                                      'the images are not checked')
    parser.add_argument('--quick', action='store_true', help='only read the headers of the images')
    parser.add_argument('--json', action='store_true', help='print problems and statistics as JSON')
    parser.only(with_any('--images'), '--quick')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    problems = validate_coco(
        options.annotations, options.images, read_pixels=not options.quick,
        progress=functools.partial(tqdm, desc='checking', unit='image',
                                   disable=options.quiet or options.json))
    statistics = coco_statistics(options.annotations)
    if options.json:
        print(json.dumps({'problems': [dataclasses.asdict(p) for p in problems],
                          'statistics': statistics}, indent=2))
    else:
        if not options.quiet:
            print_statistics(statistics)
        print_problems(problems, None if options.verbose else _SHOWN)
        if not options.quiet:
            print(f'problems: {len(problems)}' if problems else 'no problems')
    sys.stdout.flush()
    if problems:
        sys.exit(command_line.USER_ERROR_STATUS)
