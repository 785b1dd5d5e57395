import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.links import FeaturePyramid


def maps_of(rng, sizes=((9, 13), (5, 7), (3, 4)), channels=(4, 6, 8)):
    return [rng.normal(size=(2, count, *size)).astype(np.float32)
            for count, size in zip(channels, sizes)]


def shapes(maps):
    return [x.shape for x in maps]


def test_detectron_s_level_6_is_every_second_pixel_of_level_5(rng):
    maps = FeaturePyramid((4, 6, 8), channels=5)(maps_of(rng))
    assert shapes(maps) == [(2, 5, 9, 13), (2, 5, 5, 7), (2, 5, 3, 4), (2, 5, 2, 2)]
    np.testing.assert_array_equal(maps[3].array, maps[2].array[:, :, ::2, ::2])


def test_two_strided_convolutions_add_two_levels(rng):
    pyramid = FeaturePyramid((4, 6, 8), channels=5, upsampling='bilinear', activation='relu', extra=2)
    maps = pyramid(maps_of(rng))
    assert shapes(maps) == [(2, 5, 9, 13), (2, 5, 5, 7), (2, 5, 3, 4), (2, 5, 2, 2), (2, 5, 1, 1)]
    np.testing.assert_array_equal(maps[3].array, pyramid.extra[0](maps[2]).array)
    np.testing.assert_array_equal(maps[4].array, pyramid.extra[1](maps[3]).array)


def test_relu_is_applied_to_the_maps_of_the_backbone_only(rng):
    maps = FeaturePyramid((4, 6, 8), channels=5, activation='relu', extra=1)(maps_of(rng))
    assert all((x.array >= 0).all() for x in maps[:3])
    assert (maps[3].array < 0).any()


@pytest.mark.parametrize('upsampling, enlarged', [
    ('nearest', [[1, 1, 3, 3]]), ('bilinear', [[1, 1.5, 2.5, 3]])])
def test_the_sum_before_the_3x3_convolution_is_passed_down(upsampling, enlarged):
    pyramid = FeaturePyramid((1, 1), channels=1, upsampling=upsampling)
    for convolution in (*pyramid.lateral, *pyramid.output):
        convolution.W.array[...] = 0
        convolution.W.array[0, 0, convolution.ksize // 2, convolution.ksize // 2] = 1
    pyramid.output[1].W.array *= 7
    fine, coarse = np.full((1, 1, 1, 4), 10, np.float32), np.array([[[[1, 3]]]], np.float32)
    maps = pyramid([fine, coarse])
    np.testing.assert_allclose(maps[0].array[0, 0], 10 + np.array(enlarged))
    np.testing.assert_allclose(maps[1].array[0, 0], [[7, 21]])


def test_all_parameters_get_a_gradient(rng):
    pyramid = FeaturePyramid((4, 6, 8), channels=5, upsampling='bilinear', extra=2)
    pyramid.cleargrads()
    total = sum(F.sum(x * x) for x in pyramid(maps_of(rng)))
    total.backward()
    assert all(np.abs(parameter.grad).max() > 0 for parameter in pyramid.params())


def test_unknown_choices_are_errors():
    with pytest.raises(ValueError, match='upsampling'):
        FeaturePyramid((4,), upsampling='cubic')
    with pytest.raises(ValueError, match='activation'):
        FeaturePyramid((4,), activation='elu')
