"""ChainerCV's compiled module ``_nms_gpu_post``, which its pure-Python wheel lacks."""

import numpy as np
import numpy.typing as npt

from chainer_seg import lazy

_walk_over_bits = lazy.function('chainer_seg.functions.suppression', 'walk_over_bits')


def _nms_gpu_post(mask: npt.NDArray[np.uint64], n_bbox: int, threads_per_block: int,
                  col_blocks: int) -> tuple[npt.NDArray[np.int32], int]:
    """The kept boxes of a bit mask: an array that begins with their indices, and their number.

    ``threads_per_block`` is the number of bits of a word: always 64.
    """
    kept = _walk_over_bits(mask.reshape(n_bbox, col_blocks), n_bbox)
    return np.pad(kept, (0, n_bbox - len(kept))), len(kept)
