"""Where a model runs: the CPU or one of the machine's GPUs."""

import functools
import importlib.util
import logging
import os

import chainer
from chainer.backends import cuda

from chainer_seg.errors import DeviceError, shortened

log = logging.getLogger(__name__)

# What CuPy raises where there is no driver, no GPU, or none of CUDA's libraries: CUDARuntimeError and
# pathfinder's DynamicLibNotFoundError are RuntimeErrors.
_UNUSABLE = (RuntimeError, ImportError, OSError)


def gpu_count() -> int:
    """The number of GPUs that CuPy can use here; 0 where it is missing or finds none."""
    return _usable_gpus()[0]


def get_device(name: str | int | chainer.backend.Device | None = None) -> chainer.backend.Device:
    """The Chainer device that ``name`` stands for.

    Args:
        name: ``'cpu'``, the number of a GPU (``0`` or ``'0'``), or None for the first GPU where
            there is one and the CPU elsewhere. Where CuPy is installed and yet no GPU can be used,
            a warning says once why.

    Raises:
        chainer_seg.errors.DeviceError: That GPU does not exist, CuPy is missing or unusable, or the
            name means nothing.
    """
    if isinstance(name, chainer.backend.Device):
        return name
    if name is None:
        name = '0' if gpu_count() else 'cpu'
        _warn_of_the_cpu(_usable_gpus()[1])
    text = str(name).lower()
    if text == 'cpu':
        return chainer.get_device('@numpy')
    if not text.isdecimal():
        raise DeviceError(f'The device {name!r} is unknown; give "cpu" or the number of a GPU.')
    _check_gpu(int(text))
    return chainer.get_device(f'@cupy:{int(text)}')


def _usable_gpus() -> tuple[int, str | None]:
    """The number of GPUs, and where there is none although CuPy is installed, why and what helps."""
    if importlib.util.find_spec('cupy') is None:
        return 0, None
    if not cuda.available:
        return 0, _why(cuda._resolution_error, 'install CuPy with its libraries by the "cuda12" or '
                                               '"cuda13" extra (pip install .[cuda12])')
    try:
        count = cuda.cupy.cuda.runtime.getDeviceCount()
    except _UNUSABLE as error:
        return 0, _why(error, _check_driver())
    return count, None if count else _why('CUDA finds no GPU', _check_driver())


def _why(reason: object, remedy: str) -> str:
    return f'{shortened(str(reason).strip()).rstrip(".")}; {remedy}'


def _check_driver() -> str:
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is None:
        return 'check the NVIDIA driver with nvidia-smi'
    return f'CUDA_VISIBLE_DEVICES is {visible!r}, change it or check the NVIDIA driver with nvidia-smi'


@functools.cache
def _warn_of_the_cpu(why: str | None) -> None:
    if why is not None:
        log.warning('Running on the CPU, for CuPy is installed but cannot use a GPU: %s.', why)


def _check_gpu(number: int) -> None:
    count, why = _usable_gpus()
    if number < count:
        return
    asked = f'GPU {number} was asked for, but'
    if count:
        only = 'GPU 0 is the only one' if count == 1 else f'the GPUs here are 0 to {count - 1}'
        raise DeviceError(f'{asked} {only}; give one of them or use --device cpu.')
    if why is None:
        raise DeviceError(f'{asked} CuPy is not installed; install the "cuda12" or "cuda13" extra '
                          f'(pip install .[cuda12]) or use --device cpu.')
    raise DeviceError(f'{asked} CuPy cannot use one: {why}, or use --device cpu.')
