"""Compute the proposals of a data set."""

import contextlib
import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import CommonOfModel, Strict
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.file_options import Reading
from chainer_seg.cli.proposal_options import ImageRange, ProposalOptions, check_makes_proposals
from chainer_seg.recipes.options import Flat, Positive, Switch, option

if TYPE_CHECKING:
    import numpy as np

    from chainer_seg.datasets.proposal_files import RleProposals

_CHUNK = 500  # images in a file, as in the published proposals
_PUBLISHED = 500  # proposals per image, of evalPerImage.lua


@dataclasses.dataclass(frozen=True)
class Propose(ModelCommand):
    """Compute the proposals of a data set.

    Writes COCO result files of segments and of boxes to --out, 500 images in each. The same command resumes
    a run that was killed or interrupted. Images that cannot be read are skipped and listed at the end; the
    same command computes them once they are repaired.

    Attributes:
        model: Name of the model.
        annotations: The images: a COCO JSON file, a packed data set, a list of images of VOC or SBD, TFRecord
            files, or a folder of masks.
        images: Folder of the images, which a COCO JSON file needs.
        out: Folder to write to.
        chunk: Number of images per file.
        overwrite: Replace the proposals in --out.
        save: Draw the ten best proposals on each image, in the folder res of --out.
        timer: Print how long each stage takes.
        strict: Stop at the first image that cannot be read.
        reading: Reading of masks, label images and lists.
        proposals: Proposals.
        range: Images.
        common: Common options.
    """

    model: ModelName
    annotations: Annotated[str, option(metavar='J')]
    out: Annotated[pathlib.Path, option(metavar='DIR')]
    images: Annotated[str | None, option(metavar='D')] = None
    chunk: Annotated[Positive, option(metavar='N')] = _CHUNK
    overwrite: Switch = False
    save: Switch = False
    timer: Switch = False
    strict: Strict = False
    reading: Flat[Reading] = Reading()
    proposals: Flat[ProposalOptions] = ProposalOptions(np=_PUBLISHED)
    range: Flat[ImageRange] = ImageRange()
    common: Flat[CommonOfModel] = CommonOfModel()

    def work(self, model: Any) -> None:
        from chainer_seg.datasets import open_dataset
        from chainer_seg.jobs import propose
        from chainer_seg.models.deepmask.stage_times import StageTimes
        check_makes_proposals(model, self.model)
        dataset = open_dataset(self.annotations, self.images, **self.reading.settings(self.annotations))
        numbers, bad = self.range.numbers(len(dataset)), BadImages(self.strict)
        times = StageTimes()
        with bad.reported(len(numbers), 'have no proposals', self.common.verbose), (
                times.watching(model) if self.timer else contextlib.nullcontext()):
            propose(model, dataset, self.out, numbers=numbers, chunk=self.chunk,
                    overwrite=self.overwrite, progress=not self.common.quiet, on_error=bad,
                    on_found=self.draw if self.save else None, **self.proposals.settings(model))
            if self.timer:
                print(times)
            if not self.common.quiet:
                print(f'proposals of {len(numbers) - len(bad)} images: {self.out}')

    def draw(self, number: int, image: 'np.ndarray', found: 'RleProposals') -> None:
        """Draws the best proposals of an image, in a file of its number from 1."""
        from chainer_seg.images import write_image
        from chainer_seg.jobs.prediction_files import overlay_proposals
        write_image(self.out / 'res' / f'{number + 1}.jpg', overlay_proposals(image, found))
