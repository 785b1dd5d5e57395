"""What refinements say of input that is none, and what they make of input in another form."""

import numpy as np
import pytest

from chainer_seg.errors import ImageError, UserError
from chainer_seg.models.deeplab.dense_crf import dense_crf, semantic_crf
from chainer_seg.models.deeplab.graph_cut import graph_cut

SIZE = (24, 31)


@pytest.fixture
def image():
    image = np.full((*SIZE, 3), 60, np.uint8)
    image[6:18, 8:22] = 200
    return image


@pytest.fixture
def probability():
    probability = np.full(SIZE, 0.3, np.float32)
    probability[6:18, 8:22] = 0.7
    return probability


def semantic(image, probability):
    """As the refinements of one object: the plane of the object, of two."""
    return semantic_crf(image, np.stack([1 - probability, probability]))[1]


REFINEMENTS = {'semantic_crf': semantic, 'dense_crf': lambda *given: dense_crf(*given, []),
               'graph_cut': lambda *given: graph_cut(*given, [])}


@pytest.fixture(params=REFINEMENTS)
def refine(request):
    if request.param == 'graph_cut':
        pytest.importorskip('maxflow')
    return REFINEMENTS[request.param]


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_a_single_value_that_is_not_finite_is_an_error(refine, image, probability, value):
    probability[3, 4] = value
    with pytest.raises(UserError, match=r'^[12] of \d+ probabilities are NaN or infinite'):
        refine(image, probability)


def test_logits_are_an_error(refine, image, probability):
    with pytest.raises(UserError, match='must be in 0..1, .*; apply a s'):
        refine(image, np.log(probability / (1 - probability)) * 3)


def test_log_probabilities_are_an_error(image, probability):
    with pytest.raises(UserError, match='must be in 0..1, .*; apply a softmax'):
        semantic_crf(image, np.log(np.stack([1 - probability, probability])))


@pytest.mark.parametrize('convert', [
    lambda image: (image / 255).astype(np.float32), lambda image: image.astype(np.float32),
    lambda image: image.astype(np.int64), lambda image: image.transpose(2, 0, 1).astype(np.float32)])
def test_other_image_types_give_the_same_result(refine, image, probability, convert):
    np.testing.assert_array_equal(refine(convert(image), probability), refine(image, probability))


def test_a_grey_image_has_three_equal_channels(refine, image, probability):
    np.testing.assert_array_equal(refine(image[:, :, 0], probability), refine(image, probability))


def test_an_image_with_nan_is_an_error(refine, image, probability):
    with pytest.raises(ImageError, match='NaN'):
        refine(np.where(image > 100, np.nan, image), probability)


def test_an_image_of_another_size_is_an_error(refine, image, probability):
    with pytest.raises(ImageError, match='24x30 pixels and the probabilit.* 24x31; both must'):
        refine(image[:, :30], probability)


def test_float64_probabilities_give_the_same_result(refine, image, probability):
    np.testing.assert_allclose(refine(image, probability.astype(np.float64)), refine(image, probability),
                               atol=1e-6)


def test_rounding_errors_beyond_the_range_are_clipped(refine, image, probability):
    probability[0] = -0.001
    assert (refine(image, probability) >= 0).all()


def test_a_single_class_is_an_error(image, probability):
    with pytest.raises(UserError, match='have one class.*add the background'):
        semantic_crf(image, probability[None])


def test_probabilities_that_do_not_sum_to_one_are_an_error(image, probability):
    with pytest.raises(UserError, match='sum to 1.3 at a pixel, not to 1; divide'):
        semantic_crf(image, np.stack([np.full(SIZE, 0.6), probability]))


@pytest.mark.parametrize('shape', [(24, 31), (1, 2, 24, 31), (0, 24, 31)])
def test_other_shapes_of_probabilities_are_an_error(image, shape):
    with pytest.raises(UserError):
        semantic_crf(image, np.zeros(shape, np.float32))


@pytest.mark.parametrize('shape', [(1, 24, 31), (24,), ()])
def test_other_shapes_of_a_probability_are_an_error(image, shape):
    with pytest.raises(UserError, match=r'must have the shape \(H, W\)'):
        dense_crf(image, np.zeros(shape, np.float32), [])


def test_text_is_not_a_probability(image):
    with pytest.raises(UserError, match='must be numbers'):
        dense_crf(image, np.full(SIZE, 'a'), [])


def test_a_mask_is_accepted_as_a_probability(image, probability):
    mask = probability > 0.5
    np.testing.assert_array_equal(dense_crf(image, mask, []), dense_crf(image, mask.astype('f4'), []))
