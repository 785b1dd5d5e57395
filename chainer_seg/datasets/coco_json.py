"""Reads a COCO annotation file, or reports in one sentence why it is not one."""

import contextlib
import dataclasses
import gc
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from chainer_seg.errors import DatasetError
from chainer_seg.files import read_json
from chainer_seg.schema import whole_number

LARGEST_NUMBER = 1e30  # far below the limit of float32, so that sums and areas stay finite, too
_EXACT = 2**53  # Larger whole numbers are not exact as floats.
_LARGEST_ID = 2**63 - 1

Entry = dict[str, Any]  # an image, a category or an annotation of a file
Fault = tuple[str, str, bool]  # kind, sentence and fatal, as in Problem


@dataclasses.dataclass(frozen=True)
class Problem:
    """One problem of a file.

    Attributes:
        kind: The kind of problem: 'duplicate id', 'missing file', ...
        where: The entry: 'image 12', 'annotation 7', 'category 3'.
        sentence: What is wrong with it.
        fatal: Whether :class:`chainer_seg.datasets.CocoDataset` raises an error when it opens the file
            or reads the entry; otherwise it does what the sentence says.
    """

    kind: str
    where: str
    sentence: str
    fatal: bool = False

    def __str__(self) -> str:
        return f'{self.where}: {self.sentence}'


def read_coco_json(path: str | os.PathLike) -> dict[str, list[Entry]]:
    """The content of a COCO annotation file, with its entries as written.

    Args:
        path: The JSON file.

    Returns:
        The lists 'images', 'annotations' and 'categories'. A file without annotations (a test set) has
        an empty list of them. If categories are missing, there is one for each category id of the
        annotations, with the id as name.

    Raises:
        chainer_seg.errors.DatasetError: If the file is missing, not JSON, or not COCO.
    """
    with collector_paused():
        return _with_lists(path, read_json(path, 'annotation file', DatasetError))


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """A context without Python's garbage collector, which would traverse millions of new lists repeatedly."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number that is finite in float32, the dtype of boxes."""
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and abs(value) < LARGEST_NUMBER)


def is_id(value: Any) -> bool:
    """Whether a JSON value can be the id of an image, an annotation or a category."""
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def as_id(value: Any) -> int | str | None:
    """A JSON value as an id: 3.0 is 3, text stays text; None for values that cannot be ids."""
    if isinstance(value, str):
        return value
    number = whole_number(value)
    if number is None or abs(number) > (_EXACT if isinstance(value, float) else _LARGEST_ID):
        return None
    return number


def as_number(value: Any) -> int | None:
    """The whole number of an id or a size, also from text ("3", "3.0"); None if it is not one."""
    if isinstance(value, str):
        match = re.fullmatch(r'\s*([+-]?[0-9]{1,18})(\.0+)?\s*', value)
        return int(match[1]) if match else None
    found = as_id(value)
    return found if isinstance(found, int) else None


class Ids:
    """The ids of a list of entries, which are also found by text for a number and vice versa.

    Args:
        ids: As returned by :func:`as_id`.
    """

    def __init__(self, ids: Iterable[int | str]) -> None:
        self._ids = set(ids)
        self._types = set(map(type, self._ids))
        self._by_number: dict[int, list[int | str]] = {}
        for each in self._ids:
            number = as_number(each)
            if number is not None:
                self._by_number.setdefault(number, []).append(each)

    def __contains__(self, value: Any) -> bool:
        return value in self._ids

    def find(self, value: Any) -> int | str | None:
        """The id that equals ``value``, directly or as text for a number or vice versa; None without one.

        Two ids that are the same number as text, "3" and "03", are found by their exact text only.
        """
        if value in self._ids:
            return value
        number = as_number(value)
        found = [] if number is None else self._by_number.get(number, [])
        return found[0] if len(found) == 1 else None

    def like(self, value: Any) -> bool:
        """Whether there is an id of the same type as ``value``, a number or text."""
        return type(value) in self._types


def where_is(noun: str, entry: Entry, number: int) -> str:
    """The name of an entry in a problem: with its id, or with its number in the list."""
    return f'{noun} {entry["id"]}' if is_id(entry.get('id')) else f'{noun} number {number}'


def keypoint_count(category: Entry) -> int:
    """The number of keypoints of a category."""
    names = category.get('keypoints')
    return len(names) if isinstance(names, list) else 0


def _with_lists(path: str | os.PathLike, content: Any) -> dict[str, list[Entry]]:
    if isinstance(content, list):
        raise DatasetError(f'{path} is a list, like COCO results; an annotation file has '
                           f'"images", "annotations" and "categories".')
    if not isinstance(content, dict) or 'images' not in content:
        raise DatasetError(f'{path} is not a COCO annotation file: it has no list "images".')
    content = dict(content)
    content.setdefault('annotations', [])
    for name in ('images', 'annotations', 'categories'):
        entries = content.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise DatasetError(f'{path} is not a COCO annotation file: "{name}" is not a list of '
                               f'objects.')
    if 'categories' not in content:
        used = {as_id(a.get('category_id')) for a in content['annotations']} - {None}
        content['categories'] = [{'id': i, 'name': str(i)} for i in sorted(used, key=str)]
    return content
