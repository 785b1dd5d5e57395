"""Boundary IoU (Cheng et al., arXiv 2103.16562, section 4): how well the outlines of masks agree."""

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# The published width for COCO, as a fraction of the image's diagonal.
WIDTH = 0.02

_SQUARE = np.ones((1, 3, 3), bool)


def mask_rims(masks: npt.NDArray[np.bool_], width: float = WIDTH) -> npt.NDArray[np.bool_]:
    """The pixels of masks that lie near their own outline; the border of the image is outline too.

    Args:
        masks: (R, H, W) bool.
        width: How far the rim reaches inwards, as a fraction of the diagonal; at least one pixel.

    Returns:
        (R, H, W) bool.
    """
    if masks.size == 0:
        return masks.copy()
    pixels = max(1, round(width * math.hypot(*masks.shape[1:])))
    return masks & ~ndimage.binary_erosion(masks, _SQUARE, iterations=pixels)


def boundary_iou(masks_a: npt.NDArray[np.bool_], masks_b: npt.NDArray[np.bool_], width: float = WIDTH
                 ) -> npt.NDArray[np.float64]:
    """Intersection over union of the rims of each mask and its partner.

    Args:
        masks_a, masks_b: (R, H, W) bool.
        width: As of :func:`mask_rims`.

    Returns:
        (R,) float64 in [0, 1]; 1 where both masks are empty.
    """
    rims_a, rims_b = mask_rims(masks_a, width), mask_rims(masks_b, width)
    shared, united = (rims_a & rims_b).sum(axis=(1, 2)), (rims_a | rims_b).sum(axis=(1, 2))
    return np.where(united > 0, shared / np.maximum(united, 1), 1.0)
