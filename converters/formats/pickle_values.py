"""What a pickle may hold beside plain values: names, dicts in order, and what is described later."""

import collections
from collections.abc import Callable, Iterable
from typing import Any


class UnreadError(Exception):
    """A pickle holds what is valid but is not read, such as arrays of text."""


class Name:
    """Something that a pickle may refer to but that is not called, such as a class of storages."""

    def __init__(self, name: str, value: object = None) -> None:
        self.name, self.value = name, value

    def __repr__(self):
        return f'<{self.name}>'


class Unfinished:
    """What a pickle has asked for and not yet described: its state follows later.

    Args:
        finish: Function of the state that returns the finished value.
    """

    def __init__(self, finish: Callable[[Any], object]) -> None:
        self.finish = finish
        self.finished, self.value = False, None


# What may stand for a name in a pickle.
Admitted = Callable[..., Any] | Name


def ordered_dict(items: Iterable[tuple[object, object]] = ()) -> collections.OrderedDict:
    """What stands for ``collections.OrderedDict``."""
    result = collections.OrderedDict()
    for key, value in items:
        result[plain_key(key)] = value
    return result


def plain_key(key: object) -> str | float | None:
    """A key of a dict, which must be text or a number.

    Nested tuples and huge numbers can be made to take forever as keys.
    """
    if not isinstance(key, (str, float, type(None))) and not (
            isinstance(key, int) and key.bit_length() < 64):
        raise TypeError(f'a key of a dict is a {type(key).__name__}')
    return key
