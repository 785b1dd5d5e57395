"""A sheet of patches with their true outlines beside the probabilities, as evalPerPatch.lua draws it."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.images import resize

_OUTLINE = (255, 0, 0)


def draw_patches(images: npt.NDArray[np.uint8], truth: npt.NDArray[np.bool_],
                 probability: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Draws a row for each patch: the image with the outline of its object, and the probability in colours.

    Args:
        images: (B, P, P, 3) uint8 RGB.
        truth: (B, S, S), the true masks.
        probability: (B, S, S) in 0..1, the predicted ones.

    Returns:
        (B * S, 2 * S, 3) uint8 RGB.
    """
    rows, kernel = [], np.ones((3, 3), np.uint8)
    for each, mask, predicted in zip(images, truth, probability):
        image, pixels = resize(each, mask.shape), mask.astype(np.uint8)
        image[cv2.dilate(pixels, kernel) != cv2.erode(pixels, kernel)] = _OUTLINE
        colours = cv2.applyColorMap(np.round(255 * predicted).astype(np.uint8), cv2.COLORMAP_JET)
        rows.append(np.concatenate([image, colours[:, :, ::-1]], axis=1))
    return np.concatenate(rows)
