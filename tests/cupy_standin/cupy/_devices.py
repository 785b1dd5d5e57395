"""Several devices: one is current, memory belongs to the one that was current when it was taken."""

import os
import threading
import weakref

import numpy

from cupy import _log

COUNT = int(os.environ.get('STANDIN_DEVICES', '2'))

_current = threading.local()
_owners = {}  # id of the NumPy array that owns some memory -> number of its device


def current():
    """The number of the current device of this thread."""
    return getattr(_current, 'number', 0)


class Device:
    """As cupy.cuda.Device: a context manager that makes a device the current one."""

    compute_capability = '90'
    mem_info = (70 << 30, 80 << 30)

    def __init__(self, device=None):
        self.id = current() if device is None else int(getattr(device, 'id', device))
        self._before = []

    def use(self):
        if not 0 <= self.id < COUNT:
            raise RuntimeError('cudaErrorInvalidDevice: invalid device ordinal')
        _current.number = self.id

    def __enter__(self):
        self._before.append(current())
        self.use()
        return self

    def __exit__(self, *_):
        _current.number = self._before.pop()

    def __int__(self):
        return self.id

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return f'<CUDA Device {self.id}>'

    def synchronize(self):
        _log.note('sync')


def _owner(array):
    while isinstance(array.base, numpy.ndarray):
        array = array.base
    return array


def place(array):
    """The number of the device of a NumPy array, which goes to the current one if it is new."""
    owner = _owner(array)
    if id(owner) not in _owners:
        _owners[id(owner)] = current()
        weakref.finalize(owner, _owners.pop, id(owner), None)
        _log.allocations[current()] += 1
    return _owners[id(owner)]


def check(number):
    """Refuses memory of another device than the current one, as CuPy does without peer access."""
    if number != current():
        raise ValueError('Array device must be same as the current device: '
                         f'array device = {number} while current = {current()}')
