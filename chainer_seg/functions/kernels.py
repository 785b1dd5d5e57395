"""Launching the CUDA kernels of this package: one thread for each element, in the type of the arrays."""

import numpy as np
from chainer.backends import cuda

_THREADS = 256


def source_for(dtype, source):
    """The CUDA source with ``real`` standing for float, or for double where ``dtype`` is float64."""
    name = 'double' if np.dtype(dtype) == np.float64 else 'float'
    return f'typedef {name} real;\n{source}'


def working_type(dtype):
    """The type that a kernel computes in: half precision is widened."""
    return np.result_type(dtype, np.float32)


def launch(source, name, count, dtype, *arguments):
    """Runs a kernel with one thread for each of ``count`` elements, the first of its arguments.

    Args:
        source: CUDA source, ``real`` being its type of numbers.
        name: Name of the ``__global__`` function.
        count: Number of threads needed.
        dtype: float32 or float64, that of the arrays.
        arguments: CuPy arrays, int, float or bool; floats are passed as double.
    """
    if count == 0:
        return
    kernel = cuda.raw(source_for(dtype, source), name)
    passed = tuple(_as_scalar(argument) for argument in arguments)
    kernel((-(-count // _THREADS),), (_THREADS,), (np.int64(count),) + passed)


def _as_scalar(argument):
    if isinstance(argument, (bool, int, np.integer)):
        return np.int32(argument)
    if isinstance(argument, (float, np.floating)):
        return np.float64(argument)
    return cuda.cupy.ascontiguousarray(argument)
