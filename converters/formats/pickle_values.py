"""Values in pickles beside plain ones: names, ordered dicts, and objects whose state follows later."""

import collections
from collections.abc import Callable, Iterable
from typing import Any


class UnreadError(Exception):
    """A pickle contains something valid but unsupported, such as arrays of text."""


class Name:
    """Something that a pickle may refer to but not call, such as a storage class."""

    def __init__(self, name: str, value: object = None) -> None:
        self.name, self.value = name, value

    def __repr__(self) -> str:
        return f'<{self.name}>'


class Unfinished:
    """An object whose state follows later in the pickle.

    Args:
        finish: Function of the state that returns the value.
    """

    def __init__(self, finish: Callable[[Any], object]) -> None:
        self.finish = finish
        self.finished = False
        self.value: object = None


# The stand-in for a name in a pickle.
Admitted = Callable[..., Any] | Name


def ordered_dict(items: Iterable[tuple[object, object]] = ()) -> collections.OrderedDict:
    """The stand-in for ``collections.OrderedDict``."""
    result = collections.OrderedDict()
    for key, value in items:
        result[plain_key(key)] = value
    return result


def plain_key(key: object) -> str | float | None:
    """A key of a dict, which must be text or a number.

    Hashing nested tuples or huge numbers could take forever.
    """
    if not isinstance(key, (str, float, type(None))) and not (
            isinstance(key, int) and key.bit_length() < 64):
        raise TypeError(f'a key of a dict is a {type(key).__name__}')
    return key
