"""Propose objects in images."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional

from chainer_seg.cli.common import CommonOfModel, Strict
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.prediction import predict_each
from chainer_seg.cli.proposal_options import ProposalOptions
from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Count, Flat, Switch, chosen, option

if TYPE_CHECKING:
    from chainer_seg.jobs import Input

PUBLISHED_DEMO = 5  # proposals, as the Torch demo shows


@dataclasses.dataclass(frozen=True)
class PredictDeepMask(ModelCommand):
    """Propose objects in images: masks and scores, the best first.

    Their image_id is the number that names the image, if all images are named by numbers as COCO's
    (000000005802.jpg is 5802); otherwise they are counted from 1.

    Attributes:
        model: Name of the model.
        protocol: What the model does; clicks if there are any.
        inputs: Images, folders of images, or lists of images (.txt, one per line); a synthetic sample image
            if omitted.
        out: Folder for the results.
        strict: Stop at the first image that cannot be read.
        allow_outside: Allow lists to name files outside their folder and that of the images.
        nms: IoU of boxes from which on a proposal is dropped for a better one.
        draw: Maximum number of proposals in the overlay.
        proposals: Proposals.
        common: Common options.
    """

    model: ModelName
    inputs: Positional[Annotated[tuple[str, ...], option(metavar='INPUT ...')]] = ()
    protocol: Annotated[str, chosen(('proposals', 'clicks'))] = 'proposals'
    out: Annotated[pathlib.Path, option(metavar='DIR')] = pathlib.Path('out/predict')
    strict: Strict = False
    allow_outside: Switch = False
    nms: Annotated[float | None, option(metavar='IOU')] = None
    draw: Annotated[Count, option(metavar='N')] = 10
    proposals: Flat[ProposalOptions] = ProposalOptions(np=PUBLISHED_DEMO)
    common: Flat[CommonOfModel] = CommonOfModel()

    def work(self, model: Any) -> None:
        from chainer_seg.images import read_image
        from chainer_seg.jobs import image_inputs, save_proposals
        from chainer_seg.jobs.result_paths import listed_images
        inputs = self.inputs or (str(self.sample()),)
        paths = [path for each in inputs for path in listed_images(each, self.allow_outside)]
        if not paths:
            raise UserError('There is nothing to do; name images or folders.')
        settings = {'nms': self.nms, **self.proposals.settings(model)}

        def save(each: 'Input') -> None:
            image = read_image(each.source)
            save_proposals(each, image, model.propose_rle(image, **settings), self.draw)

        predict_each(self, model, image_inputs(paths, self.out), save, strict=self.strict, folders=[self.out])

    def sample(self) -> pathlib.Path:
        """A synthetic image in --out, which is made if it is not there."""
        from chainer_seg.datasets import PlainShapesDataset
        from chainer_seg.images import write_image
        path = self.out / 'sample.png'
        if not path.exists():
            write_image(path, PlainShapesDataset(1, seed=self.common.seed)[0][0])
        return path
