"""Rows of COCO results, and the files that they are written to in the end."""

import pathlib
import typing
from collections.abc import Iterable

from chainer_seg import schema
from chainer_seg.errors import DatasetError
from chainer_seg.files import json_list
from chainer_seg.jobs.results import Results

# What COCO's server calls the content of each kind of result. The kinds have files of their own because
# pycocotools takes the area of an object from its box where a result has one, and COCO's small, medium and
# large masks are told apart by the area of the mask.
CONTENT = {'bbox': 'bbox', 'segm': 'segmentation', 'keypoints': 'keypoints'}


class Code(typing.TypedDict):
    """A run-length encoding."""

    size: list[schema.Side]
    counts: str


class CocoResult(typing.TypedDict):
    """A result of an image as COCO's server takes it."""

    image_id: int | str
    category_id: int | str
    score: int | float
    segmentation: typing.NotRequired[Code]
    bbox: typing.NotRequired[list[int | float]]
    keypoints: typing.NotRequired[list[int | float]]


def write_results(path: pathlib.Path, results: Results, numbers: Iterable[int], kind: str, *,
                  required: bool = False) -> None:
    """Writes the kept results of some images, a JSON list, with the content of one kind alone.

    Args:
        path: The file.
        results: With rows of :class:`CocoResult`.
        numbers: The images, in this order.
        kind: One of :data:`CONTENT`.
        required: Whether each result must have that content.

    Raises:
        chainer_seg.errors.DatasetError: One has not.
    """
    names = 'image_id', 'category_id', 'score', CONTENT[kind]
    with json_list(path) as add:
        for number in numbers:
            for result in results.read(number):
                if required and CONTENT[kind] not in result:
                    raise DatasetError(f'{path.parent} keeps a result of image {number + 1} without '
                                       f'{CONTENT[kind]}; start over with --overwrite.')
                add({name: result[name] for name in names if name in result})
