import chainer
import cv2
import numpy as np
import pytest
from chainer import functions as F
from chainer import gradient_check

from chainer_seg.functions import resize_bilinear, resize_like
from chainer_seg.functions.resize_bilinear import resize_array


@pytest.mark.parametrize('size', [(9, 13), (4, 5), (1, 1), (33, 2), (3, 40)])
def test_aligned_centres_match_resize_images_of_chainer(rng, size):
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(
        resize_bilinear(x, size).array, F.resize_images(x, size).array, rtol=1e-5, atol=1e-6)


def test_aligned_centres_of_one_row_by_hand():
    x = np.array([[[[0, 10, 20]]]], np.float32)
    assert resize_bilinear(x, (1, 5)).array.tolist() == [[[[0, 5, 10, 15, 20]]]]


def test_single_pixel_fills_the_image():
    assert (resize_bilinear(np.full((1, 1, 1, 1), 7, np.float32), (3, 4)).array == 7).all()


def test_gradient_matches_finite_differences(rng):
    x = rng.normal(size=(1, 2, 3, 4))
    gradient_check.check_backward(
        lambda x: resize_bilinear(x, (7, 9)), x, rng.normal(size=(1, 2, 7, 9)), dtype=np.float64)


def test_output_has_the_dtype_of_the_input(rng):
    x = chainer.Variable(rng.normal(size=(1, 1, 2, 2)).astype(np.float32))
    assert resize_bilinear(x, (4, 4)).dtype == np.float32


@pytest.mark.parametrize('size', [(9, 13), (4, 5), (1, 1), (33, 2), (3, 40)])
def test_aligned_corners_match_cv2(rng, size):
    """cv2 samples at (target + 0.5) * in / out - 0.5 as well, without antialiasing."""
    x = rng.normal(size=(1, 3, 4, 5)).astype(np.float32)
    expected = [cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in x[0]]
    found = resize_bilinear(x, size, align_corners=False).array[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_aligned_corners_of_one_row_by_hand():
    x = np.array([[[[0, 10]]]], np.float32)
    found = resize_bilinear(x, (1, 4), align_corners=False).array
    assert found.tolist() == [[[[0, 2.5, 7.5, 10]]]]


@pytest.mark.parametrize('size, wanted', [
    ((5, 7), (12, 3)), ((5, 7), (5, 7)), ((1, 4), (3, 9)), ((6, 1), (2, 5)), ((8, 9), (1, 1))])
def test_resized_array_is_as_with_gradients(size, wanted, rng):
    x = rng.standard_normal((2, 3, *size)).astype(np.float32)
    found = resize_array(x, wanted)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, resize_bilinear(x, wanted).array, atol=1e-6)
    np.testing.assert_array_equal(resize_array(x[0, 0], wanted), found[0, 0])


def test_the_size_of_other_images_is_taken_and_they_get_no_gradient():
    rng = np.random.default_rng(0)
    x = chainer.Variable(rng.normal(size=(2, 3, 4, 5)).astype(np.float32))
    other = chainer.Variable(rng.normal(size=(1, 1, 7, 9)).astype(np.float32))
    found = resize_like(x, other, align_corners=False)
    np.testing.assert_array_equal(found.array, resize_bilinear(x, (7, 9), align_corners=False).array)
    F.sum(found).backward()
    assert x.grad is not None and other.grad is None
