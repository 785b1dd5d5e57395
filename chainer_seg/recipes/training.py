"""The section ``training`` of every recipe: length, batches, optimizer, learning rate, snapshots."""

import dataclasses
import typing
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from chainer_seg.recipes.options import Count, NotNegative, Positive, Share, option

if typing.TYPE_CHECKING:
    from chainer_seg.training import Schedule

STEP_FACTOR = 0.1  # what 'steps' multiplies the learning rate by at each step; the same in all papers


SmoothSchedules = Literal['poly', 'cosine', 'constant']  # the choices of most recipes


@dataclasses.dataclass(frozen=True)
class Training:
    """The training.

    Attributes:
        iterations: Number of updates.
        batch_size: Images per update; with several ranks, per update and rank.
        sub_batches: Compute a batch in this many parts, which takes less memory.
        optimizer: Momentum SGD or Adam.
        lr: Base learning rate.
        momentum: Momentum of SGD.
        weight_decay: Rate of L2 weight decay.
        schedule: Shape of the learning rate over the run.
        warm_up: Updates over which the learning rate rises linearly to its base.
        snapshot_every: Updates between snapshots.
        keep_last: Number of snapshots to keep.
        half: Save the model in half precision.
    """

    iterations: Positive = 2000
    batch_size: Annotated[int, Meta(ge=1, le=4096)] = 8
    sub_batches: Positive = 1
    optimizer: Literal['adam', 'momentum'] = 'adam'
    lr: NotNegative = 1e-3
    momentum: Share = 0.9
    weight_decay: NotNegative = 1e-4
    schedule: str = 'cosine'  # a subclass has the choices
    warm_up: Count = 100
    snapshot_every: Annotated[Positive, option(metavar='N')] = 500
    keep_last: Positive = 3
    half: bool = False

    warm_up_start: ClassVar[float] = 1 / 3  # share of the learning rate in the first update

    def make_schedule(self) -> 'Schedule':
        """The learning rate as a factor of ``lr`` for each update."""
        from chainer_seg import training
        return training.WarmUp(self.warm_up, self._after_warm_up(), self.warm_up_start)

    def settings(self) -> dict[str, Any]:
        """The section as attributes of :class:`chainer_seg.training.Settings`."""
        names = ('iterations', 'batch_size', 'sub_batches', 'optimizer', 'lr', 'momentum', 'weight_decay',
                 'snapshot_every', 'keep_last')
        return {**{name: vars(self)[name] for name in names}, 'schedule': self.make_schedule()}

    def _after_warm_up(self) -> 'Schedule':
        from chainer_seg import training
        shapes = {'poly': training.Poly, 'cosine': training.Cosine, 'constant': training.Constant}
        return shapes[self.schedule]()


@dataclasses.dataclass(frozen=True)
class SmoothTraining(Training):
    """The training.

    Attributes:
        power: Exponent of --schedule poly, (1 - update / updates) ** power.
    """

    schedule: SmoothSchedules = 'cosine'
    power: NotNegative = 0.9

    def _after_warm_up(self) -> 'Schedule':
        from chainer_seg import training
        return training.Poly(self.power) if self.schedule == 'poly' else super()._after_warm_up()


@dataclasses.dataclass(frozen=True)
class StepTraining(Training):
    """The training.

    Attributes:
        lr_step: Updates after which --schedule steps multiplies the learning rate by 0.1.
    """

    schedule: Literal['steps', 'cosine', 'constant'] = 'steps'
    lr_step: Annotated[tuple[Positive, ...], option('--steps')] = ()

    def _after_warm_up(self) -> 'Schedule':
        from chainer_seg import training
        if self.schedule == 'steps':
            return training.Steps(self.lr_step, STEP_FACTOR)
        return super()._after_warm_up()
