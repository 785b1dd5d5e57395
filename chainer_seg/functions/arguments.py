"""The sizes and arrays that the functions of this package accept."""

from collections.abc import Sequence
from typing import Any

import chainer

from chainer_seg.arrays import Array, ArrayOrVariable


def as_pair(value: int | Sequence[int]) -> tuple[int, int]:
    """(vertical, horizontal) from one number for both or from a pair."""
    if isinstance(value, Sequence):
        vertical, horizontal = value
        return vertical, horizontal
    return value, value


def as_array(values: ArrayOrVariable) -> Array:
    """The array of a Variable, or the array itself."""
    array: Any = values.array if isinstance(values, chainer.Variable) else values
    return array
