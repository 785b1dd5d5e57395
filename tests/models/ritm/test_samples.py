"""Training samples of RITM: where clicks lie, what is cropped, and the simulated user's recorded clicks."""

import cv2
import numpy as np
import pytest

from chainer_seg.instances import Instances
from chainer_seg.models.ritm.samples import RitmSamples, error_click
from tests.models.ritm import reference


def two_objects(size=(90, 120)):
    masks = np.zeros((2, *size), bool)
    masks[0, 10:50, 10:50] = True
    masks[1, 30:80, 60:110] = True
    image = np.zeros((*size, 3), np.uint8)
    image[masks[0]], image[masks[1]] = (200, 0, 0), (0, 200, 0)
    return image, Instances(masks)


SAMPLES = RitmSamples((64, 96), max_clicks=6, least_area=50)


def drawn(transform, count=200, example=None):
    rng = np.random.default_rng(0)
    return [transform(example or two_objects(), rng) for _ in range(count)]


def test_shapes_types_and_ranges():
    for image, points, draws, target in filter(None, drawn(SAMPLES, 20)):
        assert image.shape == (3, 64, 96) and image.dtype == np.float32
        assert image.min() >= 0 and image.max() <= 1
        assert points.shape == (15, 3) and points.dtype == np.float32
        assert draws.shape == (3,) and draws.dtype == np.float32
        assert target.shape == (64, 96) and target.dtype == np.int32 and target.sum() >= 50


def test_positive_clicks_are_on_the_object_and_negative_ones_off_it():
    numbers = []
    for _, points, _, target in filter(None, drawn(SAMPLES)):
        for y, x, sign in points[points[:, 2] != 0]:
            assert target[int(y), int(x)] == (sign == 1)
        numbers.append([(points[:, 2] == sign).sum() for sign in (1, -1)])
    numbers = np.array(numbers)
    assert numbers[:, 0].min() == 1 and numbers[:, 0].max() <= 6
    assert numbers[:, 1].min() == 0 and numbers[:, 1].max() <= 6 and numbers[:, 1].max() > 2


def test_number_of_clicks_decays_as_published():
    """P(n + 1) / P(n) is 0.8, up to 24 clicks."""
    samples = RitmSamples()
    mask, rng = np.ones((1, 40, 40), bool), np.random.default_rng(0)
    counts = np.array([(samples.clicks(mask, ~mask[0], rng)[:, 2] == 1).sum() for _ in range(3000)])
    weights = 0.8 ** np.arange(24)
    np.testing.assert_allclose(counts.mean(), 1 + (weights * np.arange(24)).sum() / weights.sum(), rtol=0.05)


def test_each_of_two_merged_objects_is_clicked():
    _, instances = two_objects()
    rng = np.random.default_rng(0)
    for _ in range(50):
        clicks = RitmSamples(max_clicks=6).clicks(instances.masks, np.zeros((90, 120), bool), rng)
        positives = clicks[clicks[:, 2] == 1].astype(int)
        hit = [instances.masks[number][tuple(positives[:, :2].T)].any() for number in (0, 1)]
        assert all(hit) or len(positives) == 1


def test_image_and_target_are_cropped_and_mirrored_together():
    plain = RitmSamples((64, 96), brightness=(0, 0), contrast=(0, 0), color_shift=0, merged=0, least_area=50)
    found = list(filter(None, drawn(plain, 60)))
    for image, _, _, target in found:
        inner = cv2.erode(target.astype(np.uint8), np.ones((5, 5), np.uint8),
                          borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
        colors = {tuple(np.round(255 * image[:, y, x]).astype(int)) for y, x in np.argwhere(inner)}
        assert len(colors) <= 1 and colors <= {(200, 0, 0), (0, 200, 0)}
    corners = [np.argwhere(target)[0, 1] for *_, target in found]
    assert len(set(corners)) > 10


def test_small_images_are_padded_with_black():
    samples = RitmSamples((200, 300), brightness=(0, 0), contrast=(0, 0), color_shift=0, least_area=50)
    image, _, _, target = next(filter(None, drawn(samples, 5)))
    assert not image[:, 0].any() and not image[:, :, 0].any() and not target[0].any()


def test_image_without_a_large_object_gives_no_sample():
    assert set(drawn(RitmSamples((64, 96), least_area=5000), 5)) == {None}
    image, _ = two_objects()
    assert drawn(SAMPLES, 3, (image, Instances.empty(90, 120))) == [None] * 3


def test_random_numbers_of_the_simulated_user_come_first():
    numbers = [int((draws >= 0).sum()) for _, _, draws, _ in filter(None, drawn(SAMPLES))]
    assert set(numbers) == {0, 1, 2, 3}
    for _, _, draws, _ in filter(None, drawn(SAMPLES, 30)):
        assert (np.diff((draws >= 0).astype(int)) <= 0).all()


@pytest.mark.usefixtures('shared_data')
def test_recorded_clicks_of_the_original_are_among_those_of_the_simulated_user():
    arrays = reference.units()[1]
    given, half, checked = arrays['next_points_in'], 6, 0
    for draw in arrays['next_points_out']:
        for index, points in enumerate(draw, start=1):
            for number in range(3):
                probability, truth = arrays['next_pred'][number, 0], arrays['next_gt'][number, 0] > 0
                possible = {error_click(probability, truth, share) for share in np.linspace(0, 0.9999, 500)}
                new = [(int(row[0]), int(row[1]), 1 if place < half else -1)
                       for place, row in enumerate(points[number]) if row[2] == index and
                       not np.array_equal(row, given[number][place])]
                assert set(new) <= possible and (bool(new) or possible == {None})
                checked += len(new)
    assert checked > 10


def test_no_error_is_no_click():
    truth = np.zeros((8, 9), bool)
    truth[2:5, 3:6] = True
    assert error_click(truth.astype(np.float32), truth, 0.5) is None


def test_equally_deep_errors_are_a_negative_click():
    truth, probability = np.zeros((9, 20), bool), np.zeros((9, 20), np.float32)
    truth[2:7, 2:7] = True
    probability[2:7, 12:17] = 1
    y, x, sign = error_click(probability, truth, 0.0)
    assert sign == -1 and 12 <= x < 17
