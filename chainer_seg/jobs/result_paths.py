"""The images that an argument names, the paths of their results, and the ids in COCO results."""

import collections
import contextlib
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from chainer_seg.published_classes import coco_category_ids
from chainer_seg.datasets.list_files import ListedFiles, read_lines
from chainer_seg.errors import ImageError
from chainer_seg.images import find_images
from chainer_seg.locks import sole_writer

if TYPE_CHECKING:
    from chainer_seg.models.detector import InstanceDetector

CATEGORY_IDS = 'category_ids'  # key in a model's origin for the ids of its data set
_COCO_IMAGE = re.compile(r'(?:COCO_[a-z]+[0-9]{4}_)?0*([0-9]{1,15})')


def listed_images(path: str | pathlib.Path, allow_outside: bool = False) -> list[pathlib.Path]:
    """The images that an argument names: itself, those of a folder, or those of a list of paths.

    Args:
        path: An image, a folder, or a text file with the path of an image in each line, relative to the
            list or to the current folder.
        allow_outside: Whether a list may name images outside of these.

    Raises:
        chainer_seg.errors.ImageError: A list cannot be read or is empty.
        chainer_seg.errors.DatasetError: A list names an image outside its folder.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != '.txt':
        return find_images(path)
    files = ListedFiles(path, path.parent, allow_outside)
    found = [files.find(line, line.text, ('',), ()) or path.parent / line.text
             for line in read_lines(path, 'list of images', ImageError)]
    files.report()
    return found


def result_stems(paths: Iterable[pathlib.Path],
                 folder: str | pathlib.Path) -> Iterator[tuple[pathlib.Path, pathlib.Path]]:
    """Each path with the path of its results, without a suffix.

    Images of the same name, from several folders or in several formats, get different paths.
    """
    seen: collections.Counter[str] = collections.Counter()
    for path in paths:
        seen[path.stem] += 1
        again = f'_{seen[path.stem]}' if seen[path.stem] > 1 else ''
        yield path, pathlib.Path(folder, path.stem + again)


@contextlib.contextmanager
def sole_writers(folders: Iterable[str | pathlib.Path]) -> Iterator[None]:
    """Keeps other runs from writing to these folders while the block runs."""
    with contextlib.ExitStack() as held:
        for folder in sorted({pathlib.Path(folder).resolve() for folder in folders}):
            held.enter_context(sole_writer(folder))
        yield


def image_ids(paths: list[pathlib.Path]) -> list[int]:
    """The id of each image in COCO results.

    The numbers in the names where all are named as COCO names its images, such as 000000005802.jpg or
    COCO_val2014_000000005802.jpg, with different numbers from 1; otherwise 1, 2, 3, ...
    """
    found = [_COCO_IMAGE.fullmatch(path.stem) for path in paths]
    numbers = [int(match[1]) for match in found if match]
    if len(set(numbers)) == len(paths) and min(numbers, default=0) > 0:
        return numbers
    return list(range(1, len(paths) + 1))


def category_ids(model: 'InstanceDetector') -> tuple[list[int], str]:
    """The category id of each of a detector's labels in COCO results, and in words whose ids they are.

    Those of the data set that the model was trained on where they are known, else COCO's where all
    names are of its categories, else 1, 2, 3, ...
    """
    own = model.origin.get(CATEGORY_IDS) if isinstance(model.origin, dict) else None
    # What a file says may be anything.
    if isinstance(own, list) and len(own) == len(model.class_names) and all(
            type(number) is int for number in own):
        return own, 'of the data set that the model was trained on'
    ids = coco_category_ids(model.class_names)
    if ids is not None:
        return ids, "COCO's"
    count = len(model.class_names) or model.config['classes']
    return list(range(1, count + 1)), 'the numbers of the classes, from 1'
