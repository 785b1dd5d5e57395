"""Train one of the systems: python scripts/train.py SYSTEM [options]."""

import argparse
import functools
import shlex
import sys
import time

from chainer_seg import command_line, training
from chainer_seg.datasets import CocoDataset, ShapesDataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import evaluate_clicks
from chainer_seg.evaluation.clicks import LEAST_AREA
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.deeplab import ClickSamples, ClickSegmenter, ClickTrainChain

# Pictures drawn for validation come from another seed than those for training.
VALIDATION_SEED_OFFSET = 1_000_000

# Drawn objects below this fraction of the picture are not clicked on: 32x32 of 256x256 pixels.
LEAST_DRAWN_FRACTION = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    systems = parser.add_subparsers(dest='system', required=True, metavar='SYSTEM')
    add_click_options(systems)
    options = parser.parse_args()
    command_line.set_up_messages(options)
    options.train(options)


def add_click_options(systems):
    click = systems.add_parser(
        'click', help='click segmentation', description='Train click segmentation.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    click.set_defaults(train=train_click)
    add_data_options(click)
    add_training_options(click, iterations=2000, batch_size=8, lr=1e-3)
    model = click.add_argument_group('the model')
    model.add_argument('--init', metavar='MODEL', help='start from this model file and its sizes')
    model.add_argument('--blocks', type=int, nargs=4, default=(2, 2, 3, 2), metavar='N',
                       help='blocks of the four stages; 3 4 23 3 is ResNet-101')
    model.add_argument('--width', type=int, default=16, help='channels of the stem; published: 64')
    model.add_argument('--longest-side', type=int, default=None, metavar='PX',
                       help='images are shrunk to this when the model is used; 256, or as --init')
    model.add_argument('--zoom-side', type=int, default=None, metavar='PX',
                       help='look closer from the second click on, at this size')
    model.add_argument('--click-scale', type=float, default=1.0,
                       help='distances are multiplied by this; TensorFlow code: 6')
    model.add_argument('--click-mean', type=float, default=0.0,
                       help='subtracted from the click maps; TensorFlow code: 131')
    model.add_argument('--half', action='store_true', help='save the model in half precision')
    samples = click.add_argument_group('the samples')
    samples.add_argument('--crop', type=command_line.size_argument, default=(192, 192),
                         metavar='HxW', help='size of the samples')
    samples.add_argument('--object-scale', type=float, nargs=2, default=(1.2, 4.0),
                         metavar=('MIN', 'MAX'), help='side of a sample in sides of its object')
    samples.add_argument('--max-positive', type=int, default=5, help='most positive clicks')
    samples.add_argument('--max-negative', type=int, default=5, help='most negative clicks')
    samples.add_argument('--positive-weight', type=float, default=1.0,
                         help='weight of the pixels of the object; TensorFlow code: 5')


def add_data_options(parser):
    data = parser.add_argument_group('the data')
    data.add_argument('--dataset', choices=('shapes', 'coco'), default='shapes',
                      help='drawn shapes, or a COCO-style data set')
    data.add_argument('--annotations', metavar='J', help='COCO JSON to train on')
    data.add_argument('--images', metavar='D', help='its folder of images')
    data.add_argument('--val-annotations', metavar='J', help='COCO JSON to validate on')
    data.add_argument('--val-images', metavar='D', help='its folder of images')
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                      metavar='HxW', help='size of drawn pictures')
    data.add_argument('--val-n', type=int, default=40, help='number of drawn validation pictures')


def add_training_options(parser, iterations, batch_size, lr):
    command_line.add_common_options(parser)
    group = parser.add_argument_group('the training')
    group.add_argument('--out', required=True, metavar='DIR', help='folder for all that is written')
    group.add_argument('--iterations', type=int, default=iterations, help='number of updates')
    group.add_argument('--batch-size', type=int, default=batch_size, help='samples per update')
    group.add_argument('--sub-batches', type=int, default=1,
                       help='compute a batch in so many parts, for less memory')
    group.add_argument('--lr', type=float, default=lr, help='base learning rate')
    group.add_argument('--optimizer', choices=('adam', 'momentum'), default='adam')
    group.add_argument('--schedule', choices=('poly', 'cosine', 'constant'), default='cosine')
    group.add_argument('--warm-up', type=int, default=100, help='updates of linear warm-up')
    group.add_argument('--weight-decay', type=float, default=1e-4)
    group.add_argument('--workers', type=int, default=None,
                       help='processes that load data; by the number of cores')
    group.add_argument('--snapshot-every', type=int, default=500, metavar='N')
    group.add_argument('--keep-last', type=int, default=3, help='number of snapshots kept')
    group.add_argument('--log-every', type=int, default=20, metavar='N')
    group.add_argument('--resume', nargs='?', const='auto', default=None, metavar='SNAPSHOT',
                       help='go on from the newest snapshot in --out, or from this one')
    group.add_argument('--overwrite', action='store_true', help='replace a run in --out')


def train_click(options):
    dataset, validation = open_datasets(options)
    model = make_click_model(options)
    samples = ClickSamples(options.crop, tuple(options.object_scale), options.max_positive,
                           options.max_negative, click_scale=model.click_scale,
                           click_mean=model.click_mean)
    least_area = LEAST_AREA
    if options.dataset == 'shapes':
        least_area = options.size[0] * options.size[1] // LEAST_DRAWN_FRACTION

    def mean_ious(model):
        figures = evaluate_clicks(model, validation, least_area=least_area,
                                  max_objects=2 * options.val_n)
        return {name: value for name, value in figures.items() if name != 'objects'}

    train(options, ClickTrainChain(model, options.positive_weight), model, dataset, samples,
          mean_ious, best_metric=('validation/iou@3', 'max'))


def make_click_model(options):
    """The model of --init, or a new one of the sizes that the options give."""
    if not options.init:
        return ClickSegmenter(
            click_scale=options.click_scale, click_mean=options.click_mean,
            longest_side=options.longest_side or 256, zoom_side=options.zoom_side,
            blocks=tuple(options.blocks), width=options.width, seed=options.seed)
    model = load_model(options.init)
    for name in ('longest_side', 'zoom_side'):
        if getattr(options, name):
            setattr(model, name, getattr(options, name))
            model.config[name] = getattr(options, name)
    return model


def open_datasets(options):
    """The data sets for training and for validation that the options name."""
    if options.dataset == 'shapes':
        examples = max(1, options.iterations * options.batch_size)
        return (ShapesDataset(examples, options.seed, options.size),
                ShapesDataset(options.val_n, options.seed + VALIDATION_SEED_OFFSET, options.size))
    if not options.annotations or not options.images:
        raise DatasetError('--dataset coco needs --annotations and --images.')
    dataset = CocoDataset(options.annotations, options.images, skip_empty=True)
    if not options.val_annotations:
        return dataset, dataset
    return dataset, CocoDataset(options.val_annotations, options.val_images or options.images)


def train(options, train_chain, model, dataset, transform, evaluator, best_metric):
    """Runs the training that the options describe and prints where the results are."""
    started = time.time()
    model.origin = {'command': shlex.join(['python', *sys.argv]), 'seed': options.seed}
    schedule = {'poly': training.Poly(), 'cosine': training.Cosine(),
                'constant': training.Constant()}[options.schedule]
    trainer = training.build_trainer(
        train_chain, dataset, transform=transform, out=options.out, optimizer=options.optimizer,
        lr=options.lr, schedule=training.WarmUp(options.warm_up, then=schedule),
        weight_decay=options.weight_decay, iterations=options.iterations,
        batch_size=options.batch_size, sub_batches=options.sub_batches, device=options.device,
        seed=options.seed, workers=options.workers, evaluator=evaluator, best_metric=best_metric,
        model_to_save=model,
        save_model=functools.partial(save_model, dtype='float16' if options.half else None),
        snapshot_every=options.snapshot_every, keep_last=options.keep_last,
        log_every=options.log_every, resume=options.resume, overwrite=options.overwrite,
        progress='none' if options.quiet else 'auto')
    result = training.train(trainer)
    if not options.quiet:
        print(f'{result.iteration} iterations in {time.time() - started:.0f} s')
        print(f'model: {result.model}')
        print(f'best model: {result.best_model} ({best_metric[0]} {result.best_value:.4f})')


if __name__ == '__main__':
    command_line.run(main)
