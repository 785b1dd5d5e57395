"""The part of cupy.random that Chainer and this project use; the numbers are not those of CuPy."""

import numpy

from cupy._array import wrap


class RandomState:
    """A generator of its own."""

    def __init__(self, seed=None, method=100):
        self._state = numpy.random.RandomState(seed)

    def seed(self, seed=None):
        self._state = numpy.random.RandomState(seed)

    def rand(self, *size, **kwarg):
        dtype = kwarg.pop('dtype', float)
        if kwarg:
            raise TypeError(f'rand() got unexpected keyword arguments {kwarg}')
        return wrap(numpy.asarray(self._state.random_sample(size), dtype), 2)

    def uniform(self, low=0.0, high=1.0, size=None, dtype=float):
        return wrap(numpy.asarray(self._state.uniform(low, high, size), dtype))

    def normal(self, loc=0.0, scale=1.0, size=None, dtype=float):
        return wrap(numpy.asarray(self._state.normal(loc, scale, size), dtype))

    def permutation(self, a):
        return wrap(self._state.permutation(a))


_current = RandomState(0)


def get_random_state():
    return _current


def set_random_state(rs):
    global _current
    if not isinstance(rs, RandomState):
        raise TypeError('Random state must be an instance of RandomState.')
    _current = rs


def seed(seed=None):
    _current.seed(seed)


def rand(*size, **kwarg):
    return _current.rand(*size, **kwarg)


def uniform(low=0.0, high=1.0, size=None, dtype=float):
    return _current.uniform(low, high, size, dtype)


def normal(loc=0.0, scale=1.0, size=None, dtype=float):
    return _current.normal(loc, scale, size, dtype)
