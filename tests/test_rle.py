"""Invalid sizes, polygons and encodings never reach pycocotools; valid ones are decoded correctly."""

import random

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from chainer_seg import masks, rle
from chainer_seg.errors import DatasetError, UserError
from chainer_seg.instances import Instances

HUGE = 2**32 + 1


def decoded(code, size=None):
    return masks.decode_rle([code], code['size'])[0]


@pytest.mark.parametrize('size', [[50_000, 50_000], [65536, 65536], [HUGE, 1], [1, HUGE], [2**31, 2]])
def test_sizes_above_the_limit_are_rejected(size):
    with pytest.raises(ValueError, match='400 megapixels'):
        rle.checked_size(size)


@pytest.mark.parametrize('size', [None, 3, [], [3], [3, 4, 5], [0, 4], [-3, 4], [3.5, 4], ['3', 4],
                                  [True, 4], [None, 4], [float('nan'), 4], [float('inf'), 4]])
def test_invalid_sizes_are_rejected(size):
    with pytest.raises(ValueError, match='not a height and a width'):
        rle.checked_size(size)


def test_sizes_may_be_floats_without_a_fraction():
    assert rle.checked_size([480.0, 640.0]) == (480, 640)


@pytest.mark.parametrize('counts', [
    [5, 5], [600, 1], [-1, 601], [601, -1], [HUGE], [2**64 + 600], [0.5, 599.5], [True, 599], ['600'],
    [None], [[600]], [], '', '5', 'zzzz', 'P', 'o' * 13 + '0', '\x00', 'é', b'\xff', [float('nan')],
    [float('inf')]])
def test_runs_that_do_not_fill_the_image_are_rejected(counts):
    with pytest.raises(ValueError, match='run-length encoding'):
        rle.checked_rle({'size': [20, 30], 'counts': counts})


@pytest.mark.parametrize('code', [None, 3, 'a', [1, 2], {}, {'counts': [600]}, {'size': [20, 30]},
                                  {'size': None, 'counts': [600]}, {'size': [20, 30], 'counts': 600}])
def test_invalid_encodings_are_rejected(code):
    with pytest.raises(ValueError, match='run-length encoding'):
        rle.checked_rle(code)


def test_runs_that_wrap_around_64_bits_are_rejected():
    # 13 characters hold 65 bits; with 12, the sum of runs may wrap around to 600.
    text = coco_mask.frPyObjects({'size': [20, 30], 'counts': [600]}, 20, 30)['counts'].decode()
    for length in range(7, 14):
        padded = 'P' * (length - 1) + '0'
        with pytest.raises(ValueError, match='run-length encoding'):
            rle.checked_rle({'size': [20, 30], 'counts': padded + text})


def test_the_error_of_an_encoding_of_another_size_names_both_sizes():
    with pytest.raises(ValueError, match=r'is for \[30, 20\], which is width before height, its image'):
        rle.checked_rle({'size': [30, 20], 'counts': [600]}, (20, 30))


@pytest.mark.parametrize('compressed', [False, True])
def test_a_valid_encoding_is_decoded_to_its_mask(rng, compressed):
    for _ in range(20):
        mask = rng.random(rng.integers(1, 40, 2)) < rng.random()
        code = masks.encode_rle(mask[None])[0]
        if not compressed:
            code['counts'] = rle.rle_counts(code['counts']).astype(float).tolist()
        assert np.array_equal(decoded(code, mask.shape), mask)


def test_masks_of_two_sizes_are_not_decoded_together():
    # pycocotools takes memory for the first and writes all.
    codes = [masks.encode_rle(np.ones((1, *size), bool))[0] for size in ((2, 3), (200, 300))]
    with pytest.raises(DatasetError, match=r'is for \[200, 300\], its image is \[2, 3\]'):
        masks.decode_rle(codes, (2, 3))


def test_results_with_a_damaged_code_are_a_user_error():
    result = {'category_id': 1, 'score': 1.0, 'segmentation': {'size': [2, 3], 'counts': [7]}}
    with pytest.raises(UserError, match='covers 7 pixels|whole number of pixels'):
        Instances.from_coco_results([result], (2, 3))


@pytest.mark.parametrize('polygon', [
    [0, 0, 4], [0, 0, 4, 4], [0, 0, 4, 4, 4], [0, 0, 4, 4, float('nan'), 0],
    [0, 0, 4, 4, float('inf'), 0], [0, 0, 4, 4, 10**400, 0], [0, 0, 4, 4, None, 0],
    [0, 0, 1e30, 4, 4, 0], [0, 0, -1e9, 4, 4, 0], [2**31, 0, 4, 4, 4, 0]])
def test_polygons_that_cannot_be_drawn_are_rejected(polygon):
    with pytest.raises(ValueError, match='polygon'):
        rle.rles_of_polygons([[1, 1, 5, 1, 5, 5], polygon], (20, 30))


def test_a_polygon_with_an_extremely_long_outline_is_rejected():
    zigzag = [0, 0, 600, 400] * 20_000
    with pytest.raises(ValueError, match='too long'):
        rle.rles_of_polygons([zigzag], (20, 30))


def test_polygons_are_drawn_as_pycocotools_draws_them(rng):
    size = 40, 60
    polygons = [rng.uniform(-10, 70, 2 * count).tolist() for count in (3, 4, 5, 30)]
    expected = coco_mask.frPyObjects(polygons, *size)
    assert rle.rles_of_polygons(polygons, size) == expected
    assert rle.rle_of_polygons(polygons, size) == coco_mask.merge(expected)


def test_a_box_without_width_touches_the_pixel_in_which_it_begins():
    mask = masks.decode_rle([rle.rle_of_box([2.5, 3, 0, 2], (8, 9))], (8, 9))[0]
    assert np.argwhere(mask).tolist() == [[3, 2], [4, 2]]


def test_the_largest_image_that_is_read():
    code = rle.checked_rle({'size': [20_000, 20_000], 'counts': [399_999_999, 1]})
    assert rle.rle_area(code) == 1
    assert rle.rle_bounds(code) == (19_999, 19_999, 20_000, 20_000)
    assert rle.rle_counts(code['counts']).tolist() == [399_999_999, 1]


NUMBERS = (0, 1, -1, 3, 7, 20, 30, 600, 2**16, 2**31 - 1, 2**31, 2**32, 2**32 + 600, 2**63, 2**64,
           10**30, 0.5, 20.0, -0.0, float('nan'), float('inf'), 1e300, True, None, '20', [], {})


def crafted(random_state):
    """A code, right or wrong in one or more places."""
    pick = random_state.choice
    size = [20, 30]
    if random_state.random() > 0.6:
        size = [pick(NUMBERS) for _ in range(pick((1, 2, 2, 3)))]
    kind = random_state.random()
    if kind < 0.4:
        cuts = sorted(random_state.sample(range(600), random_state.randrange(6)))
        counts = [b - a for a, b in zip([0, *cuts], [*cuts, 600])]
        for _ in range(random_state.randrange(3)):
            counts[random_state.randrange(len(counts))] = pick(NUMBERS)
    else:
        mask = np.random.default_rng(random_state.randrange(2**32)).random((20, 30)) < 0.1
        counts = list(masks.encode_rle(mask[None])[0]['counts'])
        for _ in range(random_state.randrange(4)):
            counts[random_state.randrange(len(counts))] = chr(random_state.randrange(128))
        counts = ''.join(counts)
        if kind < 0.7:
            counts = counts[:random_state.randrange(len(counts) + 1)] * pick((1, 1, 2))
        elif kind < 0.8:
            counts = counts.encode('latin-1')
    return {'size': size, 'counts': counts}


def test_a_crafted_code_is_rejected_or_decoded():
    random_state = random.Random(0)
    refused = 0
    for _ in range(4000):
        code = crafted(random_state)
        try:
            mask = decoded(rle.checked_rle(code))
        except ValueError:
            refused += 1
            continue
        runs = code['counts']
        if not isinstance(runs, list):
            runs = rle.rle_counts(runs)
        expected = np.repeat(np.arange(len(runs)) % 2, np.array(runs, int)).reshape(
            mask.shape[::-1]).T.astype(bool)
        assert np.array_equal(mask, expected)
    assert 1000 < refused < 3900


def test_a_crafted_polygon_is_rejected_or_drawn():
    random_state = random.Random(0)
    drawn = 0
    for _ in range(2000):
        length = random_state.choice((5, 6, 6, 8, 12, 30))
        polygon = [random_state.uniform(-20, 60) for _ in range(length)]
        for _ in range(random_state.choice((0, 0, 0, 1, 2))):
            polygon[random_state.randrange(length)] = random_state.choice(
                [number for number in NUMBERS if isinstance(number, (int, float))])
        try:
            code = rle.rle_of_polygons([polygon], (20, 30))
        except ValueError:
            continue
        drawn += 1
        assert rle.checked_rle(code, (20, 30))['counts'] == code['counts']
    assert drawn > 500
