import numpy as np

from chainer_seg.masks import (
    decode_rle, encode_rle, encode_runs, mask_area, mask_iou, mask_to_bbox, polygons_to_mask)


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


def edges_of(masks):
    """Where the masks (R, H, W) begin and end, counted down the columns, pixel by pixel."""
    edges = []
    for number, mask in enumerate(masks):
        before = False
        for place, value in enumerate([*mask.T.ravel(), False]):
            if value != before:
                edges.append((number, place))
            before = value
    return np.array(edges, int).reshape(-1, 2).T


def test_codes_from_edges_are_those_of_the_masks(rng):
    masks = np.concatenate([rng.random((5, 40, 30)) < part for part in (0.01, 0.5, 0.97)])
    masks[3], masks[4] = True, False
    assert encode_runs(*edges_of(masks), len(masks), (40, 30)) == encode_rle(masks)


def test_codes_of_long_runs(rng):
    # Run lengths of many digits in the text, and differences of both signs.
    masks = np.zeros((1, 3000, 2000), bool)
    masks[0, 5:7, 1500] = masks[0, 100:2900, 1600:1650] = masks[0, 0, 0] = True
    column, row = np.divmod(np.flatnonzero(masks[0].T), 3000)
    inside = np.column_stack([column * 3000 + row, column * 3000 + row + 1]).ravel()
    assert encode_runs(np.zeros(len(inside), int), inside, 1, (3000, 2000)) == encode_rle(masks)


def test_edges_at_one_place_cancel():
    # Columns of 4: two full columns, then an empty stretch inside a third.
    places = np.array([0, 4, 4, 8, 10, 10])
    expected = np.zeros((1, 4, 3), bool)
    expected[0, :, :2] = True
    assert encode_runs(np.zeros(6, int), places, 1, (4, 3)) == encode_rle(expected)


def test_codes_from_no_edges():
    assert encode_runs(np.zeros(0, int), np.zeros(0, int), 0, (4, 3)) == []
    assert encode_runs(np.zeros(0, int), np.zeros(0, int), 2, (4, 3)) == encode_rle(
        np.zeros((2, 4, 3), bool))
