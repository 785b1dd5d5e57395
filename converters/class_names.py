"""The names of the classes of a converted network: given, or those of the published one."""

import pathlib
from collections.abc import Sequence

from chainer_seg.class_names import listed
from chainer_seg.errors import quoted
from chainer_seg.files import read_text
from converters.weight_mapping import WeightMapping


def class_names(given: object, count: int, mapping: WeightMapping, known: Sequence[str] = (), whose: str = '',
                background: str | None = None) -> tuple[str, ...]:
    """The names of ``count`` classes.

    Args:
        given: A list of names, the path of a text file with one in each line, or None.
        count: The number of the network's classes.
        mapping: That of the file, for errors and for what is assumed.
        known: The names that are assumed where none are given and these are as many, and ``whose``
            these are.
        background: The name of the first class where that is a background, which need not be given.

    Raises:
        chainer_seg.errors.WeightFileError: The names are not as many, or one of them is there twice.
    """
    if given is None:
        if len(known) != count:
            return ()
        mapping.assume(f'{whose} class names, for it has {count}; class_names says others')
        return tuple(known)
    names = _names(given, mapping)
    if background is not None and len(names) == count - 1 and background not in names:
        names = [background, *names]
    if len(names) != count:
        mapping.fail(f'its configuration has {len(names)} class names where {count} are needed: '
                     f'{listed(names)}')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        mapping.fail(f'its configuration has the class name {quoted(twice[0])} twice')
    return tuple(names)


def _names(given, mapping):
    if isinstance(given, (str, pathlib.Path)):
        if not pathlib.Path(given).is_file():
            mapping.fail(f'class_names is {quoted(str(given))}, which is neither a list of names nor a '
                         f'text file with one in each line')
        return [line.strip() for line in read_text(given).splitlines() if line.strip()]
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        mapping.fail(f'class_names is {quoted(given)}, which is no list of names')
    return list(given)
