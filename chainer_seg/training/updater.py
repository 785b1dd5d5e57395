"""One update: a batch in sub-batches, their gradients summed, non-finite ones refused."""

import contextlib
import dataclasses

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_seg.errors import TrainingError

# Tells the generator of an iteration's dropout from those of the stream.
_ITERATION = 2


@dataclasses.dataclass(frozen=True)
class Trouble:
    """A batch that gave a non-finite loss or gradient.

    Attributes:
        iteration: The update, counted from 1.
        what: The reported name of the loss, or the path of the parameter.
        value: ``'nan'``, ``'inf'`` or ``'-inf'``.
        examples: The examples in words.
    """

    iteration: int
    what: str
    value: str
    examples: str

    def __str__(self):
        return (f'{self.what} was {self.value} in iteration {self.iteration}, '
                f'for the examples {self.examples}')


class Updater(chainer.training.updaters.StandardUpdater):
    """Updates the parameters with the mean loss of a batch that is computed in parts.

    Each part's loss counts by its share of the batch, so for a network without BatchNorm, and
    a loss that is a mean over images, the gradient is that of the whole batch. Before each
    iteration NumPy's (and CuPy's) global generator, from which Chainer draws dropout, is seeded
    from the seed and the iteration, so an iteration never depends on those before it by chance.

    A batch with a non-finite loss or gradient changes nothing: no parameter, no optimizer state,
    no running statistic. If an update raises, the state is that of the last complete iteration.

    Args:
        stream: An :class:`chainer_seg.training.ExampleStream`.
        optimizer: A Chainer optimizer that is set up with the train chain.
        learning_rate: A :class:`chainer_seg.training.parameters.LearningRate`.
        device: A Chainer device.
        seed: A whole number from 0.
        sub_batches: The number of parts.
        converter: ``converter(samples, device)``: one array, or a tuple or dict of them.
        loss_scale: What the loss is multiplied by while gradients are computed; None for 1.
        warn: ``warn(sentence)``, called for a batch that is skipped.
    """

    def __init__(self, stream, optimizer, learning_rate, device, seed=0, sub_batches=1,
                 converter=None, loss_scale=None, warn=print):
        super().__init__(stream, optimizer, converter=converter or stack_samples)
        self._stream = stream
        self._learning_rate = learning_rate
        self._target_device = device
        self._seed = seed
        self._sub_batches = sub_batches
        self._loss_scale = loss_scale
        self._warn = warn
        self.rate = None
        self.skipped = 0
        self.skipped_in_a_row = 0
        self.first_trouble = None

    def update_core(self):
        optimizer = self.get_optimizer('main')
        position = self._stream.position
        self.rate = self._learning_rate.apply(self.iteration)
        seed_iteration(self._seed, self.iteration, self._target_device)
        statistics = _Statistics(optimizer.target)
        try:
            samples = self._stream.next()
            with chainer.using_config('train', True):
                trouble = self._accumulate(optimizer.target, samples)
        except BaseException:
            statistics.restore()
            self._stream.position = position
            raise
        if trouble is None:
            optimizer.update()
            self.skipped_in_a_row, self.first_trouble = 0, None
        else:
            statistics.restore()
            self._skip(trouble)
        if self._stream.is_new_epoch:
            optimizer.new_epoch(auto=True)

    def _accumulate(self, target, samples):
        """Sums the gradients of all parts and reports the means; the trouble, if there is any."""
        target.cleargrads()
        means = _Means()
        for part in np.array_split(np.arange(len(samples)), self._sub_batches):
            arrays = self.converter([samples[i] for i in part], self._target_device)
            observation = {}
            with chainer.report_scope(observation):
                loss = _call(target, arrays)
            values = _as_floats(observation)
            total = float(cuda.to_cpu(loss.array))
            values.setdefault('main/loss', total)
            if not np.isfinite(total):
                return self._trouble(f'the loss {_culprit(values)}', total, part)
            share = len(part) / len(samples) * (self._loss_scale or 1)
            loss.grad = loss.xp.full_like(loss.array, share)
            # The update rules divide by it again.
            loss.backward(loss_scale=self._loss_scale)
            del loss
            means.add(values, len(part))
        path = _non_finite_gradient(target)
        if path is not None:
            return self._trouble(f'the gradient of {path}', np.nan, np.arange(len(samples)))
        chainer.report(means.values())
        return None

    def _trouble(self, what, value, part):
        examples = [self._stream.describe(self._stream.drawn[i][1]) for i in part]
        if 'gradient' in what:
            value = 'not finite'
        return Trouble(self.iteration + 1, what, str(value), ', '.join(examples))

    def _skip(self, trouble):
        self.skipped += 1
        self.skipped_in_a_row += 1
        self.first_trouble = self.first_trouble or str(trouble)
        self._warn(f'Skipped a batch: {trouble}.')

    def serialize(self, serializer):
        super().serialize(serializer)
        self.skipped = serializer('skipped', self.skipped)
        self.skipped_in_a_row = serializer('skipped_in_a_row', self.skipped_in_a_row)
        self.first_trouble = serializer('first_trouble', self.first_trouble or '') or None


class _Statistics:
    """A copy of what a forward pass may change in a chain: running means and counters."""

    def __init__(self, target):
        self._entries = [
            (link, name, link.__dict__[name], _copied(link.__dict__[name]))
            for link in target.links() for name in link._persistent]

    def restore(self):
        for link, name, value, kept in self._entries:
            if isinstance(value, chainer.get_array_types()):
                # In place: the same array may be known elsewhere.
                value[...] = kept
            setattr(link, name, value)


def _copied(value):
    return value.copy() if isinstance(value, chainer.get_array_types()) else None


class _Means:
    """Means of reported values over the parts of a batch, weighted by the parts' sizes."""

    def __init__(self):
        self._sums, self._weights = {}, {}

    def add(self, values, weight):
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * value
            self._weights[name] = self._weights.get(name, 0) + weight

    def values(self):
        return {name: total / self._weights[name] for name, total in self._sums.items()}


def stack_samples(samples, device):
    """Stacks samples of one form into batch arrays on ``device``.

    Args:
        samples: A list of arrays, or of tuples or dicts of arrays; each place has one shape.
        device: A Chainer device.

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
            f'The samples of a batch must have one shape, but the transform gave '
            f'{" and ".join(shapes[:3])}; resize or pad them, or pass converter=.') from error


def _shapes(sample):
    if isinstance(sample, dict):
        return {key: np.shape(value) for key, value in sample.items()}
    if isinstance(sample, tuple):
        return tuple(np.shape(value) for value in sample)
    return np.shape(sample)


def _call(target, arrays):
    if isinstance(arrays, tuple):
        return target(*arrays)
    if isinstance(arrays, dict):
        return target(**arrays)
    return target(arrays)


def _as_floats(observation):
    values = {}
    for name, value in observation.items():
        if isinstance(value, chainer.Variable):
            value = value.array
        values[name] = float(cuda.to_cpu(value))
    return values


def _culprit(values):
    """The name of the first non-finite loss, a part rather than the sum of the parts."""
    names = [name for name, value in values.items() if not np.isfinite(value)]
    parts = [name for name in names if name != 'main/loss' and 'loss' in name]
    return (parts or names or ['main/loss'])[0].removeprefix('main/')


def _non_finite_gradient(target):
    """The path of the first parameter whose gradient holds NaN or infinity, or None."""
    gradients = [(path, parameter.grad) for path, parameter in target.namedparams(False)
                 if parameter.grad is not None]
    if not gradients:
        return None
    with np.errstate(all='ignore'):
        squares = [gradient.ravel().dot(gradient.ravel()) for _, gradient in gradients]
        if np.isfinite(float(sum(squares))):
            return None
    # The squares of large finite numbers overflow, so look at the numbers themselves.
    for path, gradient in gradients:
        if not chainer.backend.get_array_module(gradient).isfinite(gradient).all():
            return path
    return None


def seed_iteration(seed, iteration, device):
    """Seeds the global generators that Chainer's functions draw from."""
    words = np.random.SeedSequence((seed, iteration, _ITERATION)).generate_state(4)
    np.random.seed(words)  # noqa: NPY002
    if device.xp is not np:
        device.xp.random.seed(int(words[0]))


@contextlib.contextmanager
def global_random_state_kept(device):
    """Gives NumPy's and CuPy's global generators back as they were."""
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
