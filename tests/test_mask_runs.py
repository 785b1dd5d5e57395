"""Masks as runs against the same masks as arrays, and their codes against those of pycocotools."""

import numpy as np
import pytest

from chainer_seg.mask_runs import MaskRuns
from chainer_seg.masks import encode_rle, mask_to_bbox


def runs_of(masks):
    """The runs of masks (R, H, W), found pixel by pixel."""
    found = []
    for number, mask in enumerate(masks):
        for column in range(mask.shape[1]):
            values = [False, *mask[:, column], False]
            edges = [row for row in range(len(values) - 1) if values[row] != values[row + 1]]
            found += [(number, column, *pair) for pair in zip(edges[::2], edges[1::2])]
    return MaskRuns(*np.array(found, int).reshape(-1, 4).T, len(masks), masks.shape[1:])


@pytest.fixture
def masks(rng):
    masks = np.concatenate([rng.random((4, 20, 15)) < part for part in (0.01, 0.5, 0.97)])
    masks[2], masks[3], masks[-1] = True, False, False
    return masks


def test_runs_become_the_masks(masks):
    np.testing.assert_array_equal(runs_of(masks).to_masks(), masks)


def test_codes_are_those_of_pycocotools(masks):
    assert runs_of(masks).to_rle() == encode_rle(masks)


def test_codes_of_long_runs():
    # Lengths of many digits, and changes of both signs.
    masks = np.zeros((1, 3000, 400), bool)
    masks[0, 5:7, 150] = masks[0, 100:2900, 160:190] = masks[0, 0, 0] = masks[0, :, 399] = True
    assert runs_of(masks).to_rle() == encode_rle(masks)


def test_boxes_are_tight(masks):
    np.testing.assert_array_equal(runs_of(masks).bboxes(), mask_to_bbox(masks))


def test_masks_are_taken_in_another_order(masks):
    np.testing.assert_array_equal(runs_of(masks).take([7, 0, 3]).to_masks(), masks[[7, 0, 3]])


def test_masks_of_several_parts_are_collected(masks):
    numbers = np.random.default_rng(1).permutation(len(masks))
    parts = [(runs_of(masks[part]), part) for part in np.split(numbers, [4, 4, 9])]
    np.testing.assert_array_equal(
        MaskRuns.collect(parts, len(masks), masks.shape[1:]).to_masks(), masks)


def test_no_masks():
    none = MaskRuns.collect([], 0, (4, 5))
    assert none.to_rle() == [] and none.to_masks().shape == (0, 4, 5)
    assert none.bboxes().shape == (0, 4)
