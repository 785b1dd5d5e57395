"""The arrays in a tree of dicts, lists and tuples, as returned by the readers of formats."""

import collections.abc
from collections.abc import Iterable
from typing import Any

import numpy as np

_LISTED = 3  # Maximum number of names in a description.


def named_arrays(tree: object) -> dict[str, np.ndarray]:
    """All arrays of a tree by name, such as ``state_dict.fc.weight``, in the order of the tree.

    An array in several places has the name of the first; trees that contain themselves are allowed.
    """
    found: dict[str, np.ndarray] = {}
    seen, waiting = set(), [('', tree)]
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, np.ndarray):
            found.setdefault(name, node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.extend((f'{name}.{key}' if name else str(key), value)
                           for key, value in reversed(_parts(node)))
    return found


def without(tree: Any, arrays: Iterable[object]) -> Any:
    """A tree of dicts, lists and tuples without some of its arrays; everything else is kept."""
    gone = {id(array) for array in arrays}
    copies: dict[int, dict | list] = {}
    waiting: list[tuple[object, dict | list]] = []

    def copy(node: Any) -> Any:
        if not isinstance(node, (dict, list, tuple)) or id(node) in copies:
            return copies.get(id(node), node)
        result: dict | list = {} if isinstance(node, dict) else []
        copies[id(node)] = result
        waiting.append((node, result))
        return result

    whole = copy(tree)
    while waiting:
        node, result = waiting.pop()
        for key, value in _parts(node):
            if id(value) in gone:
                continue
            if isinstance(result, dict):
                result[key] = copy(value)
            else:
                result.append(copy(value))
    return whole


def describe(tree: object) -> str:
    """A short description of a tree, for messages."""
    arrays = named_arrays(tree)
    if not arrays:
        return 'no arrays'
    names = ', '.join(list(arrays)[:_LISTED]) + (', ...' if len(arrays) > _LISTED else '')
    return f'{len(arrays)} array{"s" * (len(arrays) > 1)} ({names})'


def _parts(node: object) -> list[tuple[Any, Any]]:
    if isinstance(node, collections.abc.Mapping):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, (list, tuple)) else []
