"""The training section of Mask R-CNN's recipe, with the learning rates of its Chainer implementation."""

import dataclasses
import typing
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from chainer_seg.recipes.options import Count, NotNegative, Positive, option
from chainer_seg.recipes.training import STEP_FACTOR, StepTraining

if typing.TYPE_CHECKING:
    from chainer_seg.training import Schedule


@dataclasses.dataclass(frozen=True)
class MaskRCNNTraining(StepTraining):
    """The training, with the defaults of the Chainer implementation.

    Attributes:
        sub_batches: Compute a batch in this many parts, which takes less memory; one for each image if not
            given.
        lr: Learning rate; 0 trains nothing. With --schedule chainer it is the first one, for the sum of the
            gradients of a batch (1e-4 for the sum of 8 is 8e-4 for their mean), and so is --weight-decay;
            otherwise the base rate, for the mean.
        schedule: Shape of the learning rate over the run. "chainer" is what the Chainer implementation does:
            --lr, ten times as much after --lr-initialchange updates, and a tenth of --lr after --lr-step.
        warm_up: Updates at the first rate of --schedule chainer; otherwise those over which the rate rises
            linearly from a tenth to its base.
        lr_step: Updates after which --schedule chainer takes a tenth of --lr; --schedule steps multiplies
            the learning rate by 0.1 after each.
        evaluate_every: Updates between validations.
    """

    iterations: Annotated[Positive, option('--iteration', '-i')] = 800_000
    batch_size: Annotated[int, Meta(ge=1, le=4096), option('--batchsize', '-b')] = 8
    sub_batches: Annotated[Positive | None, option('--subdivision', metavar='N')] = None  # type: ignore[assignment]
    optimizer: Literal['adam', 'momentum'] = 'momentum'
    lr: Annotated[NotNegative, option('-l')] = 1e-4
    schedule: Literal['chainer', 'steps', 'cosine', 'constant'] = 'chainer'  # type: ignore[assignment]
    warm_up: Annotated[Count, option('--lr-initialchange', '-li')] = 800
    snapshot_every: Annotated[Positive, option('--snapshot', metavar='N')] = 4000
    lr_step: Annotated[tuple[Positive, ...], option('--steps', '--step-size', '-ls', '-ss')] = (480_000,)
    evaluate_every: Annotated[Positive, option('--validation', '--validate-every', metavar='N')] = 30_000

    warm_up_start: ClassVar[float] = 0.1

    def make_schedule(self) -> 'Schedule':
        if self.schedule != 'chainer':
            return super().make_schedule()
        from chainer_seg.training import Steps
        # Its two shifts both start from the first rate, so that the second one takes the first one back.
        return (Steps((self.warm_up,), 1 / STEP_FACTOR)
                * Steps((*self.lr_step[:1], *self.lr_step), STEP_FACTOR))

    def settings(self) -> dict[str, Any]:
        settings = {**super().settings(), 'sub_batches': self.sub_batches or self.batch_size}
        if self.schedule != 'chainer':
            return settings
        # Here gradients are means; those of n images add up to n times as much, to which Adam is blind.
        rate = self.lr * (self.batch_size if self.optimizer == 'momentum' else 1)
        return {**settings, 'lr': rate, 'weight_decay': self.weight_decay / self.batch_size}
