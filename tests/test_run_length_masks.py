"""Masks in run-length form, compared with arrays, and their encodings with those of pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from chainer_seg.errors import DatasetError
from chainer_seg.masks import decode_rle, mask_to_bbox
from chainer_seg.rle import check_compressed, read_compressed
from chainer_seg.run_length_masks import RunLengthMasks


one_size = pytest.mark.parametrize('masks', [(20, 15)], indirect=True)


def runs_of(masks):
    """The runs of masks (R, H, W), found pixel by pixel."""
    found = []
    for number, mask in enumerate(masks):
        for column in range(mask.shape[1]):
            values = [False, *mask[:, column], False]
            edges = [row for row in range(len(values) - 1) if values[row] != values[row + 1]]
            found += [(number, column, *pair) for pair in zip(edges[::2], edges[1::2])]
    return RunLengthMasks(*np.array(found, int).reshape(-1, 4).T, len(masks), masks.shape[1:])


def codes_of(masks):
    """The encodings of masks (R, H, W), by pycocotools."""
    codes = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
    return [{'size': code['size'], 'counts': code['counts'].decode()} for code in codes]


def assert_same_runs(found, expected):
    for name in ('numbers', 'columns', 'tops', 'bottoms'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (found.count, found.size) == (expected.count, expected.size)


@pytest.fixture(params=[(20, 15), (15, 20), (1, 9), (9, 1), (1, 1)], ids=str)
def masks(request, rng):
    """Sparse, half full and dense masks, a full one, one of a single pixel, and empty ones."""
    masks = np.concatenate([rng.random((4, *request.param)) < part for part in (0.01, 0.5, 0.97)])
    masks[2], masks[3], masks[8], masks[-1] = True, False, False, False
    masks[8, -1, -1] = True
    return masks


def test_runs_become_the_masks(masks):
    np.testing.assert_array_equal(runs_of(masks).to_masks(), masks)


def test_masks_become_their_runs(masks):
    assert_same_runs(RunLengthMasks.from_masks(masks), runs_of(masks))


def test_codes_are_those_of_pycocotools(masks):
    assert runs_of(masks).to_rle() == codes_of(masks)


def test_codes_become_their_runs(masks):
    assert_same_runs(RunLengthMasks.from_rle(codes_of(masks), masks.shape[1:]), runs_of(masks))


def test_codes_of_long_runs():
    # Lengths of many digits, and changes of both signs.
    masks = np.zeros((1, 3000, 400), bool)
    masks[0, 5:7, 150] = masks[0, 100:2900, 160:190] = masks[0, 0, 0] = masks[0, :, 399] = True
    runs = RunLengthMasks.from_masks(masks)
    assert runs.to_rle() == codes_of(masks)
    np.testing.assert_array_equal(RunLengthMasks.from_rle(codes_of(masks), (3000, 400)).to_masks(), masks)


@pytest.mark.parametrize('box', [(2, 3, 5, 9), (0, 0, 6, 10), (-4, 2, 9, 3), (2, 2, 2, 5), (3, 5, 2, 4),
                                 (7, 0, 9, 4)])
def test_boxes_are_filled_inside_of_the_image(box):
    top, left, bottom, right = box
    rows, columns = np.arange(6)[:, None], np.arange(10)
    expected = (top <= rows) & (rows < bottom) & (left <= columns) & (columns < right)
    np.testing.assert_array_equal(
        RunLengthMasks.from_boxes(np.array([box, box]), (6, 10)).to_masks(), np.stack([expected, expected]))


def test_areas_count_pixels(masks):
    assert runs_of(masks).areas().tolist() == [mask.sum() for mask in masks]


def test_some_rows_and_columns_are_sampled(masks, rng):
    # Some rows twice, as when a side of one pixel is drawn; columns that touch once others are left out.
    height, width = masks.shape[1:]
    rows = np.sort(rng.integers(0, height, height))
    columns = np.flatnonzero(rng.random(width) < 0.6)
    found = runs_of(masks).sampled(rows, columns)
    expected = masks[:, rows[:, None], columns]
    np.testing.assert_array_equal(found.to_masks(), expected)
    np.testing.assert_array_equal(found.topmost(), runs_of(expected).topmost())
    if expected.size:
        assert found.to_rle() == codes_of(expected)


def test_smaller_masks_are_topmost(masks):
    # From the largest to the smallest, each painted over the one before it; later of two of equal size.
    expected = np.zeros(masks.shape[1:], int)
    for number in sorted(range(len(masks)), key=lambda number: -masks[number].sum()):
        expected[masks[number]] = number + 1
    found = runs_of(masks).topmost()
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, expected)


def test_boxes_are_tight(masks):
    np.testing.assert_array_equal(runs_of(masks).bboxes(), mask_to_bbox(masks))


def test_masks_are_taken_in_another_order(masks):
    for chosen in ([7, 0, 3], [5, 5, -1], slice(2, 9, 3), masks.any(axis=(1, 2)), np.zeros(0, int)):
        np.testing.assert_array_equal(runs_of(masks).take(chosen).to_masks(), masks[chosen])


def test_masks_of_several_parts_are_collected(masks):
    numbers = np.random.default_rng(1).permutation(len(masks))
    parts = [(runs_of(masks[part]), part) for part in np.split(numbers, [4, 4, 9])]
    np.testing.assert_array_equal(
        RunLengthMasks.collect(parts, len(masks), masks.shape[1:]).to_masks(), masks)


def test_no_masks():
    none = RunLengthMasks.collect([], 0, (4, 5))
    assert none.to_rle() == [] and none.to_masks().shape == (0, 4, 5)
    assert none.bboxes().shape == (0, 4) and none.areas().shape == (0,)
    assert none.topmost().tolist() == [[0] * 5] * 4
    assert none.sampled(np.arange(2), np.arange(3)).to_masks().shape == (0, 2, 3)
    assert_same_runs(RunLengthMasks.from_masks(np.zeros((0, 4, 5), bool)), none)
    assert_same_runs(RunLengthMasks.from_rle([], (4, 5)), none)
    assert_same_runs(RunLengthMasks.from_boxes(np.zeros((0, 4), int), (4, 5)), none)


def test_runs_are_read_as_they_were_written(masks):
    codes = [code['counts'].encode() for code in codes_of(masks)]
    lengths, starts = read_compressed(codes)
    for mask, runs in zip(masks, np.split(lengths, starts[1:])):
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        np.testing.assert_array_equal(flat.reshape(mask.shape[::-1]).T, mask)
    check_compressed(codes, masks.shape[1:])


@one_size
@pytest.mark.parametrize('size', [(20, 16), (15, 19), (1, 1)])
def test_runs_of_another_size_are_an_error(masks, size):
    with pytest.raises(ValueError, match='does not cover'):
        check_compressed([code['counts'].encode() for code in codes_of(masks)], size)


@one_size
def test_one_damaged_code_among_many_is_found(masks, rng):
    codes = [code['counts'].encode() for code in codes_of(masks)]
    for number in range(len(codes)):
        for damaged in (codes[number][:-1], b'', codes[number] + b'1', codes[number] + b'\x80'):
            with pytest.raises(ValueError, match='run-length encoding'):
                check_compressed([*codes[:number], damaged, *codes[number + 1:]], masks.shape[1:])


def test_no_masks_are_right():
    check_compressed([], (20, 15))


@one_size
def test_encodings_of_another_size_are_not_decoded(masks):
    with pytest.raises(DatasetError, match=r'is for \[5, 15\], its image is \[20, 15\]'):
        decode_rle(codes_of(masks)[:1] + codes_of(masks[:, :5])[:1], (20, 15))
