"""Padding SAME, with the numbers of TensorFlow's documentation."""

import numpy as np
import pytest

from chainer_seg.functions import same_pad


@pytest.mark.parametrize('side, size, stride, before, behind', [
    (321, 7, 2, 3, 3), (320, 7, 2, 2, 3), (161, 3, 2, 1, 1), (160, 3, 2, 0, 1), (5, 3, 1, 1, 1),
    (13, 6, 5, 1, 2), (9, 1, 2, 0, 0), (8, 1, 2, 0, 0), (1, 3, 2, 1, 1)])
def test_zeros_are_placed_as_tensorflow_places_them(side, size, stride, before, behind):
    x = np.arange(1, side + 1, dtype=np.float32).reshape(1, 1, side, 1)
    padded = same_pad(np.broadcast_to(x, (1, 1, side, side)), size, stride).array
    expected = np.pad(np.arange(1, side + 1, dtype=np.float32), (before, behind))
    np.testing.assert_array_equal(padded[0, 0, :, side // 2 + before], expected)
    assert (padded.shape[2] - size) // stride + 1 == -(-side // stride)
