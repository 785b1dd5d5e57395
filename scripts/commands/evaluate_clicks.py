"""Evaluate a click model by a robot user, who always clicks in the middle of the largest wrong region.

The figures are the mean intersection over union after some clicks. Without --annotations, fresh
pictures are drawn.
"""

import functools
import json
import time

from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.datasets import CocoDataset, ShapesDataset
from chainer_seg.errors import DatasetError, UserError
from chainer_seg.evaluation import evaluate_clicks
from chainer_seg.evaluation.clicks import LEAST_AREA
from chainer_seg.files import write_json

# Pictures drawn here come from another seed than those a model was trained or validated on.
EVALUATION_SEED_OFFSET = 2_000_000


def add_options(parser):
    parser.add_argument('--annotations', metavar='J', help='COCO JSON with the true objects')
    parser.add_argument('--images', metavar='D', help='its folder of images')
    parser.add_argument('--n', type=int, default=100, help='number of drawn pictures')
    parser.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                        metavar='HxW', help='size of drawn pictures')
    parser.add_argument('--clicks', type=int, nargs='+', default=(1, 3, 5), metavar='N',
                        help='report after so many clicks')
    parser.add_argument('--least-area', type=int, default=LEAST_AREA, metavar='PX',
                        help='leave smaller objects out')
    parser.add_argument('--max-objects', type=int, metavar='N', help='stop after so many objects')
    parser.add_argument('--out', metavar='JSON', help='also write the figures to this file')


def run(model, options):
    if min(options.clicks) < 1:
        raise UserError('--clicks takes numbers from 1.')
    figures = evaluate(model, open_dataset(options), options)
    print(json.dumps(figures))
    if options.out:
        write_json(options.out, figures, indent=2)


def open_dataset(options):
    """The data set that the options name."""
    if options.annotations is None:
        return ShapesDataset(options.n, options.seed + EVALUATION_SEED_OFFSET, options.size)
    if options.images is None:
        raise DatasetError('--annotations needs --images, the folder of its images.')
    return CocoDataset(options.annotations, options.images)


def evaluate(model, dataset, options):
    """Runs the robot user and adds the time that it took."""
    started = time.time()
    figures = evaluate_clicks(
        model, dataset, tuple(options.clicks), least_area=options.least_area,
        max_objects=options.max_objects,
        progress=functools.partial(tqdm, desc='clicking', unit='image', disable=options.quiet))
    return {'model': options.model, **figures, 'seconds': round(time.time() - started, 1)}
