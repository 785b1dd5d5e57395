"""The graph cut against the least energy over all labellings, written naively; its constraints."""

import itertools
import math

import numpy as np
import pytest

from chainer_seg.errors import ClickError, ImageError
from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.graph_cut import (
    around_cut,
    colour_evidence,
    contrast_weights,
    graph_cut,
)

SIZE = (2, 5)
SMOOTHNESS = 0.9


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, SIZE + (3,), np.uint8)


@pytest.fixture
def probability(rng):
    return rng.uniform(0.1, 0.9, SIZE).astype(np.float32)


def neighbours():
    """All pairs of neighbouring pixels of SIZE, eight to a pixel, each pair once."""
    pixels = list(itertools.product(range(SIZE[0]), range(SIZE[1])))
    return [(a, b) for a, b in itertools.combinations(pixels, 2)
            if max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1]


def naive_energy(labels, image, probability, smoothness):
    """Boykov and Jolly's energy with -log probability as the cost of a label."""
    pixels = image.astype(float)
    squares = {pair: float(((pixels[pair[0]] - pixels[pair[1]]) ** 2).sum())
               for pair in neighbours()}
    mean = sum(squares.values()) / len(squares)
    energy = -sum(math.log(p if label else 1 - p)
                  for label, p in zip(labels.ravel(), probability.ravel().astype(float)))
    for (a, b), square in squares.items():
        if labels[a] != labels[b]:
            energy += smoothness * math.exp(-square / (2 * mean)) / math.dist(a, b)
    return energy


def least_energy_labels(image, probability, smoothness, allowed=lambda labels: True):
    every = (np.array(bits, bool).reshape(SIZE)
             for bits in itertools.product((False, True), repeat=SIZE[0] * SIZE[1]))
    return min((labels for labels in every if allowed(labels)),
               key=lambda labels: naive_energy(labels, image, probability, smoothness))


def cut(*arguments, **options):
    """The cut by what the network says alone, as Xu et al. do it."""
    return graph_cut(*arguments, smoothness=SMOOTHNESS, colour_weight=0, seed_radius=0,
                     **options) > 0.5


def test_the_cut_has_the_minimum_energy_of_all_labellings(image, probability):
    found = cut(image, probability, [])
    expected = least_energy_labels(image, probability, SMOOTHNESS)
    np.testing.assert_array_equal(found, expected)
    assert 0 < expected.sum() < expected.size
    assert (expected != (probability > 0.5)).any()  # the borders had a say


def test_with_clicks_the_cut_has_the_minimum_energy_of_the_labellings_that_obey_them(image, probability):
    free = least_energy_labels(image, probability, SMOOTHNESS)
    on, off = np.argwhere(~free)[0], np.argwhere(free)[0]
    found = cut(image, probability, [Click(*on), Click(*off, positive=False)])
    expected = least_energy_labels(
        image, probability, SMOOTHNESS, lambda labels: labels[tuple(on)] and not labels[tuple(off)])
    np.testing.assert_array_equal(found, expected)


def test_probabilities_of_exactly_0_and_1_are_cut(image):
    sure = np.zeros(SIZE, np.float32)
    sure[:, :2] = 1
    np.testing.assert_array_equal(cut(image, sure, []), sure > 0.5)
    found = cut(image, sure, [Click(0, 0, False), Click(1, 4)])
    assert not found[0, 0] and found[1, 4]


def test_a_single_pixel_follows_its_probability_and_its_click():
    image = np.zeros((1, 1, 3), np.uint8)
    assert cut(image, np.full((1, 1), 0.7, np.float32), [])
    assert not cut(image, np.full((1, 1), 0.3, np.float32), [])
    assert cut(image, np.zeros((1, 1), np.float32), [Click(0, 0)])


def test_the_boundary_follows_the_edge_of_the_colours():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 23:] = 200
    columns = np.arange(40)
    probability = np.tile(1 / (1 + np.exp((columns - 20) / 4)), (40, 1)).astype(np.float32)
    found = graph_cut(image, probability, [], colour_weight=0)
    np.testing.assert_array_equal(found > 0.5, np.broadcast_to(columns < 23, (40, 40)))


def test_discs_of_clicks_keep_their_labels_in_a_shrunk_crop(rng):
    image = rng.integers(0, 256, (300, 400, 3), np.uint8)
    probability = np.ones((300, 400), np.float32)
    clicks = [Click(100, 120, False), Click(200, 333, False), Click(100, 131)]
    found = graph_cut(image, probability, clicks, longest_side=64, seed_radius=5)
    rows, columns = np.mgrid[:300, :400]
    for click in clicks:
        disc = np.hypot(rows - click.y, columns - click.x) <= 5
        assert (found[disc] == click.positive).all()  # 1 or 0, whatever the threshold


def test_the_result_keeps_the_order_of_probabilities_on_both_sides_of_the_cut(image, probability):
    result = graph_cut(image, probability, [], smoothness=SMOOTHNESS, colour_weight=0)
    inside = result > 0.5
    assert result.dtype == np.float32 and result.min() >= 0 and result.max() <= 1
    np.testing.assert_array_equal(result > 0.25, inside | (probability > 0.5))
    np.testing.assert_array_equal(result > 0.75, inside & (probability > 0.5))


def test_the_result_is_above_half_exactly_inside_the_cut():
    inside = np.array([[True, True, False, False]])
    result = around_cut(inside, np.array([[0, 1, 0, 1]], np.float32))
    np.testing.assert_array_equal(result > 0.5, inside)


def test_without_an_object_and_clicks_the_result_is_empty(image):
    assert (graph_cut(image, np.zeros(SIZE, np.float32), []) == 0).all()


def test_contrast_weights_of_a_uniform_image_are_one_over_the_distance():
    right, below, *diagonal = contrast_weights(np.full((2, 3, 3), 7, np.uint8))
    assert right.tolist() == [1] * 4 and below.tolist() == [1] * 3
    np.testing.assert_allclose(np.concatenate(diagonal), np.full(4, 0.5 ** 0.5))


def test_colour_evidence_favours_the_side_where_a_colour_is_more_frequent():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20], image[:, 20:] = (250, 0, 0), (0, 0, 250)
    probability = np.repeat(np.array([[0.5, 0.9, 0.1]]), 10, axis=1).repeat(10, axis=0)
    evidence = colour_evidence(image, probability)
    # Half of all is object; of the red nine tenths are, and of the blue one tenth.
    np.testing.assert_allclose(evidence[0, [0, 10, 20]], [0, np.log(9), -np.log(9)], atol=0.01)


def test_one_click_spreads_over_an_object_of_one_colour():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = (200, 180, 40)
    probability = np.full((40, 60), 0.45, np.float32)
    found = graph_cut(image, probability, [Click(20, 50), Click(20, 10, False)]) > 0.5
    np.testing.assert_array_equal(found, np.broadcast_to(np.arange(60) >= 30, (40, 60)))


def test_different_sizes_are_an_error(image):
    with pytest.raises(ImageError, match='image is 2x5 pixels and the probability 5x2'):
        graph_cut(image, np.zeros(SIZE[::-1], np.float32), [])


def test_a_click_outside_is_an_error(image, probability):
    with pytest.raises(ClickError, match='lies outside the image'):
        graph_cut(image, probability, [Click(2, 0)])
