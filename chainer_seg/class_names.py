"""Matches classes of two lists by their names."""

import collections
import logging
import typing
from collections.abc import Callable, Sequence

from chainer_seg.errors import quoted

if typing.TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

_LISTED = 6  # Longer lists of names are abbreviated in messages.


def match_names(given: typing.Sequence[str], wanted: typing.Sequence[str],
                synonyms: typing.Mapping[str, str] | None = None) -> 'np.ndarray':
    """Finds each class of one list in another.

    An exact name takes precedence over one that differs in case or surrounding spaces, and that over a
    synonym. The latter two count only if they are unambiguous in both lists, and are logged.

    Args:
        given: Names by label.
        wanted: Names by label of the other list.
        synonyms: Other words for names, both in lower case.

    Returns:
        (len(given),) int, the label in ``wanted`` of each of ``given``; -1 for names that are not found.
    """
    labels = _match(given, wanted, synonyms or {})
    other = [f'{given[label]} is {wanted[place]}' for label, place in enumerate(labels)
             if place >= 0 and given[label] != wanted[place]]
    if other:
        log.info('classes matched in spite of different spellings: %s', listed(other))
    return labels


def find_names(given: typing.Sequence[str], wanted: typing.Sequence[str]) -> list[int]:
    """As :func:`match_names`, but each name is matched separately and nothing is logged."""
    return [int(_match([name], wanted, {})[0]) for name in given]


def match_by_position(count: int, wanted: typing.Sequence[str]) -> 'np.ndarray':
    """As :func:`match_names` for ``count`` classes without names, which is logged; all -1 if the
    numbers of classes differ."""
    import numpy as np
    if count != len(wanted):
        return np.full(count, -1)
    log.warning('One side has no class names: the %d classes are matched by position.', count)
    return np.arange(count)


def first_difference(before: typing.Sequence[object], now: typing.Sequence[object]) -> str | None:
    """The first difference of two lists of classes, such as 'class 0 was cat and is dog'; or None."""
    for label, (old, new) in enumerate(zip(before, now)):
        if old != new:
            return f'class {label} was {quoted(old)} and is {quoted(new)}'
    if len(before) != len(now):
        return f'there were {len(before)} classes and are {len(now)}'
    return None


def listed(names: typing.Iterable[str]) -> str:
    """Names joined by commas; only the first few of many."""
    names = [str(name) for name in names]
    more = len(names) - _LISTED
    text = ', '.join(names[:_LISTED])
    return f'{text} and {more} more' if more > 0 else text or 'nothing'


def _match(given: Sequence[str], wanted: Sequence[str], synonyms: typing.Mapping[str, str]) -> 'np.ndarray':
    import numpy as np
    given, wanted = [str(name) for name in given], [str(name) for name in wanted]
    if given == wanted:
        return np.arange(len(given))
    labels = np.full(len(given), -1)
    for key in (str, _folded, lambda name: synonyms.get(_folded(name), _folded(name))):
        places, seen = _places(wanted, key), _places(given, key)
        for label, name in enumerate(given):
            found = places.get(key(name), ())
            if labels[label] < 0 and len(found) == len(seen[key(name)]) == 1 and found[0] not in labels:
                labels[label] = found[0]
    return labels


def _places(names: Sequence[str], key: Callable[[str], str]) -> dict[str, list[int]]:
    places = collections.defaultdict(list)
    for label, name in enumerate(names):
        places[key(name)].append(label)
    return places


def _folded(name: str) -> str:
    return name.strip().casefold()
