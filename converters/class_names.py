"""The class names of a converted network: given by the user, or those of the published data set."""

import pathlib
from collections.abc import Sequence
from typing import Any

from chainer_seg.class_names import listed
from chainer_seg.errors import quoted
from chainer_seg.files import read_text
from converters.weight_mapping import WeightMapping


def class_names(given: object, count: int, mapping: WeightMapping, known: Sequence[str] = (), whose: str = '',
                background: str | None = None) -> tuple[str, ...]:
    """The names of ``count`` classes.

    Args:
        given: A list of names, the path of a text file with one name per line, or None.
        count: The number of the network's classes.
        mapping: The mapping of the file, for errors and assumptions.
        known: The names that are assumed if none are given and their number matches.
        whose: The owner of ``known``, for the log, such as ``"COCO's"``.
        background: The name of the first class if it is a background; it may be omitted from ``given``.

    Raises:
        chainer_seg.errors.WeightFileError: The number of names is wrong, or a name occurs twice.
    """
    if given is None:
        if len(known) != count:
            return ()
        mapping.assume(f'{whose} class names, because the number of classes is {count}; override with '
                       f'class_names')
        return tuple(known)
    names = _names(given, mapping)
    if background is not None and len(names) == count - 1 and background not in names:
        names = [background, *names]
    if len(names) != count:
        mapping.fail(f'its configuration has {len(names)} class names, expected {count}: '
                     f'{listed(names)}')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        mapping.fail(f'its configuration has the class name {quoted(twice[0])} twice')
    return tuple(names)


def _names(given: Any, mapping: WeightMapping) -> list[str]:
    if isinstance(given, (str, pathlib.Path)):
        if not pathlib.Path(given).is_file():
            mapping.fail(f'class_names is {quoted(str(given))}, expected a list of names or the path of '
                         f'a text file with one name per line')
        return [line.strip() for line in read_text(given).splitlines() if line.strip()]
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        mapping.fail(f'class_names is {quoted(given)}, expected a list of names')
    return list(given)
