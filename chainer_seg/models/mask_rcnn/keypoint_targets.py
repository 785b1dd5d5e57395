"""Targets of the keypoint head: one position in each heat map (arXiv 1703.06870, section 5)."""

import numpy as np
import numpy.typing as npt


def keypoint_targets(keypoints: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """The cells of heat maps that contain the keypoints.

    Args:
        keypoints: (R, K, 3) float32 (y, x, visibility), where 0 is not annotated; in pixels of the
            image.
        boxes: (R, 4) float32 with inclusive maxima, in pixels of the image.
        size: Side of the heat maps.

    Returns:
        (R, K) int32, row * size + column; -1 for keypoints that are not annotated or lie outside.
    """
    corners, ends = boxes[:, None, :2], boxes[:, None, 2:]
    points = keypoints[:, :, :2]
    cells = np.floor((points - corners) * (size / np.maximum(ends - corners, 1)))
    # A keypoint exactly on the far edge belongs to the last cell.
    cells = np.where(points == ends, size - 1, cells)
    usable = (keypoints[:, :, 2] > 0) & (cells >= 0).all(axis=2) & (cells < size).all(axis=2)
    return np.where(usable, cells[:, :, 0] * size + cells[:, :, 1], -1).astype(np.int32)


def shows_keypoints(keypoints: np.ndarray, boxes: np.ndarray) -> npt.NDArray[np.bool_]:
    """Whether any annotated keypoint lies in a region.

    Args:
        keypoints: (R, K, 3) float32 (y, x, visibility).
        boxes: (R, 4) float32 with inclusive maxima.

    Returns:
        (R,) bool.
    """
    points = keypoints[:, :, :2]
    inside = (points >= boxes[:, None, :2]) & (points <= boxes[:, None, 2:])
    return np.any(inside.all(axis=2) & (keypoints[:, :, 2] > 0), axis=1)
