"""Which keypoints of an object are joined by lines."""

import numpy as np

from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_SKELETON


def skeleton_lines(keypoints, skeleton=None):
    """The lines of a skeleton between keypoints that are known.

    Args:
        keypoints: (R, K, 3) float (y, x, visibility or score); what is not above 0 is unknown.
        skeleton: Pairs of keypoints, from 0; COCO's person where K is 17 and it is left out.

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
