"""Evaluate a model: python scripts/evaluate.py MODEL [--annotations J --images D].

MODEL is a model file or the name of a shipped one ("click"). A click model is judged by the mean
intersection over union after some clicks of a robot user, who always clicks in the middle of the
largest wrong region. Without --annotations, fresh pictures are drawn.
"""

import argparse
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
from chainer_seg.model_file import load_model
from chainer_seg.models.deeplab import ClickSegmenter

# Pictures drawn here come from another seed than those a model was trained or validated on.
EVALUATION_SEED_OFFSET = 2_000_000


def main():
    parser = command_line.parser(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('model', metavar='MODEL', help='model file, or the name of a shipped model')
    parser.add_argument('--protocol', choices=('clicks',),
                        help='what is measured; by the kind of the model if left out')
    parser.add_argument('--annotations', metavar='J', help='COCO JSON with the true objects')
    parser.add_argument('--images', metavar='D', help='its folder of images')
    parser.add_argument('--n', type=int, default=100, help='number of drawn pictures (default: 100)')
    parser.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                        metavar='HxW', help='size of drawn pictures (default: 256x256)')
    parser.add_argument('--clicks', type=int, nargs='+', default=(1, 3, 5), metavar='N',
                        help='report after so many clicks (default: 1 3 5)')
    parser.add_argument('--least-area', type=int, default=LEAST_AREA, metavar='PX',
                        help='leave smaller objects out (default: 1024 pixels)')
    parser.add_argument('--max-objects', type=int, metavar='N', help='stop after so many objects')
    parser.add_argument('--out', metavar='JSON', help='also write the figures to this file')
    options = parser.parse_args()
    command_line.set_up_messages(options)
    if min(options.clicks) < 1:
        raise UserError('--clicks takes numbers from 1.')
    model = load_model(options.model, options.device)
    if not isinstance(model, ClickSegmenter):
        raise UserError(f'{options.model} holds a {type(model).__name__}, which has no evaluation '
                        f'yet; give a click model.')
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


if __name__ == '__main__':
    command_line.run(main)
