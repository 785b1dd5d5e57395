"""Masks in run-length form, compared with arrays, and their encodings with those of pycocotools."""

import numpy as np
import pytest

from chainer_seg.errors import DatasetError
from chainer_seg.masks import decode_rle, encode_rle, mask_to_bbox
from chainer_seg.rle import check_compressed, read_compressed
from chainer_seg.run_length_masks import RunLengthMasks


def runs_of(masks):
    """The runs of masks (R, H, W), found pixel by pixel."""
    found = []
    for number, mask in enumerate(masks):
        for column in range(mask.shape[1]):
            values = [False, *mask[:, column], False]
            edges = [row for row in range(len(values) - 1) if values[row] != values[row + 1]]
            found += [(number, column, *pair) for pair in zip(edges[::2], edges[1::2])]
    return RunLengthMasks(*np.array(found, int).reshape(-1, 4).T, len(masks), masks.shape[1:])


@pytest.fixture
def masks(rng):
    masks = np.concatenate([rng.random((4, 20, 15)) < part for part in (0.01, 0.5, 0.97)])
    masks[2], masks[3], masks[-1] = True, False, False
    return masks


def test_runs_become_the_masks(masks):
    np.testing.assert_array_equal(runs_of(masks).to_masks(), masks)


def test_masks_become_their_runs(masks):
    found, expected = RunLengthMasks.from_masks(masks), runs_of(masks)
    for name in ('numbers', 'columns', 'tops', 'bottoms'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert (found.count, found.size) == (expected.count, expected.size)


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
        RunLengthMasks.collect(parts, len(masks), masks.shape[1:]).to_masks(), masks)


def test_no_masks():
    none = RunLengthMasks.collect([], 0, (4, 5))
    assert none.to_rle() == [] and none.to_masks().shape == (0, 4, 5)
    assert none.bboxes().shape == (0, 4)


def test_runs_are_read_as_they_were_written(masks):
    codes = [code['counts'].encode() for code in encode_rle(masks)]
    lengths, starts = read_compressed(codes)
    for mask, runs in zip(masks, np.split(lengths, starts[1:])):
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        np.testing.assert_array_equal(flat.reshape(mask.shape[::-1]).T, mask)
    check_compressed(codes, masks.shape[1:])


@pytest.mark.parametrize('size', [(20, 16), (15, 19), (1, 1)])
def test_runs_of_another_size_are_an_error(masks, size):
    with pytest.raises(ValueError, match='does not cover'):
        check_compressed([code['counts'].encode() for code in encode_rle(masks)], size)


def test_one_damaged_code_among_many_is_found(masks, rng):
    codes = [code['counts'].encode() for code in encode_rle(masks)]
    for number in range(len(codes)):
        for damaged in (codes[number][:-1], b'', codes[number] + b'1', codes[number] + b'\x80'):
            with pytest.raises(ValueError, match='run-length encoding'):
                check_compressed([*codes[:number], damaged, *codes[number + 1:]], masks.shape[1:])


def test_no_masks_are_right():
    check_compressed([], (20, 15))


def test_encodings_of_another_size_are_not_decoded(masks):
    with pytest.raises(DatasetError, match=r'is for \[5, 15\], its image is \[20, 15\]'):
        decode_rle(encode_rle(masks)[:1] + encode_rle(masks[:, :5])[:1], (20, 15))
