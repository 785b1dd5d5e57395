"""Reading a COCO annotation file, or saying in one sentence why it is none."""

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

LARGEST_NUMBER = 1e30  # far within float32, so that sums and areas stay there, too
_EXACT = 2**53  # Larger whole numbers are not exact as floats.
_LARGEST_ID = 2**63 - 1

Entry = dict[str, Any]  # an image, a category or an annotation of a file
Fault = tuple[str, str, bool]  # kind, sentence and fatal, as those of a Problem


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind (str): What it is, the same for like problems: 'duplicate id', 'missing file', ...
        where (str): The entry: 'image 12', 'annotation 7', 'category 3'.
        sentence (str): What is wrong with it.
        fatal (bool): Whether :class:`chainer_seg.datasets.CocoDataset` refuses the file, or the entry
            when it is read, for it; else it goes on as the sentence says.
    """

    kind: str
    where: str
    sentence: str
    fatal: bool = False

    def __str__(self) -> str:
        return f'{self.where}: {self.sentence}'


def read_coco_json(path: str | os.PathLike) -> dict[str, list[Entry]]:
    """The content of a COCO annotation file, its entries as they are written.

    Args:
        path: The JSON file.

    Returns:
        dict: With the lists 'images', 'annotations' and 'categories', each of dicts. A file
        without annotations (a test set) has an empty list of them; without categories, they are
        named by the ids that occur in the annotations.

    Raises:
        chainer_seg.errors.DatasetError: If it is missing, not JSON, or not COCO.
    """
    with collector_paused():
        return _with_lists(path, read_json(path, 'annotation file', DatasetError))


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Python's garbage collector would look through millions of new lists again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number, and finite also as a float32, in which boxes are kept."""
    return (isinstance(value, (int, float)) and not isinstance(value, bool)
            and abs(value) < LARGEST_NUMBER)


def is_id(value: Any) -> bool:
    """Whether a JSON value can be the id of an image, an annotation or a category."""
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def as_id(value: Any) -> int | str | None:
    """A JSON value as an id: 3.0 is 3, text stays text; None for what can be no id."""
    if isinstance(value, str):
        return value
    number = whole_number(value)
    if number is None or abs(number) > (_EXACT if isinstance(value, float) else _LARGEST_ID):
        return None
    return number


def as_number(value: Any) -> int | None:
    """The whole number that an id or a size says, also as text ("3", "3.0"); None where it says none."""
    if isinstance(value, str):
        match = re.fullmatch(r'\s*([+-]?[0-9]{1,18})(\.0+)?\s*', value)
        return int(match[1]) if match else None
    found = as_id(value)
    return found if isinstance(found, int) else None


class Ids:
    """The ids of a list of entries, found also by what others wrote for them.

    Args:
        ids: As :func:`as_id` gives them.
    """

    def __init__(self, ids: Iterable[int | str]):
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
        """The id that ``value`` is, as it is or as text for a number or the reverse; else None.

        Two ids that are one number as text, "3" and "03", are found by their own text alone.
        """
        if value in self._ids:
            return value
        number = as_number(value)
        found = [] if number is None else self._by_number.get(number, [])
        return found[0] if len(found) == 1 else None

    def like(self, value: Any) -> bool:
        """Whether there is an id of the type of ``value``, a number or text."""
        return type(value) in self._types


def where_is(noun: str, entry: Entry, number: int) -> str:
    """What a problem calls an entry: by its id, or by its number in the list."""
    return f'{noun} {entry["id"]}' if is_id(entry.get('id')) else f'{noun} number {number}'


def keypoint_count(category: Entry) -> int:
    """The number of keypoints that a category names."""
    names = category.get('keypoints')
    return len(names) if isinstance(names, list) else 0


def _with_lists(path, content):
    if isinstance(content, list):
        raise DatasetError(f'{path} is a list, as COCO results are; an annotation file has '
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
