"""The part of cupyx that Chainer uses."""

import numpy
from cupy import _log
from cupy._array import scatter, strict, wrap


def rsqrt(x, dtype=None):
    x = strict(x)
    return wrap((1 / numpy.sqrt(x, dtype=dtype)).astype(dtype or x.dtype))


def scatter_add(a, slices, value):
    _log.note('deprecated')
    scatter(numpy.add, a, slices, value)
