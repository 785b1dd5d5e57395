"""How good DeepMask and SharpMask are on single patches, as their Torch implementation judges them."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import chainer
import numpy as np
from chainer.backends import cuda
from scipy.special import expit

from chainer_seg.bad_images import Loop, OnError, each_image, passing_over
from chainer_seg.datasets.base import Dataset, Progress
from chainer_seg.datasets.object_index import ObjectIndex
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.boundary import boundary_iou
from chainer_seg.models.deepmask.proposals import ProposalModel
from chainer_seg.models.deepmask.samples import PatchSamples, stack_patches
from chainer_seg.models.deepmask.train_chain import enlarge, patch_ious
from chainer_seg.models.deepmask.trunk import IMAGE_MEAN, IMAGE_STD
from chainer_seg.models.inference import inference

# Tells the generators of these patches from those of a training run.
_MASKS, _SCORES = 4, 5

_BATCH = 32

OnMasks: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], object]


class _Judged(NamedTuple):
    """What a batch of patches gave, a value for each patch."""

    ious: list[float]
    boundaries: list[float]
    correct: list[bool]


def evaluate_patches(model: ProposalModel, dataset: Dataset | ObjectIndex, n: int = 1000, *,
                     target_size: int | None = None, boundary: bool = False, shift: float = 16,
                     scale: float = 0.25, seed: int = 0, progress: Progress = iter,
                     on_error: OnError | None = None, on_masks: OnMasks | None = None,
                     loop: Loop | None = None) -> dict[str, float]:
    """Judges masks and scores of patches drawn as in training.

    It takes minutes and measures batches of patches, not images, so that it does not go through
    :class:`chainer_seg.jobs.Results`.

    Args:
        model: A :class:`chainer_seg.models.deepmask.DeepMask` or ``SharpMask``.
        dataset: A data set of this package, or its :class:`chainer_seg.datasets.ObjectIndex`.
        n: Number of patches for the masks, and again for the scores.
        target_size: The masks are compared at this side; None takes the model's own.
        boundary: Whether to compare outlines, too.
        shift, scale: As of :class:`chainer_seg.models.deepmask.PatchSamples`.
        seed: Another seed draws other patches; of one data set, models of one patch size are shown
            the same.
        progress: Wraps the iteration over batches, as ``tqdm`` does.
        on_error: Called with the number of a patch and the error of its image, which cannot be read; the
            patch is then omitted. None raises the error.
        on_masks: Called for each batch with the parts of the images that masks cover (B, P, P, 3) uint8 RGB,
            the true masks (B, S, S) bool, and the predicted probabilities (B, S, S) float32.
        loop: Takes the place of the loop over the batches and of ``progress``, such as one that several
            processes share; see :data:`chainer_seg.bad_images.Loop`.

    Returns:
        A dict: ``iou``, ``median_iou``, the shares ``iou@0.5`` and ``iou@0.7`` of masks whose IoU is
        at least that, ``score_accuracy``, and ``boundary_iou`` if asked for (see
        :func:`chainer_seg.evaluation.boundary_iou`).

    Raises:
        chainer_seg.errors.DatasetError: The data set has no object to judge by.
    """
    index = dataset if isinstance(dataset, ObjectIndex) else ObjectIndex(dataset, on_error=on_error)
    samples = PatchSamples(index, model.patch_size, target_size or model.target_size, shift, scale)

    def judge(first: int) -> _Judged:
        numbers = range(first, min(first + _BATCH, n))
        found = _Judged([], [], [])
        for batch in _draw(samples.draw_mask, numbers, (seed, _MASKS), model.device, on_error):
            logits = enlarge(model.forward(batch['x'])[0], samples.target_size).array
            model.check_finite(logits)
            found.ious.extend(cuda.to_cpu(patch_ious(logits, batch['mask'])))
            if on_masks is not None:
                on_masks(_covered(cuda.to_cpu(batch['x']), model.patch_size),
                         cuda.to_cpu(batch['mask'] > 0), expit(cuda.to_cpu(logits)))
            if boundary:
                masks, truth = cuda.to_cpu(logits >= 0), cuda.to_cpu(batch['mask'] > 0)
                found.boundaries.extend(boundary_iou(masks, truth))
        for batch in _draw(samples.draw_score, numbers, (seed, _SCORES), model.device, on_error):
            logits = model.forward(batch['x'])[1].array
            model.check_finite(logits)
            found.correct.extend(cuda.to_cpu((logits >= 0) == (batch['score'] > 0)))
        return found

    loop = loop or functools.partial(each_image, progress=progress)
    with chainer.using_device(model.device), inference():
        judged = [found for _, found in loop(range(0, n, _BATCH), judge)]
    found_ious, boundaries, correct = (list(itertools.chain(*part)) for part in zip(*judged))
    if not found_ious or not correct:
        raise DatasetError('There is nothing to evaluate: no image of the data set can be read.')
    ious = np.asarray(found_ious)
    figures = {'iou': ious.mean(), 'median_iou': np.median(ious), 'iou@0.5': (ious >= 0.5).mean(),
               'iou@0.7': (ious >= 0.7).mean(), 'score_accuracy': np.mean(correct)}
    if boundary:
        figures['boundary_iou'] = np.mean(boundaries)
    return {name: float(value) for name, value in figures.items()}


def _covered(x: np.ndarray, side: int) -> np.ndarray:
    """The inputs (B, 3, H, W) as images (B, side, side, 3) uint8 of what a mask covers, their centres."""
    top, left = ((size - side) // 2 for size in x.shape[2:])
    inner = x[:, :, top:top + side, left:left + side].transpose(0, 2, 3, 1)
    return np.clip(np.round(255 * (inner * IMAGE_STD + IMAGE_MEAN)), 0, 255).astype(np.uint8)


def _draw(draw: Callable[[np.random.Generator], dict[str, Any]], numbers: Iterable[int],
          seed: tuple[int, ...], device: chainer.backend.Device,
          on_error: OnError | None) -> Iterator[dict[str, Any]]:
    """A batch of the patches of these numbers; none if no image of them can be read."""
    patches = []
    for number in numbers:
        with passing_over(number, on_error):
            patches.append(draw(np.random.default_rng((*seed, number))))
    if patches:
        yield stack_patches(patches, device)
