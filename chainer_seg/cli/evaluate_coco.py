"""Evaluate a detector by COCO's average precision and recall of boxes, masks and keypoints.

Without --annotations, the images are synthetic. With --results the detections are kept in a folder, image
by image, and finally written to a file of each kind in the format of COCO's server; the same command
resumes a run that was killed or interrupted.
"""

import functools
import math
import time

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.detector_options import add_detector_options, detector_settings
from chainer_seg.cli.evaluation_data import (
    add_data_options,
    add_match_option,
    open_dataset,
    refuse_without_objects,
)
from chainer_seg.cli.synthetic_data import add_drawn_option, dataset_for_classes
from chainer_seg.files import write_json
from chainer_seg.options import with_any

_TITLES = {'bbox': 'boxes', 'segm': 'masks', 'keypoints': 'keypoints'}
_FIGURES = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl')
_KEYPOINT_FIGURES = ('AP', 'AP50', 'AP75', 'APm', 'APl', 'AR', 'AR50', 'AR75', 'ARm', 'ARl')
_VOC_OVERLAPS = (0.5, 0.7)  # YOLACT's table of Pascal SBD, arXiv 1904.02689


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
    from chainer_seg.jobs import evaluate_detector
    started = time.time()
    dataset = open_dataset(options, draw=functools.partial(
        dataset_for_classes, model.class_names, options.drawn))
    bad = BadImages(options.strict)
    with bad.reported(len(dataset), 'are not in the figures', options.verbose):
        evaluator = evaluate_detector(
            model, dataset, options.kinds, match=options.match, folder=options.results,
            overwrite=options.overwrite, progress=not options.quiet, on_error=bad,
            **detector_settings(model, options))
        figures = evaluator.summary(options.per_class, _VOC_OVERLAPS if options.voc else ())
        refuse_without_objects(figures)
        print(f'{len(evaluator)} images, {time.time() - started:.0f} s')
        show(figures, evaluator.kinds, dataset.class_names, options)


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
