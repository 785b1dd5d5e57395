"""Evaluate DeepMask or SharpMask on single patches."""

import dataclasses
import functools
import itertools
import pathlib
import time
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from tqdm import tqdm

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.evaluation_data import EvaluationData, data_rules
from chainer_seg.files import write_json
from chainer_seg.recipes.options import Flat, Positive, Switch, chosen, option


_PUBLISHED = 6400  # patches: 200 batches of 32, of evalPerPatch.lua


@dataclasses.dataclass(frozen=True)
class EvaluatePatches(ModelCommand):
    """Evaluate DeepMask or SharpMask on single patches, sampled as in training, like its Torch code.

    The figures are the mean and the median intersection over union of the masks, the fraction of masks with
    at least 0.5 and 0.7, and the accuracy of the objectness score. Without --annotations, the images are
    synthetic.

    Attributes:
        model: Name of the model.
        protocol: Evaluation protocol.
        patches: Number of patches for the masks, and again for the scores.
        gSz: Side at which masks are compared, in pixels; that of the model if omitted.
        shift: Maximum shift of an object, in pixels.
        scale: Maximum change of the size of an object, as an exponent of 2.
        boundary: Also compare the boundaries.
        save: Folder for images of the patches with their true outlines, beside the predicted probabilities;
            32 in each.
        out: File to write the figures to, as JSON.
        data: Data.
        common: Common options.
    """

    model: ModelName
    protocol: Annotated[str, chosen(('proposals', 'patch', 'clicks'))] = 'patch'
    patches: Annotated[Positive, option(metavar='N')] = _PUBLISHED
    gSz: Annotated[Positive | None, option(metavar='PX')] = None  # as the Torch code spells it
    shift: Annotated[int, option(metavar='PX')] = 16
    scale: Annotated[float, option(metavar='E')] = 0.25
    boundary: Switch = False
    save: Annotated[pathlib.Path | None, option(metavar='DIR')] = None
    out: Annotated[str | None, option(metavar='JSON')] = None
    data: Flat[EvaluationData] = EvaluationData()
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = data_rules()

    def work(self, model: Any) -> None:
        from chainer_seg.evaluation import evaluate_patches
        seed, started = self.common.seed, time.perf_counter()
        dataset, bad = self.data.open(seed), BadImages(self.data.strict)
        with bad.reported(len(dataset), 'are not in the figures', self.common.verbose):
            figures = evaluate_patches(
                model, dataset, self.patches, target_size=self.gSz, boundary=self.boundary, shift=self.shift,
                scale=self.scale, seed=seed,
                progress=functools.partial(tqdm, desc='evaluating', unit='batch', disable=self.common.quiet),
                # Several patches are of one image.
                on_error=lambda _, error: bad(str(error), error),
                on_masks=self.drawing() if self.save else None)
            seconds = time.perf_counter() - started
            print(f'{self.patches} patches, {self.patches / seconds:.1f} per second')
            for name, value in figures.items():
                print(f'{name:15} {value:.3f}')
            if self.out:
                write_json(self.out, figures, indent=2)

    def drawing(self) -> Callable[..., None]:
        """Draws a batch of patches, in a file of its number from 1."""
        from chainer_seg.images import write_image
        from chainer_seg.visualization.patches import draw_patches
        assert self.save is not None
        folder, numbers = self.save, itertools.count(1)

        def draw(*batch: Any) -> None:
            write_image(folder / f'{next(numbers)}.jpg', draw_patches(*batch))
        return draw
