"""What the scripts that use a detector share: how many objects it finds, and how sure of them it is."""

from chainer_seg import command_line
from chainer_seg.errors import UserError


def add_detector_options(parser, score=None):
    """Adds what changes a detector's answer; ``score`` is the default of the lowest score."""
    group = parser.add_argument_group('the detections, as the model was made where left out')
    group.add_argument('--score', '--score_threshold', type=float, metavar='P', default=score,
                       help='leave out objects with a lower score')
    group.add_argument('--top_k', '--top-k', type=command_line.count_argument, metavar='N',
                       help='keep the best so many')
    group.add_argument('--nms', type=float, metavar='IOU',
                       help='of two boxes of a class that overlap by this, drop the one with the lower '
                            'score')
    group.add_argument('--suppression', choices=('fast', 'cross_class', 'traditional'),
                       help='the kind of suppression of a YOLACT')


def detector_settings(model, options):
    """The options as arguments of ``model.detect``, as far as they are given."""
    given = {'score_threshold': options.score, 'nms_threshold': options.nms,
             'max_detections': options.top_k, 'suppression': options.suppression}
    settings = {name: value for name, value in given.items() if value is not None}
    if 'suppression' in settings and 'suppression' not in model.option_names:
        raise UserError(f'--suppression is for a YOLACT, and this is a {type(model).__name__}; leave '
                        f'it out.')
    return settings
