"""The array types of type hints."""

from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

if TYPE_CHECKING:
    import chainer

# An array of NumPy or CuPy. CuPy need not be installed, and its arrays have the interface of NumPy's, so
# type checkers see both as NumPy's. An array that is always on the CPU is an ``npt.NDArray`` of its dtype.
Array: TypeAlias = np.ndarray

# What differentiable functions accept.
ArrayOrVariable: TypeAlias = Union[Array, 'chainer.Variable']
