"""Where and how a training runs: what is not part of its recipe."""

import dataclasses
import pathlib
import typing
from typing import Annotated, Any, Literal, Self

from tyro.conf import FlagCreatePairsOff, Suppress

from chainer_seg.errors import TrainingError, quoted
from chainer_seg.recipes.options import Count, Resume, option

if typing.TYPE_CHECKING:
    from chainer_seg.training.multi_node import Ranks


@dataclasses.dataclass(frozen=True)
class Run:
    """The run.

    Attributes:
        out: Folder for everything that is written.
        seed: Seed of all randomness.
        device: "cpu" (or -1), or the number of a GPU; the first GPU if there is one.
        workers: Processes that load data; chosen by the number of cores if not given.
        resume: Resume from SNAPSHOT, or from the latest one in --out.
        overwrite: Replace a run in --out.
        log_every: Updates between lines of the log.
        sample_images: Validation images that TensorBoard shows after each validation, with what the model
            finds below the truth.
        communicator: How the processes that mpiexec has started exchange gradients: naive between CPUs;
            pure_nccl between GPUs, by NCCL, or flat, by an MPI that knows CUDA.
        lr_scaling: What multiplies the learning rate with several ranks: "linear", their number; "sqrt", its
            square root.
        sync_batch_norm: Let batch normalisation see the batches of all ranks.
        progress: How progress is shown; 'auto' chooses by where the output goes.
        command: The command line that started the run, for the model file.
    """

    out: Annotated[pathlib.Path, option('--rundir', '--weights-folder', '-o', metavar='DIR')
                   ] = pathlib.Path('out')
    seed: Annotated[int, option('-s')] = 0
    device: Annotated[str | None, option('--gpu', '-g', metavar='D')] = None
    workers: Annotated[int | None, option('--nthreads', metavar='N')] = None
    resume: Annotated[Resume, option('--reload')] = None
    overwrite: FlagCreatePairsOff[bool] = False
    log_every: Annotated[int, option('--print-interval', metavar='N')] = 20
    sample_images: Annotated[Count, option('--save-num-images', metavar='N')] = 2
    communicator: Literal['naive', 'pure_nccl', 'flat'] | None = None
    lr_scaling: Literal['none', 'linear', 'sqrt'] = 'none'
    sync_batch_norm: FlagCreatePairsOff[bool] = False
    progress: Suppress[str] = 'auto'
    command: Suppress[str | None] = None

    def __post_init__(self) -> None:
        if self.resume is not None:
            from chainer_seg.training.snapshots import check_resume
            check_resume(self.resume)

    def replace(self, **options: Any) -> Self:
        """The same run with other values of fields.

        Raises:
            chainer_seg.errors.TrainingError: A field does not exist.
        """
        known = [field.name for field in dataclasses.fields(self)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise TrainingError(f'A run has no option {quoted(unknown[0])}; it has {", ".join(known)}.')
        return dataclasses.replace(self, **options)

    def settings(self) -> dict[str, object]:
        """The fields as attributes of :class:`chainer_seg.training.Settings`."""
        names = ('out', 'seed', 'workers', 'resume', 'overwrite', 'log_every', 'progress',
                 'communicator', 'lr_scaling', 'sync_batch_norm')
        return {**{name: vars(self)[name] for name in names}, 'device': self.device_name}

    @property
    def ranks(self) -> 'Ranks':
        """The processes that train.

        Raises:
            chainer_seg.errors.TrainingError: See :func:`chainer_seg.training.multi_node.connect`.
        """
        from chainer_seg.training.multi_node import connect
        return connect(self.communicator)

    @property
    def device_name(self) -> str | None:
        """The device as :func:`chainer_seg.devices.get_device` takes it."""
        return 'cpu' if self.device == '-1' else self.device
