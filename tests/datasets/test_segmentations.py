"""Run-length encodings read without pycocotools, compared with it."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from chainer_seg.datasets.segmentations import segmentation_to_rle
from chainer_seg.rle import rle_of_box, rle_counts


def counts_by_walking(mask):
    """The definition: runs down the columns, beginning with one of zeros."""
    counts, value = [0], 0
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


@pytest.mark.parametrize('density', [0.0, 0.02, 0.5, 0.98, 1.0])
def test_compressed_counts_are_the_runs_of_the_mask(density):
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random(rng.integers(1, 60, 2)) < density
        code = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert rle_counts(code['counts']).tolist() == counts_by_walking(mask)


def test_long_runs():
    mask = np.zeros((3000, 3000), np.uint8, order='F')
    mask[1500, 100::900] = 1
    code = coco_mask.encode(mask)
    assert rle_counts(code['counts'].decode()).tolist() == counts_by_walking(mask)


@pytest.mark.parametrize('text', ['zz', 'P', '\x01', 'é'])
def test_invalid_encodings_are_rejected(text):
    with pytest.raises(ValueError, match='not a compressed'):
        rle_counts(text)


def test_an_empty_encoding_has_no_runs():
    assert rle_counts('').tolist() == []


def test_polygons_without_area_draw_nothing():
    assert segmentation_to_rle([[1, 2, 3, 4]], (9, 9)) is None


def test_a_box_outside_the_image_covers_nothing():
    assert coco_mask.area(rle_of_box([-9, -9, 3, 3], (8, 8))) == 0
    assert coco_mask.area(rle_of_box([90, 90, 3, 3], (8, 8))) == 0
