"""Evaluate a detector by COCO's average precision and recall of boxes, masks and keypoints.

Without --annotations, the images are synthetic. With --results the detections are kept in a folder, image
by image, and finally written to a file of each kind in the format of COCO's server; the same command
resumes a run that was killed or interrupted.
"""

import contextlib
import functools
import logging
import math
import time

from tqdm import tqdm

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.detector_options import add_detector_options, detector_settings
from chainer_seg.cli.evaluation_data import (
    add_data_options,
    add_match_option,
    open_dataset,
    refuse_without_objects,
)
from chainer_seg.cli.fingerprints import fingerprint_of_dataset, fingerprint_of_model
from chainer_seg.cli.synthetic_data import add_drawn_option, dataset_for_classes
from chainer_seg.errors import DatasetError, ImageError, UserError
from chainer_seg.files import write_json
from chainer_seg.options import with_any

log = logging.getLogger(__name__)

_TITLES = {'bbox': 'boxes', 'segm': 'masks', 'keypoints': 'keypoints'}
_FIGURES = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl')
_KEYPOINT_FIGURES = ('AP', 'AP50', 'AP75', 'APm', 'APl', 'AR', 'AR50', 'AR75', 'ARm', 'ARl')
_VOC_OVERLAPS = (0.5, 0.7)  # YOLACT's table of Pascal SBD, arXiv 1904.02689
_COCO_KEYPOINTS = 17  # the only number for which COCO has the annotators' variation


def add_options(parser):
    add_data_options(parser, images=200)
    add_drawn_option(parser)
    add_match_option(parser)
    add_detector_options(parser)
    figures = parser.add_argument_group('figures')
    figures.add_argument('--kinds', nargs='+', choices=tuple(_TITLES),
                         help='what is measured; everything that model and data set have if omitted; '
                              'for a YOLACT++, bbox alone uses the scores of the boxes')
    figures.add_argument('--per-class', action='store_true', help='also report the AP of each class')
    figures.add_argument('--voc', action='store_true',
                         help='also report the AP at IoU 0.5 and at IoU 0.7, as for Pascal SBD')
    figures.add_argument('--out', metavar='JSON', help='also write the figures to this file')
    figures.add_argument('--results', metavar='DIR',
                         help="keep the detections in this folder, in the format of COCO's server")
    figures.add_argument('--overwrite', action='store_true', help='replace the results in --results')
    parser.only(with_any('--results'), '--overwrite')


def run(model, options):
    from chainer_seg.evaluation import CocoEvaluator, match_classes
    started = time.time()
    dataset = open_dataset(options, draw=functools.partial(
        dataset_for_classes, model.class_names, options.drawn))
    match = match_classes(model.class_names, dataset.class_names, by=options.match,
                          count=model.config.get('classes'))
    if match.missing:
        log.info('skipped classes, which the model does not know: %s', ', '.join(match.missing))
    kinds = kinds_of(model, dataset, options.kinds)
    evaluator, bad = CocoEvaluator(dataset.class_names, kinds=kinds), BadImages(options.strict)
    settings = settings_of(model, kinds, options)
    with (open_results(model, dataset, settings, options) as folder,
          bad.reported(len(dataset), 'are not in the figures', options.verbose)):
        try:
            evaluate(model, dataset, match, evaluator, folder, settings, options.quiet, bad)
        except KeyboardInterrupt as interrupt:
            if folder is None:
                raise
            raise type(interrupt)(f'{len(evaluator)} of {len(dataset)} images are done; the same '
                                  f'command resumes') from interrupt
        figures = evaluator.summary(options.per_class, _VOC_OVERLAPS if options.voc else ())
        refuse_without_objects(figures)
        good = [number for number in range(len(dataset)) if number not in bad.errors]
        for path in folder.write(kinds, good) if folder is not None else ():
            log.info('wrote %s', path)
        print(f'{len(good)} images, {time.time() - started:.0f} s')
        show(figures, kinds, dataset.class_names, options)


def show(figures, kinds, class_names, options):
    """Prints and writes the figures that the options ask for."""
    print(table(figures, kinds))
    if options.voc:
        print('\n' + voc_table(figures, kinds))
    if options.per_class:
        print('\n' + class_table(figures, kinds, class_names))
    if options.out:
        # JSON knows no NaN.
        write_json(options.out, {name: None if math.isnan(value) else value
                                 for name, value in figures.items()}, indent=2)


def kinds_of(model, dataset, wanted):
    """What is measured: --kinds, or everything that both the model and the data set have."""
    truth = first_truth(dataset).keypoints
    counts = model.config.get('keypoints', 0), 0 if truth is None else truth.shape[1]
    possible = ['bbox', *(['segm'] if model.config.get('with_masks', True) else []),
                *(['keypoints'] if counts == (_COCO_KEYPOINTS, _COCO_KEYPOINTS) else [])]
    impossible = sorted(set(wanted or ()) - set(possible))
    if impossible:
        raise UserError(f'There is nothing to measure the {_TITLES[impossible[0]]} of: the model or the '
                        f'data set has none (the model has {counts[0]} keypoints, the data set '
                        f'{counts[1]}); omit {impossible[0]}.')
    return tuple(kind for kind in possible if not wanted or kind in wanted)


def settings_of(model, kinds, options):
    """The options of ``model.detect``; the defaults are those of YOLACT's own evaluation."""
    settings = detector_settings(model, options)
    if 'anchor_threshold' in model.option_names:
        # There, only the best class of an anchor must exceed a threshold.
        settings.setdefault('score_threshold', 0.0)
        settings['rescore'] = kinds != ('bbox',)
    return settings


def open_results(model, dataset, settings, options):
    """The folder of --results as a context manager, which yields None without it."""
    from chainer_seg.evaluation import ResultFolder
    if options.results is None:
        return contextlib.nullcontext()
    return ResultFolder(
        options.results, {'model': fingerprint_of_model(model), 'data': fingerprint_of_dataset(dataset),
                          'match': options.match, **settings},
        overwrite=options.overwrite)


def evaluate(model, dataset, match, evaluator, folder, settings, quiet, bad):
    """Adds all images to the evaluator; results are read from the folder or computed and stored there."""
    from chainer_seg.instances import Instances
    category_ids = dataset.category_ids
    done = sum(number in folder for number in range(len(dataset))) if folder is not None else 0
    if done:
        log.info('%d of %d images are already done', done, len(dataset))
    with tqdm(total=len(dataset), initial=done, desc='evaluating', unit='image',
              disable=quiet) as bar:
        # In the order of the data set, which decides between equal scores.
        for number in range(len(dataset)):
            is_done = folder is not None and number in folder
            with bad.passing_over(number):
                if is_done:
                    results, truth = folder.results(number), read_truth(dataset, number)
                else:
                    image, truth = dataset[number]
                    results = match.found(model.detect(image, **settings)).to_coco_results(
                        id_of(dataset, number), category_ids)
                    if folder is not None:
                        folder.add(number, results)
                # What is measured is what the results say: a run in two parts measures the same.
                found = Instances.from_coco_results(results, truth.image_size, category_ids, match.names)
                evaluator.add(match.truth(truth), found)
            bar.update(not is_done)


def first_truth(dataset):
    """The true objects of the first image that can be read."""
    for number in range(len(dataset)):
        with contextlib.suppress(ImageError, DatasetError):
            return read_truth(dataset, number)
    return read_truth(dataset, 0)


def read_truth(dataset, number):
    """The true objects of an image, without reading the image where it need not be drawn."""
    return dataset.read_instances(number)


def id_of(dataset, number):
    """The image's id in its annotation file; drawn pictures count from 1, as written ones do."""
    return dataset.ids[number] if dataset.has_files else number + 1


def table(figures, kinds):
    """All figures of COCO in percent, a row for each kind below the names of its figures."""
    parts = [_rows(figures, [kind for kind in kinds if kind != 'keypoints'], _FIGURES),
             _rows(figures, [kind for kind in kinds if kind == 'keypoints'], _KEYPOINT_FIGURES)]
    return '\n'.join(part for part in parts if part)


def voc_table(figures, kinds):
    """The AP at single overlaps, as YOLACT reports it for Pascal SBD."""
    return _rows(figures, [kind for kind in kinds if kind != 'keypoints'],
                 [f'AP{100 * iou:.0f}' for iou in _VOC_OVERLAPS])


def _rows(figures, kinds, names):
    if not kinds:
        return ''
    heads = f'{"":10}' + ''.join(f'{name:>7}' for name in names)
    return '\n'.join([heads, *(
        f'{_TITLES[kind]:10}' + ''.join(_cell(figures[f'{kind}/{name}']) for name in names)
        for kind in kinds)])


def class_table(figures, kinds, class_names):
    """The AP of each class in percent."""
    width = max(10, *(len(name) + 1 for name in class_names))
    lines = [f'{"AP":{width}}' + ''.join(f'{_TITLES[kind]:>10}' for kind in kinds)]
    for name in class_names:
        lines.append(f'{name:{width}}' + ''.join(
            f'{_cell(figures[f"{kind}/AP/{name}"]):>10}' for kind in kinds))
    return '\n'.join(lines)


def _cell(value):
    return f'{"-" if math.isnan(value) else f"{100 * value:.1f}":>7}'
