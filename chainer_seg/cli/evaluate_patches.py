"""Evaluate DeepMask or SharpMask on single patches, sampled as in training, like its Torch code.

The figures are the mean and the median intersection over union of the masks, the fraction of masks with
at least 0.5 and 0.7, and the accuracy of the objectness score. Without --annotations, the images are
synthetic.
"""

import functools

from tqdm import tqdm

from chainer_seg import command_line
from chainer_seg.bad_images import BadImages
from chainer_seg.cli.evaluation_data import add_data_options, open_dataset
from chainer_seg.files import write_json


def add_options(parser):
    add_data_options(parser, images=200)
    samples = parser.add_argument_group('patches')
    samples.add_argument('--patches', type=command_line.count_argument, default=1000, metavar='N',
                         help='number of patches for the masks, and again for the scores')
    samples.add_argument('--gSz', type=command_line.count_argument, metavar='PX',
                         help="side at which masks are compared, in pixels; that of the model if omitted")
    samples.add_argument('--shift', type=float, default=16, help='maximum shift of an object, in pixels')
    samples.add_argument('--scale', type=float, default=0.25,
                         help='maximum change of the size of an object, as an exponent of 2')
    samples.add_argument('--boundary', action='store_true', help='also compare the boundaries')
    parser.add_argument('--out', metavar='JSON', help='also write the figures to this file')


def run(model, options):
    from chainer_seg.evaluation import evaluate_patches
    dataset, bad = open_dataset(options), BadImages(options.strict)
    with bad.reported(len(dataset), 'are not in the figures', options.verbose):
        figures = evaluate_patches(
            model, dataset, options.patches, target_size=options.gSz,
            boundary=options.boundary, shift=options.shift, scale=options.scale, seed=options.seed,
            progress=functools.partial(tqdm, desc='evaluating', unit='batch', disable=options.quiet),
            # Several patches are of one image.
            on_error=lambda _, error: bad(str(error), error))
        for name, value in figures.items():
            print(f'{name:15} {value:.3f}')
        if options.out:
            write_json(options.out, figures, indent=2)
