"""True masks cut out by regions, against polygons and pixels looked at one cell at a time."""

import numpy as np
import pytest

from chainer_seg.masks import mask_to_bbox, polygons_to_mask
from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks
from chainer_seg.models.mask_rcnn.mask_targets import ObjectMasks

L_SHAPE = [20, 10, 50, 10, 50, 25, 35, 25, 35, 60, 20, 60]
TWO_PARTS = ([5, 5, 15, 5, 15, 40, 5, 40], [60, 30, 80, 30, 70, 55])
BOXES = np.array([[10, 20, 59, 49], [3, 8, 70, 90], [30, 30, 45, 60]], np.float32)


@pytest.fixture
def masks():
    """The L as a polygon, then as pixels."""
    drawn = np.stack([polygons_to_mask([L_SHAPE], (80, 100))] * 2)
    return ObjectMasks.collect(drawn, [[L_SHAPE], None])


def is_in_l(x, y):
    return (20 <= x < 50 and 10 <= y < 25) or (20 <= x < 35 and 25 <= y < 60)


def in_cells(box, size, is_inside):
    """Whether the middle of each cell is inside, the region reaching half a pixel beyond its pixels."""
    top, left, bottom, right = box + np.array([-0.5, -0.5, 0.5, 0.5])
    steps = (np.arange(size) + 0.5) / size
    return np.array([[is_inside(left + (right - left) * x, top + (bottom - top) * y) for x in steps]
                     for y in steps])


@pytest.mark.parametrize('number', [0, 1], ids=['polygon', 'pixels'])
@pytest.mark.parametrize('box', BOXES, ids=['tight', 'large', 'part'])
def test_the_target_of_a_region_is_the_mask_inside_it(masks, number, box):
    found = masks.project(np.array([number]), box[None], 28)[0]
    expected = in_cells(box, 28, is_in_l)
    # Middles of cells that lie just on an edge may go either way.
    assert (found != expected).mean() < 0.04
    assert (found & expected).sum() > 0.9 * expected.sum() > 0


def test_many_regions_give_the_same_targets_as_one_by_one(masks):
    numbers, boxes = np.array([0, 1, 1, 0, 0]), BOXES[[0, 1, 2, 2, 1]]
    together = masks.project(numbers, boxes, 14)
    for number, box, found in zip(numbers, boxes, together):
        np.testing.assert_array_equal(masks.project(np.array([number]), box[None], 14)[0], found)


def test_parts_of_an_object_are_united(rng):
    both = ObjectMasks.collect(np.zeros((1, 60, 90), bool), [TWO_PARTS])
    single = ObjectMasks.collect(np.zeros((2, 60, 90), bool), [TWO_PARTS[:1], TWO_PARTS[1:]])
    box = np.array([[5, 5, 54, 79]], np.float32)
    expected = single.project(np.array([0]), box, 28) | single.project(np.array([1]), box, 28)
    np.testing.assert_array_equal(both.project(np.array([0]), box, 28), expected)


@pytest.mark.parametrize('number', [0, 1], ids=['polygon', 'pixels'])
def test_flip_mirrors_the_mask(masks, number):
    box = np.array([[3, 8, 70, 90]], np.float32)
    mirrored_box = np.array([[3, 100 - 1 - 90, 70, 100 - 1 - 8]], np.float32)
    found = masks.flip(100).project(np.array([number]), mirrored_box, 28)[0]
    expected = masks.project(np.array([number]), box, 28)[0][:, ::-1]
    assert (found != expected).mean() < 0.02


def test_objects_are_selected_in_the_given_order(masks):
    swapped = masks.take(np.array([1, 0]))
    assert not swapped.polygons[0] and swapped.polygons[1]
    np.testing.assert_array_equal(swapped.project(np.array([0]), BOXES[:1], 14),
                                  masks.project(np.array([1]), BOXES[:1], 14))


def test_an_empty_mask_gives_an_empty_target():
    empty = ObjectMasks.collect(np.zeros((1, 20, 20), bool))
    assert not empty.project(np.array([0]), BOXES[:1], 14).any()


def test_without_regions_there_are_no_targets(masks):
    assert masks.project(np.zeros(0, int), np.zeros((0, 4), np.float32), 14).shape == (0, 14, 14)


def test_pasting_inverts_the_cropping_of_targets(rng):
    """Masks of ellipses that go through the resolution of the head keep their size."""
    rows, columns = np.mgrid[:128, :128] + 0.5
    ratios = []
    for _ in range(40):
        (y, x), (a, b) = rng.uniform(40, 88, 2), rng.uniform(10, 38, 2)
        mask = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
        box = mask_to_bbox(mask[None]) - np.array([0, 0, 1, 1], np.float32)
        target = ObjectMasks.collect(mask[None]).project(np.array([0]), box, 28)
        pasted = paste_masks(target.astype(np.float32), box, mask.shape).to_masks()[0]
        ratios.append(pasted.sum() / mask.sum())
    assert abs(np.mean(ratios) - 1) < 0.01
