"""The objects of one image, the type that all systems share."""

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from chainer_seg import boxes, schema
from chainer_seg.errors import UserError, quoted
from chainer_seg.masks import runs_of_rle
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.schema import whole_number
from chainer_seg.thumbnail import instances_thumbnail


class Instances:
    """R objects of one image of height H and width W.

    Attributes:
        masks: (R, H, W) bool, read-only; made from ``runs`` at first use.
        runs: The masks as :class:`chainer_seg.run_length_masks.RunLengthMasks`, which take little memory
            and are fast to count, encode, crop and draw, whatever the size of the image.
        bboxes: (R, 4) float32, (y_min, x_min, y_max, x_max) in pixels.
        labels: (R,) int32 from 0; the background is never a label.
        scores: (R,) float32; 1 for annotated objects.
        keypoints: (R, K, 3) float32 (y, x, visibility or score), or None.
        class_names: A name for each label; may be empty.
        crowds: (R,) bool; True for a region of many objects that is annotated as one.
        areas: (R,) float32 in pixels as annotated, or None if only the masks are known.

    They are made from either form of the masks; an array must not be changed afterwards. By default,
    ``bboxes`` are the tight boxes of the masks, ``labels`` are 0, ``scores`` 1 and ``crowds`` False.

    Raises:
        ValueError: The shapes of the arrays do not fit together.
    """

    def __init__(self, masks: npt.ArrayLike | RunLengthMasks, bboxes: npt.ArrayLike | None = None,
                 labels: npt.ArrayLike | None = None, scores: npt.ArrayLike | None = None,
                 keypoints: npt.ArrayLike | None = None, class_names: Iterable[str] = (),
                 crowds: npt.ArrayLike | None = None, areas: npt.ArrayLike | None = None) -> None:
        self._runs: RunLengthMasks | None = None
        self._masks: npt.NDArray[np.bool_] | None = None
        if isinstance(masks, RunLengthMasks):
            self._runs = masks
            count, (self._height, self._width) = masks.count, masks.size
        else:
            self._masks = _read_only(np.asarray(masks, dtype=bool))
            if self._masks.ndim != 3:
                raise ValueError(f'masks must have shape (R, H, W), got {self._masks.shape}')
            count, self._height, self._width = self._masks.shape
        if bboxes is None:
            bboxes = self.runs.bboxes()
        self.bboxes: npt.NDArray[np.float32] = _column('bboxes', bboxes, np.float32, (count, 4))
        self.labels: npt.NDArray[np.int32] = _column('labels', labels, np.int32, (count,), fill=0)
        self.scores: npt.NDArray[np.float32] = _column('scores', scores, np.float32, (count,), fill=1)
        self.crowds: npt.NDArray[np.bool_] = _column('crowds', crowds, bool, (count,), fill=False)
        self.areas: npt.NDArray[np.float32] | None = (
            None if areas is None else _column('areas', areas, np.float32, (count,)))
        self.keypoints: npt.NDArray[np.float32] | None = None
        if keypoints is not None:
            points = np.shape(keypoints)[1] if np.ndim(keypoints) == 3 else 0
            self.keypoints = _column('keypoints', keypoints, np.float32, (count, points, 3))
        self.class_names = tuple(class_names)

    @classmethod
    def empty(cls, height: int, width: int, class_names: Iterable[str] = (), keypoints: int | None = None
              ) -> Self:
        """No objects in an image of this size, with K = ``keypoints`` unless it is None."""
        points = None if keypoints is None else np.zeros((0, keypoints, 3), np.float32)
        return cls(RunLengthMasks.collect([], 0, (height, width)), class_names=class_names, keypoints=points)

    @property
    def masks(self) -> npt.NDArray[np.bool_]:
        """(R, H, W) bool, read-only."""
        if self._masks is None:
            self._masks = _read_only(self.runs.to_masks())
        return self._masks

    @property
    def runs(self) -> RunLengthMasks:
        """The masks as runs of pixels."""
        if self._runs is None:
            self._runs = RunLengthMasks.from_masks(self.masks)
        return self._runs

    @property
    def pixel_areas(self) -> npt.NDArray:
        """(R,) the areas in pixels: as annotated if known, otherwise those of the masks."""
        return self.runs.areas() if self.areas is None else self.areas

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self._height, self._width

    def __len__(self) -> int:
        return len(self.bboxes)

    def __getitem__(self, index: int | slice | npt.ArrayLike) -> 'Instances':
        """The objects selected by ``index``: a number, a slice, integers (N,), or bools (R,)."""
        if isinstance(index, (int, np.integer)):
            index = [range(len(self))[index]]
        elif not isinstance(index, slice):
            index = np.asarray(index, dtype=None if np.size(index) else int)
        masks = self.masks[index] if self._runs is None else self._runs.take(index)
        return Instances(
            masks, self.bboxes[index], self.labels[index], self.scores[index],
            None if self.keypoints is None else self.keypoints[index], self.class_names,
            self.crowds[index], None if self.areas is None else self.areas[index])

    def __iter__(self) -> Iterator['Instances']:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        height, width = self.image_size
        found = ', '.join(f'{count} {name}' for name, count in self._counts()[:6])
        return f'Instances({len(self)} in {height}x{width}{": " + found if found else ""})'

    def with_classes(self, labels: npt.ArrayLike, class_names: Iterable[str]) -> 'Instances':
        """The same objects with other labels (R,) and names of the labels."""
        return Instances(self.masks if self._runs is None else self._runs, self.bboxes, labels, self.scores,
                         self.keypoints, class_names, self.crowds, self.areas)

    def __getstate__(self) -> dict[str, Any]:
        """For copies in other processes, which take the runs alone since those are small."""
        return {**self.__dict__, '_runs': self.runs, '_masks': None}

    def above(self, score: float) -> 'Instances':
        """The objects whose score is at least ``score``."""
        return self[self.scores >= score]

    def name(self, number: int) -> str:
        """The class name of object ``number``; its label as text if names are unknown."""
        label = int(self.labels[number])
        return self.class_names[label] if 0 <= label < len(self.class_names) else str(label)

    def to_coco_results(self, image_id: int | str, category_ids: Sequence[int] | None = None
                        ) -> list[dict[str, Any]]:
        """The objects as COCO result dicts, ready for ``json.dumps``.

        Args:
            image_id: The image's id in its annotation file.
            category_ids: The COCO category id of each label; label + 1 by default.
        """
        results = []
        for number, (code, box) in enumerate(zip(self.runs.to_rle(), boxes.to_xywh(self.bboxes).tolist())):
            label = int(self.labels[number])
            result = {'image_id': image_id,
                      'category_id': int(category_ids[label]) if category_ids else label + 1,
                      'segmentation': code, 'bbox': box, 'score': float(self.scores[number])}
            if self.keypoints is not None:
                result['keypoints'] = self.keypoints[number][:, [1, 0, 2]].ravel().tolist()
            results.append(result)
        return results

    @classmethod
    def from_coco_results(cls, results: Sequence[Mapping[str, Any]], image_size: tuple[int, int],
                          category_ids: Sequence[int] | None = None, class_names: Iterable[str] = ()) -> Self:
        """The objects of COCO result dicts of one image; the inverse of :meth:`to_coco_results`.

        Args:
            results: Dicts with ``segmentation`` (a run-length encoding), ``category_id``, ``score``
                and optionally ``bbox`` and ``keypoints``.
            image_size: (H, W) in pixels.
            category_ids: The COCO category id of each label; label + 1 by default.
            class_names: A name for each label.

        Raises:
            chainer_seg.errors.UserError: They are not COCO results, the category of a result is not among
                ``category_ids``, or its run-length encoding is damaged or belongs to an image of another
                size.
        """
        _check_results(results)
        if not results:
            return cls.empty(*image_size, class_names=class_names)
        labels = _labels_of(results, category_ids)
        found = runs_of_rle([result['segmentation'] for result in results], image_size)
        bboxes = keypoints = None
        if all('bbox' in result for result in results):
            bboxes = boxes.from_xywh(np.array([r['bbox'] for r in results], np.float32))
        if all('keypoints' in result for result in results):
            flat = np.array([result['keypoints'] for result in results], np.float32)
            keypoints = flat.reshape(len(results), -1, 3)[:, :, [1, 0, 2]]
        return cls(found, bboxes, labels, [result['score'] for result in results],
                   keypoints=keypoints, class_names=class_names)

    def _repr_html_(self) -> str:
        return (f'<div>{html.escape(repr(self))}<br>{instances_thumbnail(self)}</div>')

    def _counts(self) -> list[tuple[str, int]]:
        """(class name, number of objects) in descending order of the number."""
        labels, firsts, counts = np.unique(self.labels, return_index=True, return_counts=True)
        order = np.argsort(-counts, kind='stable')
        return [(self.name(firsts[i]), int(counts[i])) for i in order]


def _read_only(masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A view of masks that cannot be changed, as both forms of them must stay the same."""
    view = masks.view()
    view.flags.writeable = False
    return view


def _column(name: str, values: npt.ArrayLike | None, dtype: npt.DTypeLike, shape: tuple[int, ...],
            fill: Any = None) -> npt.NDArray:
    if values is None:
        return np.full(shape, fill, dtype)
    values = np.asarray(values, dtype=dtype)
    if values.size == 0 and 0 in shape:
        return values.reshape(shape)
    if values.shape != shape:
        raise ValueError(f'{name} must have shape {shape}, got {values.shape}')
    return values


class _Result(msgspec.Struct):
    """The required and the optional fields of COCO results."""

    score: schema.Finite
    segmentation: dict
    category_id: schema.Count | str | None = None
    bbox: tuple[schema.Finite, schema.Finite, schema.Finite, schema.Finite] | msgspec.UnsetType = (
        msgspec.UNSET)
    keypoints: list[schema.Finite] | msgspec.UnsetType = msgspec.UNSET


def _check_results(results: Sequence[Mapping[str, Any]]) -> None:
    found = schema.check(results, list[_Result], 'The list of results')
    counts = {len(each.keypoints) for each in found if each.keypoints is not msgspec.UNSET}
    if len(counts) > 1 or any(count % 3 for count in counts):
        raise UserError('The results must have the same number of keypoints for each object, with three '
                        'numbers each.')


def _labels_of(results: Sequence[Mapping[str, Any]],
               category_ids: Sequence[int] | None) -> npt.NDArray[np.int64]:
    categories = []
    for result in results:
        category = whole_number(result.get('category_id'))
        if category is None:
            raise UserError(f'The results have a category_id {quoted(result.get("category_id"))}, which is '
                            f'not a whole number.')
        categories.append(category)
    if category_ids is None:
        return np.array(categories) - 1
    label_of = {category: label for label, category in enumerate(category_ids)}
    unknown = sorted(set(categories) - set(label_of))
    if unknown:
        raise UserError(f'The results have the categories {quoted(unknown)}, which the data set does not '
                        f'have.')
    return np.array([label_of[category] for category in categories])
