"""Detections in the format of COCO's server, as ``chainer-seg evaluate --results`` writes them."""

import os
import pathlib
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainer_seg import masks, schema
from chainer_seg.datasets.base import Dataset
from chainer_seg.errors import DatasetError, quoted
from chainer_seg.files import read_json
from chainer_seg.instances import Instances

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


def result_ids(dataset: Dataset) -> Sequence[Any]:
    """The id of each image in results; synthetic images count from 1, as written ones do."""
    return dataset.ids if dataset.has_files else range(1, len(dataset) + 1)


class CocoResults(Sequence[Instances]):
    """The detections of each image of a data set, decoded when they are asked for.

    Args:
        results: The results of all images, in any order.
        dataset: The images, by whose ids and categories the results go.
        name: What the results are called in errors.

    Attributes:
        kind: ``'segm'`` if the results have masks, ``'bbox'`` otherwise; then all masks are empty.

    Raises:
        chainer_seg.errors.DatasetError: A result is of an image that the data set does not have, or has
            neither a mask nor a box.
    """

    def __init__(self, results: Iterable[Mapping[str, Any]], dataset: Dataset, name: str = 'The results'
                 ) -> None:
        self.dataset, self._name = dataset, name
        numbers = {image_id: number for number, image_id in enumerate(result_ids(dataset))}
        self._results: list[list[Mapping[str, Any]]] = [[] for _ in numbers]
        kinds = set()
        for result in results:
            number = numbers.get(result['image_id'])
            if number is None:
                raise DatasetError(f'{name} have detections in an image {quoted(result["image_id"])}, which '
                                   f'the data set does not have; open them with the annotations that were '
                                   f'evaluated.')
            kinds.add(next((kind for kind in ('segm', 'bbox') if CONTENT[kind] in result), ''))
            self._results[number].append(result)
        if '' in kinds or len(kinds) > 1:
            raise DatasetError(f'{name} must all have a segmentation, or all a bbox; open the file segm.json '
                               f'or bbox.json of an evaluation.')
        self.kind = kinds.pop() if kinds else 'segm'

    @classmethod
    def read(cls, path: str | os.PathLike, dataset: Dataset) -> 'CocoResults':
        """Reads a file of results, or ``segm.json`` (or else ``bbox.json``) in the folder of an evaluation.

        Raises:
            chainer_seg.errors.DatasetError: There is no such file, or it has no results of the data set.
        """
        path = pathlib.Path(path)
        if os.path.isdir(path):
            found = [path / f'{kind}.json' for kind in ('segm', 'bbox') if (path / f'{kind}.json').is_file()]
            if not found:
                raise DatasetError(f'{path} has neither segm.json nor bbox.json; write them with '
                                   f'chainer-seg evaluate MODEL --results {path}.')
            path = found[0]
        name = f'The results {path}'
        results = schema.check(read_json(path, 'file of results', DatasetError), list[CocoResult], name,
                               DatasetError)
        return cls(results, dataset, name)

    def __len__(self) -> int:
        return len(self._results)

    @typing.overload
    def __getitem__(self, index: int) -> Instances: ...

    @typing.overload
    def __getitem__(self, index: slice) -> list[Instances]: ...

    def __getitem__(self, index: int | slice) -> Instances | list[Instances]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        size, results = self.dataset.image_size(index), self._results[index]
        options = size, self.dataset.category_ids, self.dataset.class_names
        if self.kind == 'segm':
            return Instances.from_coco_results(results, *options)
        [code] = masks.encode_rle(np.zeros((1, *size), bool))
        blank = {'segmentation': code}
        return Instances.from_coco_results([{**result, **blank} for result in results], *options)

