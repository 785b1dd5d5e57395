"""Where a model runs: the CPU or one of the machine's GPUs."""

import chainer
from chainer.backends import cuda

from chainer_seg.errors import DeviceError


def gpu_count():
    """The number of GPUs that CuPy can use here; 0 without CuPy or without a driver."""
    if not cuda.available:
        return 0
    return cuda.cupy.cuda.runtime.getDeviceCount()


def get_device(name=None):
    """The Chainer device that ``name`` stands for.

    Args:
        name: ``'cpu'``, the number of a GPU (``0`` or ``'0'``), or None for the first GPU where
            there is one and the CPU elsewhere.

    Raises:
        chainer_seg.errors.DeviceError: That GPU does not exist, CuPy is missing, or the name
            means nothing.
    """
    if isinstance(name, chainer.backend.Device):
        return name
    if name is None:
        name = '0' if gpu_count() else 'cpu'
    text = str(name).lower()
    if text == 'cpu':
        return chainer.get_device('@numpy')
    if not text.isdigit():
        raise DeviceError(f'The device {name!r} is unknown; give "cpu" or the number of a GPU.')
    _check_gpu(int(text))
    return chainer.get_device(f'@cupy:{text}')


def _check_gpu(number):
    try:
        import cupy  # noqa: F401
    except ImportError as error:
        raise DeviceError(f'GPU {number} was asked for, but CuPy is not installed; install the '
                          f'"cuda12" extra (pip install .[cuda12]) or use --device cpu.') from error
    count = gpu_count()
    if number >= count:
        found = 'no GPU was found' if count == 0 else f'the GPUs here are 0 to {count - 1}'
        raise DeviceError(f'GPU {number} was asked for, but {found}; use --device cpu '
                          f'or check the NVIDIA driver with nvidia-smi.')
