"""Evaluate proposals by their average recall (AR): how many objects the best 10, 100 and 1000 find.

As in the papers and in COCO: without classes, over intersections over union from 0.5 to 0.95, for boxes
and for masks, and by the size of the objects. --proposals reads them from
files of chainer-seg propose, or from published ones, instead of computing them. Without --annotations,
the images are synthetic.
"""

import functools
import itertools
import math
import time

from tqdm import tqdm

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.evaluation_data import add_data_options, open_dataset, refuse_without_objects
from chainer_seg.cli.proposal_options import PROPOSAL_FLAGS, add_proposal_options, proposal_settings
from chainer_seg.errors import DatasetError
from chainer_seg.files import write_json
from chainer_seg.options import without

_TITLES = {'bbox': 'boxes', 'segm': 'masks'}


_PROPOSALS = 1000  # the largest number of proposals that average recall is measured for


def add_options(parser):
    add_data_options(parser, images=100)
    add_proposal_options(parser, n=_PROPOSALS)
    parser.add_argument('--proposals', metavar='DIR', nargs='+',
                        help='read the proposals from these files or folders')
    parser.add_argument('--out', metavar='JSON', help='also write the figures to this file')
    parser.only(without('--proposals'), *PROPOSAL_FLAGS)


def run(model, options):
    from chainer_seg.evaluation import evaluate_proposals
    from chainer_seg.evaluation.proposals import KINDS
    started = time.time()
    dataset = open_dataset(options, needs_images=not options.proposals)
    progress = functools.partial(tqdm, desc='evaluating', unit='image', disable=options.quiet)
    bad = BadImages(options.strict)
    with bad.reported(len(dataset), 'are not in the figures', options.verbose):
        if options.proposals:
            figures, kinds = evaluate_files(dataset, options, progress)
        else:
            proposer = functools.partial(model.propose_rle, **proposal_settings(model, options))
            figures = evaluate_proposals(proposer, dataset, progress=progress, on_error=bad)
            kinds = KINDS
        refuse_without_objects(figures)
        print(f'{len(dataset) - len(bad)} images, {time.time() - started:.0f} s')
        print(table(figures, kinds))
        if options.out:
            # JSON knows no NaN.
            write_json(options.out, {name: None if math.isnan(value) else value
                                     for name, value in figures.items()}, indent=2)


def evaluate_files(dataset, options, progress):
    """The figures of proposals in files, and of which kinds they are."""
    from chainer_seg.datasets import read_proposals
    from chainer_seg.evaluation import evaluate_proposal_files
    from chainer_seg.evaluation.proposals import KINDS
    if options.annotations is None:
        raise DatasetError('--proposals needs --annotations, the COCO JSON of their images.')
    files = read_proposals(options.proposals)
    first = next(files, None)
    if first is None:
        raise DatasetError(f'{" ".join(options.proposals)} holds no proposals.')
    kinds = KINDS if 'segmentation' in first[1][0] else ('bbox',)
    return evaluate_proposal_files(itertools.chain([first], files), dataset, kinds=kinds,
                                   progress=progress), kinds


def table(figures, kinds):
    """The figures in percent, a row for each kind and size."""
    from chainer_seg.evaluation.proposals import COUNTS, SIZES
    lines = [f'{"":16}' + ''.join(f'{f"AR@{count}":>9}' for count in COUNTS)]
    for kind, size in itertools.product(kinds, SIZES):
        values = [figures[f'{kind}/AR@{count}' + ('' if size == 'all' else f'/{size}')]
                  for count in COUNTS]
        cells = ['-' if math.isnan(value) else f'{100 * value:.1f}' for value in values]
        lines.append(f'{_TITLES[kind]}, {size:9}' + ''.join(f'{cell:>9}' for cell in cells))
    return '\n'.join(lines)
