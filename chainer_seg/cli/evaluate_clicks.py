"""Evaluate a click model by a simulated user, who always clicks the center of the largest wrong region.

NoC@85 is the mean number of clicks until the intersection over union is 85%; an object that does not
reach it counts as --cap clicks and as a failure. IoU@3 is the mean intersection over union after three
clicks. The simulated user stops once the highest of the --thresholds is reached. Without --annotations
and --masks, the images are synthetic.
"""

import argparse
import functools
import logging
import pathlib
import time

import numpy as np
from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.click_options import add_view_options, refinement, set_view
from chainer_seg.cli.click_report import class_table, published, table, write
from chainer_seg.cli.crf_options import add_crf_option
from chainer_seg.cli.evaluation_data import add_data_options, open_dataset
from chainer_seg.errors import UserError
from chainer_seg.evaluation.click_baselines import BASELINES
from chainer_seg.evaluation.click_benchmarks import BENCHMARKS, CAP, LEAST_AREA, THRESHOLDS
from chainer_seg.models.deeplab.refine import REFINEMENTS
from chainer_seg.options import where, with_any

log = logging.getLogger(__name__)

# Defaults that a benchmark may override.
_USUAL = {'thresholds': THRESHOLDS, 'least_area': LEAST_AREA, 'categories': None, 'per_category': None}


def add_options(parser):
    add_object_options(parser)
    add_data_options(parser, 100, '--masks', '--images')
    methods = parser.add_argument_group('methods')
    methods.add_argument('--refine', nargs='+', choices=('none', *REFINEMENTS), default=('none',),
                         metavar='R', help='refinements of the model to compare: none, '
                              f'{", ".join(REFINEMENTS)}')
    add_crf_option(methods)
    methods.add_argument('--baselines', nargs='+', choices=tuple(BASELINES), default=(),
                         metavar='B', help=f'classical methods to compare: {", ".join(BASELINES)}')
    add_view_options(parser)
    figures = parser.add_argument_group('figures')
    figures.add_argument('--thresholds', type=float, nargs='+', default=argparse.SUPPRESS,
                         metavar='IOU', help='IoUs until which clicks are counted (default: '
                         f'{" ".join(map(str, THRESHOLDS))}, or that of --benchmark)')
    figures.add_argument('--cap', type=command_line.count_argument, default=CAP, metavar='N',
                         help='maximum number of clicks per object')
    figures.add_argument('--clicks', type=int, nargs='+', default=(1, 3, 5), metavar='N',
                         help='report the intersection over union after N clicks')
    figures.add_argument('--per-class', action='store_true', help='also report the clicks of each category')
    figures.add_argument('--out', metavar='JSON',
                         help='also write all figures to this file, and their curves to a PNG next to it')
    figures.add_argument('--results', metavar='DIR',
                         help='keep the results in this folder, so that an interrupted run can resume')
    figures.add_argument('--overwrite', action='store_true', help='replace the results in --results')
    parser.only(where('--refine', 'crf'), '--crf-parameters')
    parser.only(with_any('--results'), '--overwrite')


def add_object_options(parser):
    """Adds the options that choose the objects to click."""
    objects = parser.add_argument_group('objects')
    objects.add_argument('--benchmark', choices=tuple(BENCHMARKS),
                         help='choose objects and threshold as is usual for this data set, and show '
                              'the published figures')
    objects.add_argument('--masks', metavar='D',
                         help='folder with a mask for each object, as in GrabCut, Berkeley and DAVIS; '
                              'it, or --images alone, may also contain the folders of both')
    categories = objects.add_mutually_exclusive_group()
    categories.add_argument('--categories', nargs='+', metavar='NAME', default=argparse.SUPPRESS,
                            help='only objects of these categories')
    for name, text in (('seen', 'the 20 of COCO that Pascal VOC has'), ('unseen', 'the other 60')):
        categories.add_argument(f'--{name}', dest='categories', action='store_const', const=name,
                                default=argparse.SUPPRESS, help=f'only objects of {text}')
    objects.add_argument('--per-category', type=command_line.count_argument, metavar='N',
                         default=argparse.SUPPRESS,
                         help='sample N objects of each category, by --seed (default: all, or as for '
                              '--benchmark)')
    objects.add_argument('--least-area', type=int, metavar='PX', default=argparse.SUPPRESS,
                         help=f'minimum area of an object (default: {LEAST_AREA}, or 1 for --benchmark)')
    objects.add_argument('--max-objects', type=command_line.count_argument, metavar='N',
                         help='stop after N objects')


def run(model, options):
    references = published(options, changed=any(hasattr(options, name) for name in _USUAL))
    fill_in(options)
    started = time.time()
    set_view(model, options)
    dataset = open_dataset(with_masks(options))
    bad = BadImages(options.strict)
    with bad.reported(len(dataset), 'are not in the figures', options.verbose):
        objects = objects_of(dataset, options, bad)
        results = {title: evaluate(name, title, segmenter, dataset, objects, options, bad)
                   for name, (title, segmenter) in methods_of(model, options).items()}
        print(table(results, options), *references, sep='\n')
        if options.per_class:
            print('\n' + class_table(results, options.thresholds))
        if options.out:
            picture = write(results, options, time.time() - started)
            log.info('wrote %s and %s', options.out, picture)


def fill_in(options):
    """Sets omitted options to their defaults, or to those of the benchmark."""
    usual = dict(_USUAL)
    if options.benchmark:
        benchmark = BENCHMARKS[options.benchmark]
        usual.update(thresholds=(benchmark.threshold,), least_area=benchmark.least_area,
                     categories=benchmark.categories, per_category=benchmark.per_category)
    for name, value in usual.items():
        if not hasattr(options, name):
            setattr(options, name, value)
    if not 1 <= min(options.clicks) <= max(options.clicks) <= options.cap:
        raise UserError(f'--clicks must be from 1 to --cap, {options.cap}; got {max(options.clicks)}.')
    if not 0 < min(options.thresholds) <= max(options.thresholds) <= 1:
        raise UserError('--thresholds must be greater than 0 and at most 1.')
    if options.least_area < 1:
        raise UserError('--least-area must be at least 1 pixel.')


def with_masks(options):
    """The options with a folder of masks as --annotations."""
    if options.masks is None and (options.annotations is not None or options.images is None):
        return options
    if options.annotations is not None:
        raise UserError('--masks and --annotations both define the objects; give only one of them.')
    if options.masks is not None and not pathlib.Path(options.masks).is_dir():
        raise UserError(f'There is no folder of masks {options.masks}; check the path.')
    images = options.images if options.masks else None
    return argparse.Namespace(**{**vars(options), 'annotations': options.masks or options.images,
                                 'images': images})


def objects_of(dataset, options, bad):
    """The objects to click on, as arguments of :func:`number_of_clicks`."""
    from chainer_seg.evaluation import find_labels, sample_objects
    labels = None
    if options.categories is not None:
        labels = find_labels(dataset.class_names, options.categories)
    objects = {'least_area': options.least_area, 'labels': labels}
    if options.per_category is not None:
        objects['chosen'] = sample_objects(dataset, options.per_category,
                                           np.random.default_rng(options.seed), on_error=bad,
                                           **objects)
    return {**objects, 'max_objects': options.max_objects}


class Refined:
    """A click model whose sessions use a refinement."""

    def __init__(self, model, refinement):
        self.model = model
        self.session = functools.partial(model.session, refinement=refinement)


def methods_of(model, options):
    """The methods to compare: ``{name: (title, segmenter)}``."""
    methods = {}
    for name in options.refine:
        # Here, so that a missing package is reported before the work begins.
        sharpen = refinement(name, options)
        methods[name] = ((options.model, model) if sharpen is None else
                         (f'{options.model}, {name}', Refined(model, sharpen)))
    methods.update({name: (name, BASELINES[name]()) for name in options.baselines})
    return methods


def evaluate(name, title, segmenter, dataset, objects, options, bad):
    """The :class:`chainer_seg.evaluation.ClickFigures` of one method."""
    from chainer_seg.jobs import evaluate_click_model
    folder = None if options.results is None else pathlib.Path(options.results, name)
    return evaluate_click_model(
        segmenter, dataset, options.thresholds, options.cap, folder=folder, overwrite=options.overwrite,
        method={} if folder is None else described(name, segmenter, options), title=title,
        progress=not options.quiet, on_error=bad, **objects)


def described(name, segmenter, options):
    """All that the results of a method depend on besides data and objects, as a dict for JSON."""
    from chainer_seg.jobs.fingerprints import fingerprint_of_model
    settings = {'method': name}
    if options.labels_as != 'auto':
        settings['labels_as'] = options.labels_as
    if name not in BASELINES:
        model = segmenter.model if isinstance(segmenter, Refined) else segmenter
        settings.update(model=fingerprint_of_model(model), **model.click_settings())
    if name == 'crf':
        settings['crf_parameters'] = repr(options.crf_parameters)
    return settings
