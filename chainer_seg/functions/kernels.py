"""Launching the CUDA kernels of this package: one thread for each element, in the type of the arrays."""

import dataclasses
import functools
import re

import numpy as np
from chainer.backends import cuda

_THREADS = 256

_TYPES = {'bool': np.bool_, 'int': np.int32, 'long long': np.int64, 'unsigned long long': np.uint64,
          'float': np.float32, 'double': np.float64}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What a kernel declares of one parameter.

    Attributes:
        name: Its name.
        kind: C's name of the type of the number or of the elements, ``real`` included.
        is_array: Whether it is a pointer.
        is_written: Whether the kernel may write through that pointer: it is not ``const``.
    """

    name: str
    kind: str
    is_array: bool
    is_written: bool


def source_for(dtype: np.dtype, source: str) -> str:
    """The CUDA source with ``real`` standing for float, or for double where ``dtype`` is float64."""
    name = 'double' if np.dtype(dtype) == np.float64 else 'float'
    return f'typedef {name} real;\n{source}'


def working_type(dtype: np.dtype) -> np.dtype:
    """The type that a kernel computes in: half precision is widened."""
    return np.result_type(dtype, np.float32)


def launch(source, name, count, dtype, *arguments):
    """Runs a kernel with one thread for each of ``count`` elements, the first of its arguments.

    A kernel counts elements row by row, so arrays that it reads are first made contiguous. One that
    it writes has to be: it would write into a copy.

    Args:
        source: CUDA source, ``real`` being its type of numbers.
        name: Name of the ``__global__`` function.
        count: Number of threads needed.
        dtype: float32 or float64, what ``real`` stands for.
        arguments: CuPy arrays of the types that the kernel declares, int, float or bool.

    Raises:
        TypeError: An array has another type than the kernel declares.
        ValueError: An array that the kernel writes is not contiguous.
    """
    parameters = kernel_parameters(source, name)
    passed = tuple(_as_argument(argument, parameter, dtype)
                   for argument, parameter in zip(arguments, parameters, strict=True))
    if count == 0:
        return
    kernel = cuda.raw(source_for(dtype, source), name)
    kernel((-(-count // _THREADS),), (_THREADS,), (np.int64(count),) + passed)


@functools.cache
def kernel_parameters(source, name):
    """The :class:`Parameter` of each argument of a ``__global__`` function behind its count."""
    declared = re.search(rf'void\s+{name}\s*\(([^)]*)\)', source).group(1)
    parameters = []
    for text in declared.split(',')[1:]:
        kind, parameter = text.replace('*', ' * ').rsplit(None, 1)
        is_array, is_const = '*' in kind, 'const' in kind.split()
        kind = ' '.join(word for word in kind.split() if word not in ('const', '*'))
        parameters.append(Parameter(parameter, kind, is_array, is_array and not is_const))
    return tuple(parameters)


def _as_argument(argument, parameter, dtype):
    wanted = np.dtype(dtype if parameter.kind == 'real' else _TYPES[parameter.kind])
    if not parameter.is_array:
        return wanted.type(argument)
    if argument.dtype != wanted:
        raise TypeError(f'the kernel declares {parameter.name} as {wanted}, got {argument.dtype}')
    if parameter.is_written and not argument.flags.c_contiguous:
        raise ValueError(f'the kernel writes {parameter.name}, which must be contiguous; '
                         f'its shape is {argument.shape}, its strides are {argument.strides}')
    return cuda.cupy.ascontiguousarray(argument)
