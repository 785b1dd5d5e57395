"""Pastes the masks of boxes into the image, as runs of pixels (arXiv 1703.06870, section 3).

A mask is padded with one pixel of zeros, resized bilinearly to its box, which grows by the padding, and
thresholded. Detectron truncates the box to whole pixels, Detectron2 does not. Along a column of the image a
mask is linear between two samples, so it crosses the threshold there at most once, at a position that can be
computed: the cost of a mask is that of its columns, not of its pixels.
"""

import numpy as np
import numpy.typing as npt

from chainer_seg.run_length_masks import RunLengthMasks, spans

MASK_THRESHOLD = 0.5


def paste_masks(masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int], half_open: bool = False,
                threshold: float = MASK_THRESHOLD) -> RunLengthMasks:
    """Pastes masks into an image.

    Args:
        masks: (R, M, M) float32, probabilities.
        boxes: (R, 4) float32 with inclusive maxima, in pixels of the image.
        size: (H, W) of the image.
        half_open: Whether the geometry is Detectron2's.
        threshold: Probability above which a pixel belongs to a mask; with Detectron2's geometry from which.

    Returns:
        :class:`chainer_seg.run_length_masks.RunLengthMasks`, clipped to the image.
    """
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    grown = _grown_exactly if half_open else _grown
    tops, lefts, heights, widths = grown(boxes, padded.shape[1] / max(masks.shape[1], 1)).T
    if half_open:
        threshold = np.nextafter(np.float32(threshold), np.float32(0))
    # The columns of the image whose centres are between the edges.
    first, last = (np.clip(np.ceil(edges - 0.5), 0, size[1]).astype(int) for edges in (lefts, lefts + widths))
    number, column = spans(first, last)
    samples = _columns(padded, number, column - lefts[number], widths)
    run, row = _crossings(samples, tops[number], heights[number], threshold)
    number, column = number[run], column[run]
    row = np.clip(row, 0, size[0])
    # Every run is two crossings in one column of one mask.
    top, bottom = row[::2], row[1::2]
    seen = top < bottom
    return RunLengthMasks(number[::2][seen], column[::2][seen], top[seen], bottom[seen], len(masks), size)


def _grown(boxes: np.ndarray, factor: float) -> npt.NDArray[np.int64]:
    """Boxes (R, 4) enlarged about their centres, in whole pixels as Detectron truncates them.

    Returns:
        (R, 4) int (top, left, height, width); the sides are at least 1.
    """
    boxes = boxes.astype(np.float32)
    centres = (boxes[:, 2:] + boxes[:, :2]) * np.float32(0.5)
    halves = (boxes[:, 2:] - boxes[:, :2]) * np.float32(0.5) * np.float32(factor)
    first, last = (centres - halves).astype(int), (centres + halves).astype(int)
    return np.concatenate([first, np.maximum(last - first + 1, 1)], axis=1)


def _grown_exactly(boxes: np.ndarray, factor: float) -> npt.NDArray[np.float64]:
    """As :func:`_grown`, not truncated."""
    sides = np.maximum(boxes[:, 2:].astype(float) - boxes[:, :2] + 1, np.finfo(np.float32).tiny)
    return np.concatenate([boxes[:, :2] - sides * (factor - 1) / 2, sides * factor], axis=1)


def _columns(padded: np.ndarray, number: np.ndarray, column: np.ndarray,
             widths: np.ndarray) -> npt.NDArray[np.float32]:
    """The columns (K, N) float32 of masks (R, N, N) of these widths, at distances from their left edges."""
    side = padded.shape[1]
    below, part = _samples(column, widths[number], side)
    flipped = np.ascontiguousarray(padded.transpose(0, 2, 1))
    samples = flipped[number, below] * (1 - part)[:, None]
    samples += flipped[number, np.minimum(below + 1, side - 1)] * part[:, None]
    return samples


def _samples(place: np.ndarray, length: np.ndarray, side: int) -> tuple[np.ndarray, npt.NDArray[np.float32]]:
    """The positions of places on a line of ``length`` pixels among ``side`` samples, as in OpenCV.

    Returns:
        The sample before each place, and the fractional distance to the next, float32 in [0, 1).
    """
    position = ((place + 0.5) * (side / length) - 0.5).astype(np.float32)
    below = np.floor(position).astype(int)
    part = position - below
    outside = (below < 0) | (below >= side - 1)
    return np.clip(below, 0, side - 1), np.where(outside, np.float32(0), part).astype(np.float32)


def _crossings(samples: np.ndarray, tops: np.ndarray, heights: np.ndarray, threshold: float
               ) -> tuple[np.ndarray, np.ndarray]:
    """The rows at which columns (K, N), resized to their heights below their tops, cross the threshold.

    Returns:
        Number of the column, and the row of each first pixel above or not above in turn, ordered by
        column and row. The samples at both ends are below the threshold.
    """
    side = samples.shape[1]
    above = samples > threshold
    column, after = np.nonzero(above[:, 1:] != above[:, :-1])
    low, high = samples[column, after], samples[column, after + 1]
    part = (threshold - low.astype(np.float64)) / (high - low)
    # The row whose centre is on the threshold; centres are aligned as in OpenCV.
    row = (after + part + 0.5) * heights[column] / side - 0.5 + tops[column]
    rises = high > low
    return column, np.where(rises, np.floor(row) + 1, np.ceil(row)).astype(int)
