"""Evaluate a DeepLab by the intersection over union of classes, and by their accuracy.

Void pixels are not counted. Classes that neither occur nor are found have no figures, and the means omit
them. Without --annotations, the images are synthetic. With --save-labels, the same command resumes a run
that was killed or interrupted.
"""

import functools
import logging
import math
import time

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.evaluation_data import add_data_options, add_match_option, open_dataset
from chainer_seg.cli.semantic_options import (
    OF_LISTS,
    add_semantic_options,
    semantic_settings,
)
from chainer_seg.cli.semantic_report import class_table
from chainer_seg.cli.synthetic_data import add_drawn_option, dataset_for_classes
from chainer_seg.files import write_json
from chainer_seg.options import with_any

log = logging.getLogger(__name__)


def add_options(parser):
    add_data_options(parser, images=200)
    lists = parser.add_argument_group('lists of images')
    lists.add_argument('--sbd', metavar='DIR',
                       help='folder of SBD, for images without annotations in VOC')
    lists.add_argument('--class-names', nargs='+', metavar='NAME',
                       help="names of the classes 1, 2, ... in the label images; VOC's if omitted")
    add_drawn_option(parser)
    add_match_option(parser)
    add_semantic_options(parser)
    results = parser.add_argument_group('results')
    results.add_argument('--out', metavar='JSON',
                         help='also write the figures and the confusion matrix to this file')
    results.add_argument('--save-labels', metavar='DIR',
                         help="keep the labels in this folder, as images with VOC's palette in the "
                              "format of its server")
    results.add_argument('--overwrite', action='store_true', help='replace the labels in --save-labels')
    parser.only(OF_LISTS, '--sbd', '--class-names')
    parser.only(with_any('--save-labels'), '--overwrite')


def run(model, options):
    from chainer_seg.jobs import evaluate_segmenter
    started = time.time()
    dataset, bad = open_labels(model, options), BadImages(options.strict)
    with bad.reported(len(dataset), 'are not in the figures', options.verbose):
        evaluator = evaluate_segmenter(
            model, dataset, match=options.match, folder=options.save_labels, overwrite=options.overwrite,
            progress=not options.quiet, on_error=bad, **semantic_settings(options))
        figures = evaluator.summary()
        print(f'{len(evaluator)} images, {time.time() - started:.0f} s')
        print(class_table(figures, dataset.class_names))
        if options.out:
            write(options.out, figures, evaluator)


def open_labels(model, options):
    """The data set that the options name, with a class for each pixel."""
    from chainer_seg.datasets import SemanticDataset, open_semantic
    def draw(*arguments):
        return SemanticDataset(dataset_for_classes(model.class_names[1:], options.drawn, *arguments))

    return open_dataset(options, draw=draw, open_files=functools.partial(
        open_semantic, sbd=options.sbd, class_names=options.class_names))


def write(path, figures, evaluator):
    """Writes the figures, null for undefined ones, and the confusion matrix."""
    numbers = {name: None if math.isnan(value) else value for name, value in figures.items()}
    write_json(path, {**numbers, 'class_names': evaluator.class_names,
                      'confusion': evaluator.confusion.tolist()}, indent=2)
    log.info('wrote %s', path)
