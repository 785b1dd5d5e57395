import numpy as np
import pytest

from chainer_seg import masks
from chainer_seg.masks import (
    decode_rle, encode_rle, mask_area, mask_iou, mask_to_bbox, polygons_to_mask)


def test_box_of_a_mask_ends_past_its_last_pixel():
    masks = np.zeros((2, 5, 6), bool)
    masks[0, 1, 2] = masks[0, 3, 4] = True
    assert mask_to_bbox(masks).tolist() == [[1, 2, 4, 5], [0, 0, 0, 0]]


def test_no_masks_have_no_boxes():
    assert mask_to_bbox(np.zeros((0, 5, 6), bool)).shape == (0, 4)


def test_area_counts_pixels(rng):
    masks = rng.random((3, 8, 9)) < 0.3
    assert mask_area(masks).tolist() == [sum(mask.ravel().tolist()) for mask in masks]


def test_iou_is_that_of_the_definition(rng):
    a, b = rng.random((3, 8, 9)) < 0.5, rng.random((4, 8, 9)) < 0.5
    expected = [[(p & q).sum() / (p | q).sum() for q in b] for p in a]
    np.testing.assert_allclose(mask_iou(a, b), expected, rtol=1e-12)


def test_iou_of_empty_masks_is_zero():
    assert mask_iou(np.zeros((1, 4, 4), bool), np.zeros((1, 4, 4), bool)).tolist() == [[0]]


def test_no_masks_have_no_areas_and_share_nothing():
    none = np.zeros((0, 4, 5), bool)
    assert mask_area(none).shape == (0,)
    assert mask_iou(none, np.ones((2, 4, 5), bool)).shape == (0, 2)


def test_compressed_code_and_back(rng):
    masks = rng.random((3, 8, 9)) < 0.3
    assert (decode_rle(encode_rle(masks), (8, 9)) == masks).all()


def test_uncompressed_code_counts_down_the_columns():
    # COCO's order is column by column, beginning with the number of zeros.
    mask = decode_rle([{'size': [2, 3], 'counts': [1, 2, 3]}], (2, 3))
    assert mask.tolist() == [[[False, True, False], [True, False, False]]]


def test_no_codes_are_no_masks():
    assert decode_rle([], (4, 5)).shape == (0, 4, 5)
    assert encode_rle(np.zeros((0, 4, 5), bool)) == []


def test_polygons_of_one_object_are_united():
    mask = polygons_to_mask([[0, 0, 2, 0, 2, 2, 0, 2], [4, 1, 6, 1, 6, 3, 4, 3]], (4, 8))
    expected = np.zeros((4, 8), bool)
    expected[0:2, 0:2] = expected[1:3, 4:6] = True
    assert (mask == expected).all()


def test_an_interrupt_that_numpy_loses_while_it_decodes_is_given_back(monkeypatch):
    def decode(codes):
        raise TypeError("__array__() got an unexpected keyword argument 'copy'")
    monkeypatch.setattr(masks.coco_mask, 'decode', decode)
    with pytest.raises(KeyboardInterrupt):
        masks.polygons_to_mask([[0, 0, 2, 0, 2, 2]], (2, 3))
