"""Launches the CUDA kernels of this package: one thread per element, in the dtype of the arrays."""

import dataclasses
import functools
import re
from typing import Any

import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg.arrays import Array

_THREADS = 256

_TYPES = {'bool': np.bool_, 'int': np.int32, 'long long': np.int64, 'unsigned long long': np.uint64,
          'float': np.float32, 'double': np.float64}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """The declaration of one parameter of a kernel.

    Attributes:
        name: Its name.
        kind: The C type of the number or of the elements, ``real`` included.
        is_array: Whether it is a pointer.
        is_written: Whether it is a pointer to elements that are not ``const``.
    """

    name: str
    kind: str
    is_array: bool
    is_written: bool


def source_for(dtype: npt.DTypeLike, source: str) -> str:
    """The CUDA source with ``real`` defined as float, or as double where ``dtype`` is float64."""
    name = 'double' if np.dtype(dtype) == np.float64 else 'float'
    return f'typedef {name} real;\n{source}'


def working_type(dtype: npt.DTypeLike) -> np.dtype:
    """The dtype that a kernel computes in: at least float32."""
    return np.result_type(np.dtype(dtype), np.float32)


def launch(source: str, name: str, count: int, dtype: npt.DTypeLike, *arguments: Array | float) -> None:
    """Runs a kernel with one thread for each of ``count`` elements; ``count`` is its first argument.

    Kernels index elements in C order, so input arrays that are not contiguous are copied. An output
    array has to be contiguous, because results in a copy of it would be lost.

    Args:
        source: CUDA source that uses ``real`` for the type of its numbers.
        name: Name of the ``__global__`` function.
        count: Number of threads needed.
        dtype: float32 or float64, the meaning of ``real``.
        arguments: CuPy arrays of the declared types, and numbers (int, float or bool).

    Raises:
        TypeError: The dtype of an array is not the declared one.
        ValueError: An output array is not contiguous.
    """
    parameters = kernel_parameters(source, name)
    passed = tuple(_as_argument(argument, parameter, dtype)
                   for argument, parameter in zip(arguments, parameters, strict=True))
    if count == 0:
        return
    kernel = cuda.raw(source_for(dtype, source), name)
    kernel((-(-count // _THREADS),), (_THREADS,), (np.int64(count),) + passed)


@functools.cache
def kernel_parameters(source: str, name: str) -> tuple[Parameter, ...]:
    """The parameters of a ``__global__`` function after its count.

    Raises:
        ValueError: The source has no function of that name.
    """
    declared = re.search(rf'void\s+{name}\s*\(([^)]*)\)', source)
    if declared is None:
        raise ValueError(f'the source has no kernel {name}')
    parameters = []
    for text in declared.group(1).split(',')[1:]:
        kind, parameter = text.replace('*', ' * ').rsplit(None, 1)
        is_array, is_const = '*' in kind, 'const' in kind.split()
        kind = ' '.join(word for word in kind.split() if word not in ('const', '*'))
        parameters.append(Parameter(parameter, kind, is_array, is_array and not is_const))
    return tuple(parameters)


def _as_argument(argument: Any, parameter: Parameter, dtype: npt.DTypeLike) -> Any:
    wanted = np.dtype(dtype if parameter.kind == 'real' else _TYPES[parameter.kind])
    if not parameter.is_array:
        return wanted.type(argument)
    if argument.dtype != wanted:
        raise TypeError(f'the kernel declares {parameter.name} as {wanted}, got {argument.dtype}')
    if parameter.is_written and not argument.flags.c_contiguous:
        raise ValueError(f'the output array {parameter.name} must be contiguous, '
                         f'got shape {argument.shape} and strides {argument.strides}')
    return cuda.cupy.ascontiguousarray(argument)
