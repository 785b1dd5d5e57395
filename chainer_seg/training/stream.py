"""The stream of training examples, whose entire state is one number: how many have been drawn."""

import collections
import os
from collections.abc import Callable
from typing import Any

import chainer
import numpy as np
from threadpoolctl import threadpool_info

from chainer_seg.errors import DatasetError
from chainer_seg.training.workers import Workers, make_workers

# Distinguishes the generator of an epoch's order from that of an example, which is seeded by (seed, k).
_ORDER = 1

# Limits of the number of consecutive examples without a sample after which the search ends.
_MIN_TRIES, _MAX_TRIES = 100, 5000


class ExampleStream(chainer.dataset.Iterator):
    """Endless shuffled batches that depend only on the data set, the seed and the position.

    The k-th example drawn belongs to epoch ``k // n`` and is number ``k % n`` of that epoch's
    random order; its transform is passed the generator ``numpy.random.default_rng((seed, k))``. So
    the batches do not depend on the number of workers, and a stream is resumed by setting
    :attr:`position`.

    Args:
        dataset: Anything with ``len`` and ``[index]``.
        batch_size: Examples per batch.
        transform: ``transform(example, rng) -> sample``, where a sample is an array, or a tuple or
            dict of arrays. If it returns None, there is nothing to train on in this example, and the
            next one is drawn instead. Without a transform the example itself is the sample.
        seed: Random seed, an integer from 0.
        workers: Number of processes or threads that load ahead; 0 to load in the main thread, None for
            half of the processor's cores, up to 8.
        worker_kind: ``'process'`` or ``'thread'``.
        look_ahead: Number of examples loaded or being loaded ahead; None for two batches.
        start_method: How worker processes start, as in :mod:`multiprocessing`.
        shuffle: Whether each epoch has its own random order; otherwise that of the data set.
        rank, ranks: This stream has every ``ranks``-th example, from that of number ``rank``; the streams
            of all ranks have all examples.

    Attributes:
        position: The number k of the next example, before the addition of the rank.
        positions: The position and the one before the last batch, of all ranks, (ranks, 2) int64; kept up to
            date by :class:`chainer_seg.training.Updater`.
        drawn: ``[(k, index), ...]`` of the examples in the last batch.

    Raises:
        chainer_seg.errors.DatasetError: The data set is empty, or no example can be trained on.
    """

    _workers: Workers | None = None  # Also where the constructor has failed.

    def __init__(self, dataset: Any, batch_size: int, transform: Callable | None = None, seed: int = 0,
                 workers: int | None = None, worker_kind: str = 'process', look_ahead: int | None = None,
                 start_method: str | None = None, shuffle: bool = True, rank: int = 0, ranks: int = 1
                 ) -> None:
        if len(dataset) == 0:
            raise DatasetError(f'{_name(dataset)} is empty, so there is nothing to train on; check '
                               f'the annotation file and the image folder.')
        self.dataset = dataset
        self.batch_size = batch_size
        self.seed = seed
        self.drawn: list[tuple[int, int]] = []
        self._load = _Loader(dataset, transform, seed)
        self._worker_count = default_workers() if workers is None else workers
        self._worker_kind, self._start_method = worker_kind, start_method
        self._look_ahead = 2 * batch_size if look_ahead is None else look_ahead
        self._shuffle = shuffle
        self._pending: collections.deque = collections.deque()
        self._ordered_epoch: int | None = None
        self._order: np.ndarray | None = None
        self._rank, self._ranks = rank, ranks
        self._position = 0
        self._previous_position = 0
        self.positions = np.zeros((ranks, 2), np.int64)

    @property
    def position(self) -> int:
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        if value != self._position:
            self._drop_pending()
            self._position = self._previous_position = value

    def next(self) -> list[Any]:
        """The next ``batch_size`` samples, as a list."""
        position, misses = self._position, 0
        samples: list[Any] = []
        drawn: list[tuple[int, int]] = []
        max_misses = int(np.clip(2 * len(self.dataset), _MIN_TRIES, _MAX_TRIES))
        while len(samples) < self.batch_size:
            number, index, sample = self._take(position + self._rank)
            position += self._ranks
            if sample is not None:
                samples.append(sample)
                drawn.append((number, index))
                misses = 0
                continue
            misses += 1
            if misses >= max_misses:
                raise DatasetError(
                    f'None of {misses} consecutive examples of {_name(self.dataset)} has anything to '
                    f'train on; check that its annotations contain objects of the selected classes.')
        self._previous_position, self._position = self._position, position
        self.drawn = drawn
        return samples

    __next__ = next

    def _take(self, position: int) -> tuple[int, int, Any]:
        """The example at ``position``, rank included, as (number, index, sample); keeps the workers busy."""
        if self._workers is None:
            self._workers = make_workers(
                self._load, self._worker_count, self._worker_kind, self._start_method)
        if self._pending and self._pending[0][0] != position:
            # The previous batch was interrupted.
            self._drop_pending()
        wanted = 1 if self._worker_count == 0 else max(
            1, self._look_ahead, 2 * self._worker_count)
        while len(self._pending) < wanted:
            number = position + len(self._pending) * self._ranks
            index = self._index(number)
            self._pending.append((number, index, self._workers.submit(number, index)))
        number, index, future = self._pending.popleft()
        return number, index, future.result()

    def _index(self, number: int) -> int:
        epoch, place = divmod(number, len(self.dataset))
        if not self._shuffle:
            return place
        if epoch != self._ordered_epoch:
            generator = np.random.default_rng((self.seed, epoch, _ORDER))
            self._ordered_epoch, self._order = epoch, generator.permutation(len(self.dataset))
        assert self._order is not None  # shuffled above
        return int(self._order[place])

    def _drop_pending(self) -> None:
        for _, _, future in self._pending:
            future.cancel()
        self._pending.clear()

    def describe(self, index: int) -> str:
        """A description of example ``index``, with its id and the name of its image if known."""
        ids, names = (getattr(self.dataset, name, None) for name in ('ids', 'image_names'))
        known = [*([] if ids is None else [f'id {ids[index]}']),
                 *([] if names is None else [names[index]])]
        return f'{index} ({", ".join(known)})' if known else f'{index}'

    @property
    def state(self) -> tuple[int, int]:
        """The position, and the one before the last batch."""
        return self._position, self._previous_position

    @property
    def epoch(self) -> int:
        return self._position // len(self.dataset)

    @property
    def epoch_detail(self) -> float:
        return self._position / len(self.dataset)

    @property
    def previous_epoch_detail(self) -> float:
        return self._previous_position / len(self.dataset)

    @property
    def is_new_epoch(self) -> bool:
        return self.epoch > self._previous_position // len(self.dataset)

    def serialize(self, serializer: chainer.AbstractSerializer) -> None:
        """Saves or restores the position; with several ranks that of all, of which this one takes its own."""
        if self._ranks > 1:
            self.positions = serializer('positions', self.positions)
            if isinstance(serializer, chainer.Deserializer):
                self.position, self._previous_position = self.positions[self._rank].tolist()
            return
        position = serializer('position', self._position)
        previous = serializer('previous_position', self._previous_position)
        self.position = position
        self._previous_position = previous

    def finalize(self) -> None:
        """Stops the workers; a later :meth:`next` starts new ones."""
        self._drop_pending()
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.close()

    def __del__(self) -> None:
        if self._workers is not None:
            self.finalize()


class _Loader:
    """The task of a worker; a class, so that it can be pickled for a spawned process."""

    def __init__(self, dataset: Any, transform: Callable | None, seed: int) -> None:
        self.dataset, self.transform, self.seed = dataset, transform, seed

    def __call__(self, number: int, index: int) -> Any:
        example = self.dataset[index]
        if self.transform is None:
            return example
        return self.transform(example, np.random.default_rng((self.seed, number)))


def default_workers() -> int:
    """The default number of workers: half of the cores available to this process, from 1 to 8."""
    return int(np.clip(_cores() // 2, 1, 8))


def computing_threads() -> int:
    """The number of threads for matrix products: the cores that :func:`default_workers` leaves free.

    A product whose threads compete with a loader for a core takes many times as long. The actual number
    of workers is not considered, because rounding may depend on the number of threads.
    """
    already = [library['num_threads'] for library in threadpool_info()]
    return min([max(1, _cores() - default_workers()), *already])


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _name(dataset: Any) -> str:
    return f'The data set ({type(dataset).__name__})'
