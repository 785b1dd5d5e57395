"""Rows of COCO results, and the files that they are written to in the end."""

import pathlib
from collections.abc import Iterable

from chainer_seg.datasets.coco_results import CONTENT
from chainer_seg.errors import DatasetError
from chainer_seg.files import json_list
from chainer_seg.jobs.results import Results

def write_results(path: pathlib.Path, results: Results, numbers: Iterable[int], kind: str, *,
                  required: bool = False) -> None:
    """Writes the kept results of some images, a JSON list, with the content of one kind alone.

    Args:
        path: The file.
        results: With rows of :class:`chainer_seg.datasets.coco_results.CocoResult`.
        numbers: The images, in this order.
        kind: One of :data:`chainer_seg.datasets.coco_results.CONTENT`.
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
