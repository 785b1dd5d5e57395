"""The lines between keypoints of an object."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_SKELETON


def skeleton_lines(keypoints: npt.NDArray[np.floating],
                   skeleton: Sequence[tuple[int, int]] | None = None
                   ) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.int64]]:
    """The lines of a skeleton between known keypoints.

    Args:
        keypoints: (R, K, 3) float (y, x, visibility or score); unknown unless the last is above 0.
        skeleton: Pairs of keypoints, numbered from 0; default: those of COCO's person if K is 17.

    Returns:
        tuple: the lines (L, 2, 2) float as ((y, x), (y, x)), and the number (L,) int of the object
        of each.
    """
    count = keypoints.shape[1]
    if skeleton is None:
        skeleton = PERSON_SKELETON if count == len(PERSON_KEYPOINTS) else ()
    pairs = np.array(skeleton, int).reshape(-1, 2)
    ends = keypoints[:, pairs]
    owner, line = np.nonzero((ends[..., 2] > 0).all(axis=2))
    return ends[owner, line, :, :2], owner
