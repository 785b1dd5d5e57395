"""Mean field of the dense CRF against the sum over all pairs of pixels; what clicks settle."""

import numpy as np
import pytest

from chainer_seg.errors import ImageError, UserError
from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.dense_crf import (
    PRESETS,
    CrfParameters,
    dense_crf,
    joint_crf,
    mean_field,
    semantic_crf,
)


def naive_mean_field(image, probabilities, parameters):
    """arXiv 1210.5644, algorithm 1, with the symmetric normalisation of the authors' program."""
    classes, height, width = probabilities.shape
    places = np.stack(np.mgrid[:height, :width], axis=-1).reshape(-1, 2).astype(float)
    colours = image.reshape(-1, 3).astype(float)
    kernels = [
        (parameters.smooth_weight, places / parameters.smooth_xy),
        (parameters.colour_weight, np.hstack([places / parameters.colour_xy,
                                              colours / parameters.colour_rgb]))]
    message = np.zeros((height * width, height * width))
    for weight, features in kernels:
        squares = ((features[:, None] - features[None, :]) ** 2).sum(axis=2)
        kernel = np.exp(-squares / 2)
        root = np.sqrt(kernel.sum(axis=1))
        message += weight * kernel / root[:, None] / root[None, :]
    prior = probabilities.reshape(classes, -1).T.astype(float)
    belief = prior
    for _ in range(parameters.steps):
        belief = prior * np.exp(message @ belief)
        belief /= belief.sum(axis=1, keepdims=True)
    return belief.T.reshape(classes, height, width)


def noisy_square(rng, size=(16, 18)):
    """A bright square on a dark ground, and a blurred, noisy belief of where it is."""
    truth = np.zeros(size, bool)
    truth[4:12, 5:14] = True
    image = np.where(truth[:, :, None], 180, 60) + rng.integers(-12, 13, size + (3,))
    belief = np.clip(np.where(truth, 0.65, 0.35) + rng.normal(0, 0.15, size), 0.02, 0.98)
    return image.astype(np.uint8), belief.astype(np.float32), truth


# Spread little, so that the naive sum and the lattice, which is coarse, see the same.
WEAK = CrfParameters(1, 2, 2, 6, 30, steps=5)


@pytest.mark.parametrize('parameters', [WEAK, PRESETS['tensorflow']])
def test_mean_field_equals_a_dense_computation_over_all_pairs(rng, parameters):
    image, belief, _ = noisy_square(rng)
    probabilities = np.stack([1 - belief, belief])
    found = mean_field(image, probabilities, parameters)
    expected = naive_mean_field(image, probabilities, parameters)
    np.testing.assert_allclose(found, expected, atol=0.06)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)


def test_mean_field_supports_more_than_two_classes(rng):
    image, belief, _ = noisy_square(rng)
    probabilities = np.stack([1 - belief, belief * 0.6, belief * 0.4])
    found = mean_field(image, probabilities, WEAK)
    np.testing.assert_allclose(found, naive_mean_field(image, probabilities, WEAK), atol=0.06)


def test_zero_weights_change_nothing(rng):
    image, belief, _ = noisy_square(rng)
    found = dense_crf(image, belief, [], preset=CrfParameters(0, 3, 0, 40, 17))
    np.testing.assert_allclose(found, belief, atol=1e-5)


def test_published_parameters_clean_up_a_noisy_probability(rng):
    image, belief, truth = noisy_square(rng)
    assert ((belief > 0.5) != truth).sum() > 10
    assert ((dense_crf(image, belief, [], preset='tensorflow') > 0.5) == truth).all()


def test_presets_equal_the_published_parameters():
    assert PRESETS['tensorflow'] == CrfParameters(3, 9, 10, 40, 17, 10)
    assert PRESETS['deeplab'] == CrfParameters(3, 1, 4, 67, 3, 10)


@pytest.mark.parametrize('preset', PRESETS)
def test_clicks_keep_their_labels_and_probabilities_of_0_and_1_are_accepted(rng, preset):
    image, _, truth = noisy_square(rng)
    clicks = [Click(0, 0), Click(8, 9, False)]
    found = dense_crf(image, truth.astype(np.float32), clicks, preset=preset, seed_radius=1)
    assert np.isfinite(found).all() and found.dtype == np.float32
    assert found[0, 0] == found[0, 1] == 1 and found[8, 9] == found[7, 9] == 0


def test_clicks_keep_their_labels_in_a_shrunk_crop(rng):
    image = rng.integers(0, 256, (300, 200, 3), np.uint8)
    clicks = [Click(151.3, 20, False), Click(40, 50.5)]
    found = dense_crf(image, np.full((300, 200), 0.4, np.float32), clicks, longest_side=48)
    assert found.shape == (300, 200) and not found[151, 20] > 0.5 and found[40, 50] > 0.5


def test_an_image_of_one_pixel_is_refined(rng):
    image = np.zeros((1, 1, 3), np.uint8)
    found = dense_crf(image, np.full((1, 1), 0.7, np.float32), [])
    assert found.shape == (1, 1) and found[0, 0] > 0.5
    assert dense_crf(image, np.full((1, 1), 0.7, np.float32), [Click(0, 0, False)])[0, 0] == 0


def test_without_an_object_and_clicks_the_result_is_empty():
    nothing = np.zeros((5, 6), np.float32)
    assert (dense_crf(np.zeros((5, 6, 3), np.uint8), nothing, []) == 0).all()


def test_different_sizes_are_an_error():
    with pytest.raises(ImageError, match='image is 3x4 pixels and the probability 4x3'):
        dense_crf(np.zeros((3, 4, 3), np.uint8), np.zeros((4, 3), np.float32), [])


def test_an_unknown_preset_is_an_error():
    with pytest.raises(UserError, match="Unknown CRF parameters 'caffe'; choose from tensorflow, deeplab"):
        dense_crf(np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.float32), [], preset='caffe')


def beliefs_of_classes(rng, size=(16, 18), classes=5):
    """An image and what is believed of classes, of which the last two are believed nowhere."""
    image, belief, truth = noisy_square(rng, size)
    logits = rng.normal(0, 0.7, (classes, *size))
    logits[0] += 2 * ~truth
    logits[1] += 2 * truth
    logits[-2:] -= 9
    powers = np.exp(logits)
    return image, (powers / powers.sum(axis=0)).astype(np.float32), truth


def test_classes_that_do_not_occur_keep_their_probabilities(rng):
    image, probabilities, _ = beliefs_of_classes(rng)
    found = semantic_crf(image, probabilities, preset=WEAK)
    assert probabilities[3:].max() < 0.01 < probabilities[:3].max(axis=(1, 2)).min()
    np.testing.assert_array_equal(found[3:], probabilities[3:])
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize('preset', PRESETS)
def test_excluding_classes_changes_little(rng, preset):
    image, probabilities, _ = beliefs_of_classes(rng)
    found = semantic_crf(image, probabilities, preset=preset)
    np.testing.assert_allclose(found, mean_field(image, probabilities, PRESETS[preset]), atol=0.01)


def test_published_parameters_clean_up_classes(rng):
    image, probabilities, truth = beliefs_of_classes(rng)
    assert (probabilities.argmax(axis=0) != truth).sum() > 10
    assert (semantic_crf(image, probabilities, preset='tensorflow').argmax(axis=0) == truth).all()


def test_zero_weights_do_not_change_the_classes(rng):
    image, probabilities, _ = beliefs_of_classes(rng)
    found = semantic_crf(image, probabilities, preset=CrfParameters(0, 3, 0, 40, 17))
    np.testing.assert_allclose(found, probabilities, atol=1e-5)


def test_many_equally_likely_classes_are_refined(rng):
    image, _, _ = noisy_square(rng)
    probabilities = np.full((300, 16, 18), 1 / 300, np.float32)
    found = semantic_crf(image, probabilities, preset='tensorflow')
    np.testing.assert_allclose(found, probabilities, rtol=1e-3)


def test_a_class_of_probability_0_can_win(rng):
    image = np.full((9, 9, 3), 100, np.uint8)
    probabilities = np.zeros((2, 9, 9), np.float32)
    probabilities[0] = 1
    probabilities[:, 4, 4] = 0, 1
    found = semantic_crf(image, probabilities, preset=CrfParameters(12, 3, 12, 40, 17))
    assert np.isfinite(found).all() and (found.argmax(axis=0) == 0).all()


@pytest.mark.parametrize('numbers', [
    (3, 0, 4, 67, 3), (3, 1, -4, 67, 3), (3, 1, 4, 67, -3), (3, 1, 4, float('nan'), 3),
    (float('inf'), 1, 4, 67, 3), (3, 1, 4, 67, 3, -1)])
def test_invalid_parameters_are_an_error(numbers):
    with pytest.raises(UserError, match='deviations must be above 0'):
        CrfParameters(*numbers)


def test_too_small_deviations_are_an_error(rng):
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    with pytest.raises(UserError, match='use larger deviations'):
        semantic_crf(image, np.full((2, 40, 50), 0.5), preset=CrfParameters(1, 1, 1, 0.01, 0.01))


def test_classes_of_another_size_than_the_image_are_an_error():
    with pytest.raises(ImageError, match='image is 2x3 pixels and the probabilities 3x2'):
        semantic_crf(np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 2), 0.5))


def test_the_joint_crf_is_that_of_the_tensorflow_script(rng):
    """Its unaries, and mean field over all pairs of pixels, on two objects that overlap."""
    image, first, truth = noisy_square(rng)
    second = np.clip(np.roll(first, 5, axis=1) * 0.8, 0, 1)
    objects = np.stack([first, second])
    scaled = objects / objects.max()
    unaries = np.concatenate([(1 - scaled.max(axis=0))[None] * 0.05, scaled]) + 1e-10
    expected = naive_mean_field(image, unaries / unaries.sum(axis=0), WEAK)
    labels = joint_crf(image, objects, preset=WEAK)
    top = np.sort(expected, axis=0)
    clear = top[-1] - top[-2] > 0.2
    assert clear.mean() > 0.7
    np.testing.assert_array_equal(labels[clear], expected.argmax(axis=0)[clear])


def test_no_pixel_of_the_joint_crf_belongs_to_two_objects(rng):
    image = np.full((12, 20, 3), 90, np.uint8)
    image[:, :10] = 200
    objects = np.zeros((2, 12, 20), np.float32)
    objects[0, :, :12], objects[1, :, 8:] = 0.9, 0.9
    labels = joint_crf(image, objects, preset=CrfParameters(1, 2, 3, 5, 20))
    assert (labels[:, :8] == 1).all() and (labels[:, 12:] == 2).all()
    np.testing.assert_array_equal(np.unique(labels), [1, 2])
    with pytest.raises(UserError, match='must have the shape .K, H, W.'):
        joint_crf(image, objects[0])
