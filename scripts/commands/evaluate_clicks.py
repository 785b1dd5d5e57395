"""Evaluate a click model by a robot user, who always clicks in the middle of the largest wrong region.

NoC@85 is the mean number of clicks until the intersection over union is 85%; an object that does not
reach it counts with --cap clicks, and is a failure. IoU@3 is the mean intersection over union after
three clicks. The robot leaves an object once the highest of the --thresholds is reached. Without
--annotations, fresh pictures are drawn.
"""

import functools
import logging
import pathlib
import time

from commands.evaluation_data import add_data_options, open_dataset
from tqdm import tqdm

from chainer_seg.errors import UserError
from chainer_seg.evaluation import number_of_clicks
from chainer_seg.evaluation.click_baselines import BASELINES
from chainer_seg.evaluation.clicks import CAP, LEAST_AREA, THRESHOLDS
from chainer_seg.files import atomic_write, write_json
from chainer_seg.models.deeplab.refine import REFINEMENTS, find_refinement
from chainer_seg.visualization import draw_click_curves

log = logging.getLogger(__name__)


def add_options(parser):
    add_data_options(parser, pictures=100)
    objects = parser.add_argument_group('the objects')
    objects.add_argument('--least-area', type=int, default=LEAST_AREA, metavar='PX',
                         help='leave smaller objects out')
    objects.add_argument('--max-objects', type=int, metavar='N', help='stop after so many objects')
    methods = parser.add_argument_group('what is compared')
    methods.add_argument('--refine', nargs='+', choices=('none', *REFINEMENTS), default=('none',),
                         metavar='R', help=f'the model with each of none, {", ".join(REFINEMENTS)}')
    methods.add_argument('--baselines', nargs='+', choices=tuple(BASELINES), default=(),
                         metavar='B', help=f'classical methods: {", ".join(BASELINES)}')
    figures = parser.add_argument_group('the figures')
    figures.add_argument('--thresholds', type=float, nargs='+', default=THRESHOLDS, metavar='IOU',
                         help='count the clicks until each of these')
    figures.add_argument('--cap', type=int, default=CAP, metavar='N',
                         help='most clicks on an object')
    figures.add_argument('--clicks', type=int, nargs='+', default=(1, 3, 5), metavar='N',
                         help='report the intersection over union after so many clicks')
    figures.add_argument('--out', metavar='JSON',
                         help='also write all figures to this file and their curves to a PNG beside it')


def run(model, options):
    if not 1 <= min(options.clicks) <= max(options.clicks) <= options.cap:
        raise UserError(f'--clicks takes numbers from 1 to --cap, {options.cap}.')
    if not 0 < min(options.thresholds) <= max(options.thresholds) <= 1:
        raise UserError('--thresholds takes numbers above 0, up to 1.')
    started = time.time()
    dataset = open_dataset(options)
    results = {name: evaluate(name, segmenter, dataset, options)
               for name, segmenter in methods_of(model, options).items()}
    print(table(results, options))
    if options.out:
        write(results, options, time.time() - started)


class Refined:
    """A click model whose sessions begin with a refinement."""

    def __init__(self, model, refinement):
        self.session = functools.partial(model.session, refinement=refinement)


def methods_of(model, options):
    """What the options compare: ``{name: segmenter}``."""
    methods = {}
    for refinement in options.refine:
        if refinement == 'none':
            methods[options.model] = model
        else:
            # Here, so that what is not installed is told before the work begins.
            methods[f'{options.model}, {refinement}'] = Refined(model, find_refinement(refinement))
    methods.update({name: BASELINES[name]() for name in options.baselines})
    return methods


def evaluate(name, segmenter, dataset, options):
    """The :class:`chainer_seg.evaluation.ClickFigures` of one method."""
    progress = functools.partial(tqdm, desc=name, unit='image', disable=options.quiet)
    return number_of_clicks(segmenter, dataset, options.thresholds, options.cap,
                            least_area=options.least_area, max_objects=options.max_objects,
                            progress=progress)


def table(results, options):
    """The figures as text: a row for each method."""
    heads = ['method', *(f'NoC@{100 * goal:g}' for goal in options.thresholds),
             *(f'failed@{100 * goal:g}' for goal in options.thresholds),
             *(f'IoU@{count}' for count in options.clicks), 'ms/click']
    rows = [heads, ['-' * len(head) for head in heads]]
    for name, figures in results.items():
        rows.append([
            name, *(f'{figures.noc(goal):.2f}' for goal in options.thresholds),
            *(f'{figures.failures(goal)}' for goal in options.thresholds),
            *(f'{figures.mean_ious[count - 1]:.3f}' for count in options.clicks),
            f'{1000 * figures.seconds_per_click:.0f}'])
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['| ' + ' | '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + ' |'
             for row in rows]
    count = len(next(iter(results.values())).ious)
    return '\n'.join([f'{count} objects, at most {options.cap} clicks on each', *lines])


def write(results, options, seconds):
    """Writes the figures as JSON and their curves as a picture."""
    methods = {name: {**figures.summary(options.thresholds, options.clicks),
                      'seconds_per_click': figures.seconds_per_click,
                      'ious': figures.ious.round(4).tolist()} for name, figures in results.items()}
    write_json(options.out, {'model': options.model, 'cap': options.cap, 'methods': methods,
                             'seconds': round(seconds, 1)}, indent=2)
    picture = pathlib.Path(options.out).with_suffix('.png')
    axes = draw_click_curves({name: figures.ious for name, figures in results.items()},
                             options.thresholds, max(options.thresholds))
    with atomic_write(picture) as temporary:
        axes[0].figure.savefig(temporary, dpi=120)
    log.info('wrote %s and %s', options.out, picture)
