"""Evaluate proposals by their average recall."""

import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from tqdm import tqdm

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.evaluation_data import EvaluationData, data_rules, refuse_without_objects, write_figures
from chainer_seg.cli.proposal_options import PROPOSAL_FLAGS, ProposalOptions
from chainer_seg.errors import DatasetError
from chainer_seg.recipes.options import Flat, chosen, option
from chainer_seg.recipes.rules import only, without

_TITLES = {'bbox': 'boxes', 'segm': 'masks'}


@dataclasses.dataclass(frozen=True)
class EvaluateProposals(ModelCommand):
    """Evaluate proposals by their average recall (AR): how many objects the best 10, 100 and 1000 find.

    As in the papers and in COCO: without classes, over intersections over union from 0.5 to 0.95, for boxes
    and for masks, and by the size of the objects. --proposals reads them from files of chainer-seg propose,
    or from published ones, instead of computing them. Without --annotations, the images are synthetic.

    Attributes:
        model: Name of the model.
        protocol: Evaluation protocol.
        proposals: Files or folders to read the proposals from.
        out: File to write the figures to, as JSON.
        data: Data.
        computed: Proposals.
        common: Common options.
    """

    model: ModelName
    protocol: Annotated[str, chosen(('proposals', 'patch', 'clicks'))] = 'proposals'
    proposals: Annotated[tuple[str, ...], option(metavar='DIR ...')] = ()
    out: Annotated[str | None, option(metavar='JSON')] = None
    data: Flat[EvaluationData] = EvaluationData(n=100)
    computed: Flat[ProposalOptions] = ProposalOptions()
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = (*data_rules(), only(without('--proposals'), *PROPOSAL_FLAGS))

    def work(self, model: Any) -> None:
        from chainer_seg.evaluation import evaluate_proposals
        from chainer_seg.evaluation.proposals import KINDS
        started = time.time()
        dataset = self.data.open(self.common.seed, needs_images=not self.proposals)
        progress = functools.partial(tqdm, desc='evaluating', unit='image', disable=self.common.quiet)
        bad = BadImages(self.data.strict)
        with bad.reported(len(dataset), 'are not in the figures', self.common.verbose):
            if self.proposals:
                figures, kinds = self.evaluate_files(dataset, progress)
            else:
                proposer = functools.partial(model.propose_rle, **self.computed.settings(model))
                figures = evaluate_proposals(proposer, dataset, progress=progress, on_error=bad)
                kinds = KINDS
            refuse_without_objects(figures)
            print(f'{len(dataset) - len(bad)} images, {time.time() - started:.0f} s')
            print(table(figures, kinds))
            if self.out:
                write_figures(self.out, figures)

    def evaluate_files(self, dataset: Any, progress: Any) -> tuple[dict[str, float], tuple[str, ...]]:
        """The figures of proposals in files, and of which kinds they are."""
        from chainer_seg.datasets import read_proposals
        from chainer_seg.evaluation import evaluate_proposal_files
        from chainer_seg.evaluation.proposals import KINDS
        if self.data.annotations is None:
            raise DatasetError('--proposals needs --annotations, the COCO JSON of their images.')
        files = read_proposals(self.proposals)
        first = next(files, None)
        if first is None:
            raise DatasetError(f'{" ".join(self.proposals)} holds no proposals.')
        kinds = KINDS if 'segmentation' in first[1][0] else ('bbox',)
        return evaluate_proposal_files(itertools.chain([first], files), dataset, kinds=kinds,
                                       progress=progress), kinds


def table(figures: Mapping[str, float], kinds: Sequence[str]) -> str:
    """The figures in percent, a row for each kind and size."""
    from chainer_seg.evaluation.proposals import COUNTS, SIZES
    lines = [f'{"":16}' + ''.join(f'{f"AR@{count}":>9}' for count in COUNTS)]
    for kind, size in itertools.product(kinds, SIZES):
        values = [figures[f'{kind}/AR@{count}' + ('' if size == 'all' else f'/{size}')]
                  for count in COUNTS]
        cells = ['-' if math.isnan(value) else f'{100 * value:.1f}' for value in values]
        lines.append(f'{_TITLES[kind]}, {size:9}' + ''.join(f'{cell:>9}' for cell in cells))
    return '\n'.join(lines)
