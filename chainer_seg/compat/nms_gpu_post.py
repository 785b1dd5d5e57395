"""ChainerCV's compiled module ``_nms_gpu_post``, which its pure-Python wheel lacks."""

import numpy as np

from chainer_seg import lazy

_walk_over_bits = lazy.function('chainer_seg.functions.suppression', 'walk_over_bits')


def _nms_gpu_post(mask, n_bbox, threads_per_block, col_blocks):
    """The kept boxes of a bit mask: an array that begins with their numbers, and how many they are.

    ``threads_per_block`` is the number of bits of a word, 64 in ChainerCV as here.
    """
    kept = _walk_over_bits(mask.reshape(n_bbox, col_blocks), n_bbox)
    return np.pad(kept, (0, n_bbox - len(kept))), len(kept)
