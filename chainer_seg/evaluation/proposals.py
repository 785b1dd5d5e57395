"""Average recall of proposals, as COCO measures it without classes (section 5 of arXiv 1506.06204).

The figures are those of pycocotools with ``useCats=0``. Recall needs only to know which proposal finds
which object, so thousands of proposals are matched here as arrays, many times faster than there.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from chainer_seg import boxes
from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.datasets.base import Dataset, Progress
from chainer_seg.datasets.coco import CocoDataset
from chainer_seg.datasets.proposal_files import match_images, proposal_results
from chainer_seg.errors import DatasetError
from chainer_seg.models.deepmask.proposals import ProposalModel
from chainer_seg.instances import Instances

COUNTS = (10, 100, 1000)
SIZES = ('all', 'small', 'medium', 'large')
KINDS = ('bbox', 'segm')

# COCO's: an overlap from 0.5 to 0.95 finds an object; a small one has up to 32 x 32 pixels, a large
# one 96 x 96 and more. A perfect overlap passes the threshold 1 in spite of rounding.
_THRESHOLDS = np.minimum(np.linspace(0.5, 0.95, 10), 1 - 1e-10)
_AREAS = np.array([(0, 1e10), (0, 32 ** 2), (32 ** 2, 96 ** 2), (96 ** 2, 1e10)])


class ProposalEvaluator:
    """Average recall of proposals over images that are added one by one.

    The best proposals of an image by score are matched to its objects, regardless of their classes;
    crowds are ignored. Sizes are the ``areas`` of the ground truth, or those of its masks if it has no
    areas. Only counts are kept, so that images can be streamed.

    Args:
        kinds: One or both of ``'bbox'`` and ``'segm'``.
        counts: Recall is reported at these numbers of proposals per image.

    Raises:
        ValueError: For an unknown kind.
    """

    def __init__(self, kinds: Sequence[str] = KINDS, counts: Sequence[int] = COUNTS) -> None:
        if isinstance(kinds, str) or not kinds or set(kinds) - set(KINDS):
            raise ValueError(f'kinds must be some of {KINDS}, not {kinds!r}')
        self.kinds, self.counts = tuple(kinds), tuple(sorted(counts))
        self._images = 0
        self._objects = np.zeros(len(SIZES), np.int64)
        shape = (len(SIZES), len(_THRESHOLDS), len(self.counts))
        self._found = {kind: np.zeros(shape, np.int64) for kind in self.kinds}

    def __len__(self) -> int:
        """The number of images added."""
        return self._images

    def add(self, ground_truth: Instances, proposals: Any) -> None:
        """Matches the proposals of one image.

        Args:
            ground_truth: The objects of the image.
            proposals: :class:`Instances`; the result of ``model.propose_rle``; or COCO result dicts with
                ``score`` and ``segmentation`` (a run-length encoding), or with ``score`` and ``bbox`` if
                only boxes are compared.

        Raises:
            chainer_seg.errors.DatasetError: The proposals are for an image of another size, lack the
                compared kind, or are not COCO results.
        """
        results = proposal_results(proposals)
        _check_sizes(results, ground_truth.image_size)
        scores = np.array([result['score'] for result in results], np.float64)
        best = np.argsort(-scores, kind='stable')[:self.counts[-1]]
        results = [results[number] for number in best]
        truth = ground_truth[~ground_truth.crowds]
        areas = truth.pixel_areas
        wanted = (areas >= _AREAS[:, :1]) & (areas <= _AREAS[:, 1:])  # (sizes, R)
        for kind in self.kinds:
            ious = _OVERLAPS[kind](results, truth)
            for number, chosen in enumerate(wanted):
                ranks = _ranks(ious[:, chosen])
                self._found[kind][number] += (ranks[:, :, None] < self.counts).sum(axis=1)
        self._objects += wanted.sum(axis=1)
        self._images += 1

    def summary(self) -> dict[str, float]:
        """The figures of the images added so far.

        Returns:
            For each kind and count the average recall over overlaps from 0.5 to 0.95: ``'segm/AR@100'``
            of all objects, and ``'segm/AR@100/small'``, ``'.../medium'`` and ``'.../large'`` by size. NaN
            if there is no such object.

        Raises:
            chainer_seg.errors.DatasetError: No image was added.
        """
        if not self._images:
            raise DatasetError('There is nothing to evaluate: no image was added.')
        figures = {}
        for kind in self.kinds:
            for number, size in enumerate(SIZES):
                possible = self._objects[number] * len(_THRESHOLDS)
                found = self._found[kind][number].sum(axis=0)
                for count, value in zip(self.counts, found):
                    name = f'{kind}/AR@{count}' + ('' if size == 'all' else f'/{size}')
                    figures[name] = float(value / possible) if possible else float('nan')
        return figures


def evaluate_proposals(proposer: ProposalModel | Callable[[npt.NDArray[np.uint8]], Any], dataset: Dataset, *,
                       progress: Progress | None = None, on_error: OnError | None = None, **settings: Any
                       ) -> dict[str, float]:
    """Average recall of a model's proposals, one image at a time.

    An evaluation that can be resumed goes through files: :func:`chainer_seg.jobs.propose` keeps the proposals
    of each image, and :func:`evaluate_proposal_files` measures them.

    Args:
        proposer: A DeepMask or SharpMask, or a function from an image to its proposals in a form that
            :meth:`ProposalEvaluator.add` takes.
        dataset: With ``len`` and ``dataset[i] -> (image, Instances)``.
        progress (callable): Wraps the iteration over indices, such as tqdm.
        on_error (callable): Called with the number and the error of an image that cannot be read,
            which is then not counted; None raises the error.
        settings: See :class:`ProposalEvaluator`.

    Returns:
        dict of float: As of :meth:`ProposalEvaluator.summary`.
    """
    evaluator = ProposalEvaluator(**settings)
    if isinstance(proposer, ProposalModel):
        proposer = functools.partial(proposer.propose_rle, n=evaluator.counts[-1])
    for index in (progress or iter)(range(len(dataset))):
        with passing_over(index, on_error):
            image, ground_truth = dataset[index]
            evaluator.add(ground_truth, proposer(image))
    return evaluator.summary()


def evaluate_proposal_files(files: Iterable[tuple[int | str, list[dict[str, Any]]]], dataset: CocoDataset, *,
                            progress: Progress | None = None, **settings: Any) -> dict[str, float]:
    """Average recall of proposals that are read from files.

    Args:
        files: What :func:`chainer_seg.datasets.read_proposals` gives: pairs of an image id and its
            COCO result dicts, in any order of the images.
        dataset: A :class:`chainer_seg.datasets.CocoDataset`. Its images of which the files know
            nothing count as images without proposals.
        progress (callable): Wraps the iteration over the images of the files, such as tqdm.
        settings: See :class:`ProposalEvaluator`.

    Returns:
        dict of float: As of :meth:`ProposalEvaluator.summary`.

    Raises:
        chainer_seg.errors.DatasetError: No image of the files is among those of the data set.
    """
    evaluator = ProposalEvaluator(**settings)
    missing = {image_id: index for index, image_id in enumerate(dataset.ids)}
    for image_id, results in (progress or iter)(match_images(files, dataset.ids)):
        index = missing.pop(image_id, None)
        if index is not None:
            evaluator.add(dataset.read_instances(index), results)
    if missing and not len(evaluator):
        raise DatasetError(f'None of the images of {dataset.path} has proposals in the files; pass '
                           f'the proposals of this data set.')
    for index in missing.values():
        evaluator.add(dataset.read_instances(index), [])
    return evaluator.summary()


def _ranks(ious: np.ndarray) -> npt.NDArray[np.int64]:
    """The rank of the proposal that matches each object.

    Args:
        ious: (N, R) overlaps of the proposals, best first, with the objects.

    Returns:
        (T, R) int: the rank at each threshold; beyond all counts for an unmatched object. As in COCO, the
        best proposals choose first.
    """
    ranks = np.full((len(_THRESHOLDS), ious.shape[1]), np.iinfo(np.int64).max)
    rows = np.arange(len(_THRESHOLDS))
    free = np.ones(ranks.shape, bool)
    for rank in np.flatnonzero(ious.max(axis=1, initial=0) >= _THRESHOLDS[0]):
        possible = np.where(free & (ious[rank] >= _THRESHOLDS[:, None]), ious[rank], -1)
        # Of equal overlaps the last one is chosen, as in pycocotools.
        chosen = possible.shape[1] - 1 - possible[:, ::-1].argmax(axis=1)
        found = possible[rows, chosen] >= 0
        ranks[rows[found], chosen[found]] = rank
        free[rows[found], chosen[found]] = False
    return ranks


def _mask_overlaps(results: Sequence[dict[str, Any]], truth: Instances) -> np.ndarray:
    """(N, R) intersections over union of the masks."""
    return _overlaps([_field(result, 'segmentation') for result in results],
                     truth.runs.to_rle())


def _box_overlaps(results: Sequence[dict[str, Any]], truth: Instances) -> np.ndarray:
    """(N, R) intersections over union of the boxes; those of the masks for proposals without boxes."""
    found = [result['bbox'] if 'bbox' in result
             else coco_mask.toBbox(_field(result, 'segmentation')) for result in results]
    return _overlaps(np.array(found, np.float64).reshape(-1, 4),
                     boxes.to_xywh(truth.bboxes).astype(np.float64))


_OVERLAPS = {'bbox': _box_overlaps, 'segm': _mask_overlaps}


def _overlaps(proposals: Any, objects: Any) -> np.ndarray:
    if not len(proposals) or not len(objects):
        return np.zeros((len(proposals), len(objects)))
    return np.asarray(coco_mask.iou(proposals, objects, [False] * len(objects)))


def _field(result: dict[str, Any], name: str) -> Any:
    if name not in result:
        raise DatasetError(f'The proposals have no "{name}"; compare boxes only, or pass the files of '
                           f'segments.')
    return result[name]


def _check_sizes(results: Sequence[dict[str, Any]], size: Sequence[int]) -> None:
    sizes = {tuple(result['segmentation']['size']) for result in results if 'segmentation' in result}
    if sizes - {tuple(size)}:
        height, width = (sizes - {tuple(size)}).pop()
        raise DatasetError(f'Proposals are for an image of {height}x{width} pixels, but the image has '
                           f'{size[0]}x{size[1]}; compute them on the images of this data set.')
