"""One update: gradients summed over the parts of a batch; batches that are not finite are skipped."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_seg.errors import TrainingError
from chainer_seg.loss_share import shared_between_ranks
from chainer_seg.training.multi_node import Ranks
from chainer_seg.training.parameters import LearningRate
from chainer_seg.training.stream import ExampleStream
from chainer_seg.training.update_values import Means, Statistics

# Distinguishes the generator of an iteration's dropout from those of the stream.
_ITERATION = 2


@dataclasses.dataclass(frozen=True)
class Trouble:
    """A batch with a non-finite loss or gradient.

    Attributes:
        iteration: The update, counted from 1.
        what: The reported name of the loss, or the path of the parameter.
        value: ``'nan'``, ``'inf'`` or ``'-inf'``.
        examples: A description of the examples.
    """

    iteration: int
    what: str
    value: str
    examples: str

    def __str__(self) -> str:
        return (f'{self.what} was {self.value} in iteration {self.iteration}, '
                f'for the examples {self.examples}')


class Updater(chainer.training.updaters.StandardUpdater):
    """Updates the parameters with the mean loss of a batch, computed in parts.

    Each part's loss is weighted by its share of the batch, so for a network without BatchNorm and
    a loss that is a mean over images, the gradient is that of the whole batch. Before each iteration
    NumPy's (and CuPy's) global generator, from which Chainer draws dropout, is seeded with the seed and
    the iteration, so the randomness of an iteration does not depend on earlier ones.

    A batch with a non-finite loss or gradient changes neither parameters nor optimizer state nor running
    statistics. If an update raises an error, the state is that of the last complete iteration.

    Args:
        stream: An :class:`chainer_seg.training.ExampleStream`.
        optimizer: A Chainer optimizer that has been set up with the train chain.
        learning_rate: A :class:`chainer_seg.training.parameters.LearningRate`.
        device: A Chainer device.
        seed: Random seed, an integer from 0.
        sub_batches: The number of parts.
        converter: ``converter(samples, device)`` returns an array, or a tuple or dict of arrays;
            default: :func:`stack_samples`.
        loss_scale: Factor of the loss while gradients are computed; None for 1.
        warn: ``warn(message)``, called for each skipped batch.
        ranks: The processes whose gradients are averaged, each of which has a batch of its own.
    """

    def __init__(self, stream: ExampleStream, optimizer: chainer.Optimizer, learning_rate: LearningRate,
                 device: chainer.backend.Device, seed: int = 0, sub_batches: int = 1,
                 converter: Callable | None = None, loss_scale: float | None = None,
                 warn: Callable[[str], object] = print, ranks: Ranks | None = None) -> None:
        super().__init__(stream, optimizer, converter=converter or stack_samples)
        self._stream = stream
        self._learning_rate = learning_rate
        self._target_device = device
        self._seed = seed
        self._sub_batches = sub_batches
        self._loss_scale = loss_scale
        self._warn = warn
        self._ranks = ranks or Ranks()
        self.rate: float | None = None
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.first_trouble: str | None = None

    def update_core(self) -> None:
        """Performs one update, or skips the batch if it is not finite."""
        optimizer = self.get_optimizer('main')
        position = self._stream.position
        self.rate = self._learning_rate.apply(self.iteration)
        seed_iteration(self._seed, self.iteration, self._target_device, self._ranks.rank)
        statistics = Statistics(optimizer.target)
        try:
            samples = self._stream.next()
            with chainer.using_config('train', True), shared_between_ranks(self._ranks.mean):
                outcome = self._accumulate(optimizer.target, samples, statistics)
            trouble = self._combine(outcome, statistics)
        except BaseException:
            statistics.restore()
            self._stream.position = position
            raise
        if trouble is None:
            self._ranks.average_gradients(optimizer.target)
            optimizer.update()
            self.skipped_in_a_row, self.first_trouble = 0, None
        else:
            statistics.restore()
            self._skip(trouble)
        if self._stream.is_new_epoch:
            optimizer.new_epoch(auto=True)

    def _accumulate(self, target: chainer.Link, samples: list[Any],
                    statistics: Statistics) -> '_Outcome':
        """Sums the gradients of all parts."""
        target.cleargrads()
        means, trouble = Means(), None
        for part in np.array_split(np.arange(len(samples)), self._sub_batches):
            arrays = self.converter([samples[i] for i in part], self._target_device)
            observation: dict[str, Any] = {}
            with chainer.report_scope(observation):
                loss = _call(target, arrays)
            values = _as_floats(observation)
            total = float(cuda.to_cpu(loss.array))
            values.setdefault('main/loss', total)
            if not np.isfinite(total):
                # Ranks that share in a loss must all compute every part.
                trouble = trouble or self._trouble(f'the loss {_culprit(values)}', total, part)
                continue
            share = len(part) / len(samples) * (self._loss_scale or 1)
            loss.grad = loss.xp.full_like(loss.array, share)
            # The update rules divide by the scale again.
            loss.backward(loss_scale=self._loss_scale)
            del loss
            means.add(values, len(part))
        path = None if trouble else _non_finite_gradient(target)
        if path is not None:
            trouble = self._trouble(f'the gradient of {path}', np.nan, np.arange(len(samples)))
        changed = statistics.changed() if self._ranks.size > 1 else []
        return _Outcome(trouble, means.values(), self._stream.state, changed)

    def _combine(self, own: '_Outcome', statistics: Statistics) -> Trouble | None:
        """Reports the means of all ranks; gives the first trouble of one of them, if there is any."""
        outcomes = self._ranks.gather(own)
        self._stream.positions = np.array([outcome.position for outcome in outcomes], np.int64)
        for outcome in outcomes:
            if outcome.trouble is not None:
                return outcome.trouble
        means = Means()
        for outcome in outcomes:
            means.add(outcome.values, 1)
        chainer.report(means.values())
        # Running statistics; on another rank a value may have stayed the same by chance.
        changed = set().union(*(outcome.changed for outcome in outcomes))
        self._ranks.average(statistics.arrays(sorted(changed)))
        return None

    def _trouble(self, what: str, value: float, part: Iterable[int]) -> Trouble:
        examples = [self._stream.describe(self._stream.drawn[i][1]) for i in part]
        shown = 'not finite' if 'gradient' in what else str(value)
        return Trouble(self.iteration + 1, what, shown, ', '.join(examples))

    def _skip(self, trouble: Trouble) -> None:
        self.skipped += 1
        self.skipped_in_a_row += 1
        self.first_trouble = self.first_trouble or str(trouble)
        self._warn(f'Skipped a batch: {trouble}.')

    def serialize(self, serializer: chainer.AbstractSerializer) -> None:
        """Saves or restores the state of the optimizer, the stream and the counters of skipped batches."""
        super().serialize(serializer)
        self.skipped = serializer('skipped', self.skipped)
        self.skipped_in_a_row = serializer('skipped_in_a_row', self.skipped_in_a_row)
        self.first_trouble = serializer('first_trouble', self.first_trouble or '') or None


@dataclasses.dataclass(frozen=True)
class _Outcome:
    """What a rank tells the others of its batch: trouble, means, stream, running statistics."""

    trouble: Trouble | None
    values: dict[str, float]
    position: tuple[int, int]
    changed: list[int]


def stack_samples(samples: list[Any], device: chainer.backend.Device) -> Any:
    """Stacks samples of the same structure into batch arrays on ``device``.

    Args:
        samples: A list of arrays, or of tuples or dicts of arrays; corresponding arrays must have the
            same shape.
        device: A Chainer device.

    Returns:
        An array, or a tuple or dict of arrays.

    Raises:
        chainer_seg.errors.TrainingError: The shapes differ.
    """
    try:
        return chainer.dataset.concat_examples(samples, device)
    except ValueError as error:
        shapes = sorted({str(_shapes(sample)) for sample in samples})
        if len(shapes) == 1:
            raise
        raise TrainingError(
            f'The samples of a batch must have the same shape, but the transform returned '
            f'{" and ".join(shapes[:3])}; resize or pad them, or pass converter=.') from error


def _shapes(sample: Any) -> Any:
    if isinstance(sample, dict):
        return {key: np.shape(value) for key, value in sample.items()}
    if isinstance(sample, tuple):
        return tuple(np.shape(value) for value in sample)
    return np.shape(sample)


def _call(target: chainer.Link, arrays: Any) -> chainer.Variable:
    if isinstance(arrays, tuple):
        return target(*arrays)
    if isinstance(arrays, dict):
        return target(**arrays)
    return target(arrays)


def _as_floats(observation: Mapping[str, Any]) -> dict[str, float]:
    values = {}
    for name, value in observation.items():
        if isinstance(value, chainer.Variable):
            value = value.array
        values[name] = float(cuda.to_cpu(value))
    return values


def _culprit(values: Mapping[str, float]) -> str:
    """The name of the first non-finite loss; a part takes precedence over the total."""
    names = [name for name, value in values.items() if not np.isfinite(value)]
    parts = [name for name in names if name != 'main/loss' and 'loss' in name]
    return (parts or names or ['main/loss'])[0].removeprefix('main/')


def _non_finite_gradient(target: chainer.Link) -> str | None:
    """The path of the first parameter whose gradient holds NaN or infinity, or None."""
    gradients = [(path, parameter.grad) for path, parameter in target.namedparams(False)
                 if parameter.grad is not None]
    if not gradients:
        return None
    with np.errstate(all='ignore'):
        squares = [gradient.ravel().dot(gradient.ravel()) for _, gradient in gradients]
        if np.isfinite(float(sum(squares))):
            return None
    # Squares of large finite numbers may overflow, so check the values themselves.
    for path, gradient in gradients:
        if not chainer.backend.get_array_module(gradient).isfinite(gradient).all():
            return path
    return None


def seed_iteration(seed: int, iteration: int, device: chainer.backend.Device, rank: int = 0) -> None:
    """Seeds the global random generators that Chainer's functions use, on each rank differently."""
    sequence = np.random.SeedSequence((seed, iteration, _ITERATION), spawn_key=(rank,) if rank else ())
    words = sequence.generate_state(4)
    np.random.seed(words)  # noqa: NPY002
    if device.xp is not np:
        device.xp.random.seed(int(words[0]))


@contextlib.contextmanager
def global_random_state_kept(device: chainer.backend.Device) -> Iterator[None]:
    """Restores NumPy's and CuPy's global random generators at the end of the block."""
    state = np.random.get_state()  # noqa: NPY002
    gpu_state = None if device.xp is np else device.xp.random.get_random_state()
    if gpu_state is not None:
        device.xp.random.set_random_state(device.xp.random.RandomState(0))
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        if gpu_state is not None:
            device.xp.random.set_random_state(gpu_state)
