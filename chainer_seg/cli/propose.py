"""Compute the proposals of a data set."""

import dataclasses
import pathlib
from typing import Annotated, Any

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import CommonOnDevice, Strict
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.proposal_options import ImageRange, ProposalOptions, check_makes_proposals
from chainer_seg.recipes.options import Flat, Positive, Switch, option

_CHUNK = 500  # images in a file, as in the published proposals


@dataclasses.dataclass(frozen=True)
class Propose(ModelCommand):
    """Compute the proposals of a data set.

    Writes COCO result files of segments and of boxes to --out, 500 images in each. The same command resumes
    a run that was killed or interrupted. Images that cannot be read are skipped and listed at the end; the
    same command computes them once they are repaired.

    Attributes:
        model: Name of the model.
        annotations: COCO JSON file of the images.
        images: Folder of the images.
        out: Folder to write to.
        chunk: Number of images per file.
        overwrite: Replace the proposals in --out.
        strict: Stop at the first image that cannot be read.
        proposals: Proposals.
        range: Images.
        common: Common options.
    """

    model: ModelName
    annotations: Annotated[str, option(metavar='J')]
    images: Annotated[str, option(metavar='D')]
    out: Annotated[pathlib.Path, option(metavar='DIR')]
    chunk: Annotated[Positive, option(metavar='N')] = _CHUNK
    overwrite: Switch = False
    strict: Strict = False
    proposals: Flat[ProposalOptions] = ProposalOptions()
    range: Flat[ImageRange] = ImageRange()
    common: Flat[CommonOnDevice] = CommonOnDevice()

    def work(self, model: Any) -> None:
        from chainer_seg.datasets import CocoDataset
        from chainer_seg.jobs import propose
        check_makes_proposals(model, self.model)
        dataset = CocoDataset(self.annotations, self.images)
        numbers, bad = self.range.numbers(len(dataset)), BadImages(self.strict)
        with bad.reported(len(numbers), 'have no proposals', self.common.verbose):
            propose(model, dataset, self.out, numbers=numbers, chunk=self.chunk,
                    overwrite=self.overwrite, progress=not self.common.quiet, on_error=bad,
                    **self.proposals.settings(model))
            if not self.common.quiet:
                print(f'proposals of {len(numbers) - len(bad)} images: {self.out}')
