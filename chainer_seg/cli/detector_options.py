"""Options of the subcommands that run a detector: score threshold, number of objects, suppression."""

import argparse
from typing import Any

from chainer_seg import command_line
from chainer_seg.errors import UserError
from chainer_seg.options import Parser


def add_detector_options(parser: Parser, score: float | None = None) -> None:
    """Adds the options of detection; ``score`` is the default score threshold."""
    group = parser.add_argument_group('detections; the settings of the model if omitted')
    group.add_argument('--score', '--score_threshold', type=float, metavar='P', default=score,
                       help='minimum score of an object')
    group.add_argument('--top_k', '--top-k', type=command_line.count_argument, metavar='N',
                       help='maximum number of objects')
    group.add_argument('--nms', type=float, metavar='IOU',
                       help='maximum IoU of two boxes of a class; of two that overlap more, the one with '
                            'the lower score is dropped')
    group.add_argument('--suppression', choices=('fast', 'cross_class', 'traditional'),
                       help='suppression method of a YOLACT')


def detector_settings(model: Any, options: argparse.Namespace) -> dict[str, Any]:
    """The given options as arguments of ``model.detect``."""
    given = {'score_threshold': options.score, 'nms_threshold': options.nms,
             'max_detections': options.top_k, 'suppression': options.suppression}
    settings = {name: value for name, value in given.items() if value is not None}
    if 'suppression' in settings and 'suppression' not in model.option_names:
        raise UserError(f'--suppression is for a YOLACT, and this is a {type(model).__name__}; omit '
                        f'it.')
    return settings
