"""The part of cupy.cuda that Chainer and this project use."""

import types

from cupy import _devices, _log
from cupy._array import MemoryPointer  # noqa: F401
from cupy._devices import Device  # noqa: F401


class CUDARuntimeError(RuntimeError):
    """What CUDA's runtime refused."""


def _get_device_count():
    if not _devices.COUNT:
        raise CUDARuntimeError('cudaErrorNoDevice: no CUDA-capable device is detected')
    return _devices.COUNT


runtime = types.SimpleNamespace(
    getDeviceCount=_get_device_count, getDevice=_devices.current,
    setDevice=lambda number: Device(number).use(), runtimeGetVersion=lambda: 12090,
    driverGetVersion=lambda: 12090, CUDARuntimeError=CUDARuntimeError)
cublas = types.SimpleNamespace()


class Stream:
    """A stream whose work is done as soon as it is given."""

    def __init__(self, null=False, non_blocking=False, ptds=False):
        self.ptr = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def synchronize(self):
        _log.note('sync')

    def use(self):
        return self


Stream.null = Stream()


class Event:
    """A mark in a stream."""

    def record(self, stream=None):
        pass

    def synchronize(self):
        _log.note('sync')


class MemoryPool:
    """A pool that keeps nothing."""

    def malloc(self, size):
        raise NotImplementedError

    def used_bytes(self):
        return 0

    def total_bytes(self):
        return 0

    def free_all_blocks(self, stream=None):
        pass


class PinnedMemoryPool(MemoryPool):
    """The same for the host."""


def get_device_id():
    return _devices.current()


def get_current_stream():
    return Stream.null


def set_allocator(allocator=None):
    pass


def set_pinned_memory_allocator(allocator=None):
    pass


def is_available():
    return _devices.COUNT > 0
