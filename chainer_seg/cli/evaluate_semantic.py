"""Evaluate a DeepLab by the intersection over union of classes, and by their accuracy.

Pixels that are void in the data set are not counted. Classes that are neither there nor found have no
figures, and the means leave them out. Without --annotations, fresh pictures are drawn. With
--save-labels, a run that was killed or interrupted goes on when the same command is given again.
"""

import contextlib
import functools
import logging
import math
import pathlib
import time

from tqdm import tqdm

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.evaluation_data import add_data_options, add_match_option, open_dataset
from chainer_seg.cli.fingerprints import fingerprint_of_dataset, fingerprint_of_model
from chainer_seg.cli.result_paths import result_stems
from chainer_seg.cli.semantic_options import (
    OF_LISTS,
    add_semantic_options,
    described_settings,
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
    from chainer_seg.evaluation import SemanticEvaluator, match_classes
    started = time.time()
    dataset = open_labels(model, options)
    match = match_classes(model.class_names, dataset.class_names, by=options.match,
                          count=model.config['n_class'])
    if match.missing:
        log.info('skipped classes, which the model does not know: %s', ', '.join(match.missing))
    segment = functools.partial(model.segment, **semantic_settings(options))
    evaluator, bad = SemanticEvaluator(dataset.class_names), BadImages(options.strict)
    with (open_folder(model, dataset, options) as folder,
          bad.reported(len(dataset), 'are not in the figures', options.verbose)):
        try:
            evaluate(segment, dataset, match, evaluator, folder, options.quiet, bad)
        except KeyboardInterrupt as interrupt:
            if folder is None:
                raise
            raise type(interrupt)(f'{len(folder)} of {len(dataset)} images are done; the same command '
                                  f'resumes') from interrupt
        figures = evaluator.summary()
        print(f'{len(evaluator)} images, {time.time() - started:.0f} s')
        print(class_table(figures, dataset.class_names))
        if folder is not None:
            log.info('wrote %d label images to %s', len(folder), folder.folder)
        if options.out:
            write(options.out, figures, evaluator)


def open_labels(model, options):
    """The data set that the options name, with a class for each pixel."""
    from chainer_seg.datasets import SemanticDataset, open_semantic
    def draw(*arguments):
        return SemanticDataset(dataset_for_classes(model.class_names[1:], options.drawn, *arguments))

    return open_dataset(options, draw=draw, open_files=functools.partial(
        open_semantic, sbd=options.sbd, class_names=options.class_names))


def open_folder(model, dataset, options):
    """The folder of --save-labels as a context manager, which yields None without it."""
    from chainer_seg.evaluation.label_folder import LabelFolder
    if options.save_labels is None:
        return contextlib.nullcontext()
    names = [stem.name for _, stem in result_stems(map(pathlib.Path, dataset.image_names), '')]
    settings = {'model': fingerprint_of_model(model), 'data': fingerprint_of_dataset(dataset.dataset),
                'match': options.match, **described_settings(model, options)}
    return LabelFolder(options.save_labels, names, settings, overwrite=options.overwrite)


def evaluate(segment, dataset, match, evaluator, folder, quiet, bad):
    """Adds all images to the evaluator; labels are read from the folder or computed and stored there."""
    done = 0 if folder is None else len(folder)
    if done:
        log.info('%d of %d images are already done', done, len(dataset))
    with tqdm(total=len(dataset), initial=done, desc='evaluating', unit='image',
              disable=quiet) as bar:
        for number in range(len(dataset)):
            is_done = folder is not None and number in folder
            with bad.passing_over(number):
                image, truth = dataset[number]
                labels = folder.labels(number) if is_done else match.found_labels(segment(image))
                if folder is not None and not is_done:
                    folder.add(number, labels)
                evaluator.add(match.truth_labels(truth), labels)
            bar.update(not is_done)


def write(path, figures, evaluator):
    """Writes the figures, null for undefined ones, and the confusion matrix."""
    numbers = {name: None if math.isnan(value) else value for name, value in figures.items()}
    write_json(path, {**numbers, 'class_names': evaluator.class_names,
                      'confusion': evaluator.confusion.tolist()}, indent=2)
    log.info('wrote %s', path)
