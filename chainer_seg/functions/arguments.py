"""What the functions here accept for a size and for an array."""

import chainer


def as_pair(value):
    """(vertical, horizontal) of one number for both or of a pair."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def as_array(values):
    """The array of a Variable, or the array itself."""
    return values.array if isinstance(values, chainer.Variable) else values
