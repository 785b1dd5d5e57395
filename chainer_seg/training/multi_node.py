"""Training by several processes, the ranks of an MPI job, through ChainerMN.

Every rank has the whole state of the run: parameters, optimizer and running statistics agree after every
update. Ranks differ in the examples that they load and in the images that they validate. Rank 0 writes.
"""

import contextlib
import functools
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_seg.bad_images import each_image
from chainer_seg.command_line import USER_ERROR_STATUS
from chainer_seg.devices import get_device, gpu_count
from chainer_seg.errors import TrainingError, UserError, shortened
from chainer_seg.loss_share import Mean
from chainer_seg.signals import INTERRUPTED_STATUS, TERMINATED_STATUS, Terminated

Communicator = Literal['naive', 'pure_nccl', 'flat']

# The size of the job, where MPICH, Slurm's PMI and Open MPI tell it.
_SIZES = ('PMI_SIZE', 'OMPI_COMM_WORLD_SIZE')
_IMAGES = 8  # that a rank computes between two exchanges of results
_PATIENCE = 2  # seconds that other ranks leave to rank 0 to report an error that all of them have


class Ranks:
    """The ranks of a training; this class is that of a single process.

    Attributes:
        rank: The number of this process.
        size: The number of processes.
        local_rank, local_size: The same among the processes on this machine.
        mean: ``mean(number)`` gives the mean of the ranks' numbers; None for a single process.
        stopping: Whether all ranks have agreed to stop.
    """

    rank, size, local_rank, local_size = 0, 1, 0, 1
    mean: Mean | None = None
    stopping = False

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, on every rank."""
        return [value]

    def agreed(self, exception: type[BaseException] | None) -> type[BaseException] | None:
        """What all ranks raise in order to stop, which one of them asks for; None to continue."""
        first = next((each for each in self.gather(exception) if each is not None), None)
        self.stopping = first is not None
        return first

    def broadcast(self, value: Any) -> Any:
        """The value of rank 0."""
        return value

    def broadcast_parameters(self, chain: chainer.Link) -> None:
        """Gives all ranks the parameters of rank 0."""

    def average_gradients(self, chain: chainer.Link) -> None:
        """Replaces the gradients of the parameters that are updated by their means over the ranks."""

    def average(self, arrays: Sequence[Any]) -> None:
        """Replaces float32 arrays by their means over the ranks."""

    def loop(self, numbers: Iterable[int], compute: Callable[[int], Any]) -> Iterator[tuple[int, Any]]:
        """A :data:`chainer_seg.bad_images.Loop` whose rows are computed by all ranks, each a part."""
        return each_image(numbers, compute)

    def abort(self, status: int) -> None:
        """Ends all ranks."""


class MPIRanks(Ranks):
    """The ranks of an MPI job.

    Args:
        communicator: A ChainerMN communicator.
    """

    def __init__(self, communicator: Any) -> None:
        self.communicator, self._mpi = communicator, communicator.mpi_comm
        self.rank, self.size = communicator.rank, communicator.size
        self.local_rank, self.local_size = communicator.intra_rank, communicator.intra_size
        self.mean = self._mean

    def _mean(self, number: float) -> float:
        return self._mpi.allreduce(number) / self.size

    def gather(self, value: Any) -> list[Any]:
        return self._mpi.allgather(value)

    def broadcast(self, value: Any) -> Any:
        return self._mpi.bcast(value)

    def broadcast_parameters(self, chain: chainer.Link) -> None:
        self.communicator.bcast_data(chain)

    def average_gradients(self, chain: chainer.Link) -> None:
        # Not by create_multi_node_optimizer, which would exchange the gradients of frozen layers too, and
        # whose first update is none.
        self.communicator.multi_node_mean_grad(_Updated(chain), zero_fill=True)

    def average(self, arrays: Sequence[Any]) -> None:
        if not arrays:
            return
        values = np.concatenate([cuda.to_cpu(array).ravel() for array in arrays])
        total = np.empty_like(values)
        self._mpi.Allreduce(values, total)
        parts = np.split(total / np.float32(self.size), np.cumsum([array.size for array in arrays])[:-1])
        for array, part in zip(arrays, parts):
            chainer.backend.copyto(array, part.reshape(array.shape))

    def loop(self, numbers: Iterable[int], compute: Callable[[int], Any]) -> Iterator[tuple[int, Any]]:
        numbers, step = list(numbers), _IMAGES * self.size
        for first in range(0, len(numbers), step):
            part = numbers[first:first + step]
            shares = self.gather([compute(number) for number in part[self.rank::self.size]])
            for place, number in enumerate(part):
                yield number, shares[place % self.size][place // self.size]

    def abort(self, status: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._mpi.Abort(status)
        os._exit(status)  # Some versions of MPI return.


class _Updated:
    """What ChainerMN takes for a link: the parameters that the optimizer updates."""

    def __init__(self, chain: chainer.Link) -> None:
        self._chain = chain

    def namedparams(self) -> Iterator[tuple[str, chainer.Parameter]]:
        for path, parameter in self._chain.namedparams(False):
            if parameter.update_rule is not None and parameter.update_rule.enabled:
                yield path, parameter


@functools.cache
def connect(communicator: str | None) -> Ranks:
    """The ranks of this job.

    Args:
        communicator: ``'naive'``, ``'flat'`` or ``'pure_nccl'`` of ChainerMN; None for a single process.

    Raises:
        chainer_seg.errors.TrainingError: There is no MPI, the communicator does not work here, or
            several processes were started without one.
    """
    size = next((os.environ[name] for name in _SIZES if name in os.environ), '1')
    if communicator is None:
        if size != '1':
            raise TrainingError(f'mpiexec started {size} processes, which would all train the same model; '
                                f'add --communicator naive (CPUs) or pure_nccl (GPUs), or start one process.')
        return Ranks()
    try:
        import mpi4py.MPI  # starts MPI
    except (ImportError, RuntimeError) as error:
        raise TrainingError(
            f'--communicator needs mpi4py and an MPI library ({shortened(str(error))}); install the "mpi" '
            f'extra (pip install .[mpi]) and the MPI of your system, or else MPICH (pip install mpich).'
        ) from error
    import chainermn
    try:
        ranks = MPIRanks(chainermn.create_communicator(communicator))
    except (RuntimeError, ImportError, ValueError, AssertionError) as error:
        raise TrainingError(f'The communicator {communicator} does not work here '
                            f'({shortened(str(error))}); use --communicator naive on CPUs.') from error
    if ranks.size == 1 and size != '1':
        raise TrainingError(f'mpiexec started {size} processes, but each of them finds itself alone: mpiexec '
                            f'and the library that mpi4py uses are of two MPIs; start them by the mpiexec of '
                            f'{shortened(mpi4py.MPI.Get_library_version().splitlines()[0])}.')
    return ranks


def rank_device(name: str | int | None, communicator: str | None, ranks: Ranks) -> chainer.backend.Device:
    """The device of a rank: the CPU for ``'naive'``, otherwise one of the GPUs for each rank of a machine.

    Args:
        name: The device that is asked for, as :func:`chainer_seg.devices.get_device` takes it.
        communicator: As :func:`connect` takes it.
        ranks: The ranks.

    Raises:
        chainer_seg.errors.DeviceError: The device does not exist.
        chainer_seg.errors.TrainingError: The communicator does not work on this device.
    """
    if communicator is None:
        return get_device(name)
    if communicator == 'naive':
        device = get_device('cpu' if name is None else name)
        if device.xp is not np:
            raise TrainingError(f'--communicator naive is for CPUs, and the device is {name}; use '
                                f'--communicator pure_nccl, or --device cpu.')
        return device
    if name is None and gpu_count():
        return get_device(ranks.local_rank % gpu_count())
    device = get_device(name)
    if device.xp is np:
        raise TrainingError(f'--communicator {communicator} is for GPUs, and the device is the CPU; '
                            f'use --communicator naive.')
    if ranks.local_size > 1:
        raise TrainingError(f'--device {name} would be the GPU of all {ranks.local_size} ranks of this '
                            f'machine; omit it, so that each takes a GPU of its own.')
    return device


@contextlib.contextmanager
def ending_together(ranks: Ranks) -> Iterator[None]:
    """A block of work that ends all ranks when it fails in one; others would wait for it forever.

    A rank that fails writes its error and ends the job. A stop that all ranks have agreed on passes.
    """
    try:
        yield
    except BaseException as error:
        if ranks.size == 1 or ranks.stopping:
            raise
        if ranks.rank:
            time.sleep(_PATIENCE)
        status = _report(error, ranks.rank)
        ranks.abort(status)
        raise


def _report(error: BaseException, rank: int) -> int:
    """Writes an error of a rank as a command does; gives the exit status."""
    if isinstance(error, UserError):
        print(f'error: {error}' if rank == 0 else f'error on rank {rank}: {error}', file=sys.stderr)
        return USER_ERROR_STATUS
    if isinstance(error, KeyboardInterrupt):
        return TERMINATED_STATUS if isinstance(error, Terminated) else INTERRUPTED_STATUS
    print(f'Rank {rank} failed and ends the job:\n{"".join(traceback.format_exception(error))}',
          file=sys.stderr)
    return 1

