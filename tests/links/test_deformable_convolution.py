import numpy as np
from chainer import functions as F

from chainer_seg.functions import deformable_convolution
from chainer_seg.links import DeformableConvolution2D


def test_the_initial_output_is_half_that_of_a_convolution(rng):
    link = DeformableConvolution2D(3, 5, 3, stride=2, pad=1)
    x = rng.standard_normal((2, 3, 9, 8)).astype(np.float32)
    expected = F.convolution_2d(x, link.W.array / 2, None, stride=2, pad=1)
    np.testing.assert_allclose(link(x).array, expected.array, atol=1e-5)


def test_offsets_and_weight_logits_are_the_output_of_the_child(rng):
    link = DeformableConvolution2D(2, 4, 3, pad=1)
    link.offset.W.array[...] = rng.normal(0, 0.3, link.offset.W.shape)
    link.offset.b.array[...] = rng.normal(0, 1, link.offset.b.shape)
    link.b.array[...] = rng.normal(0, 1, link.b.shape)
    x = rng.standard_normal((1, 2, 6, 7)).astype(np.float32)
    maps = F.convolution_2d(x, link.offset.W, link.offset.b, pad=1).array
    expected = deformable_convolution(
        x, maps[:, :18], 1 / (1 + np.exp(-maps[:, 18:])), link.W, link.b, pad=1)
    np.testing.assert_allclose(link(x).array, expected.array, atol=1e-5)


def test_all_parameters_get_a_gradient(rng):
    link = DeformableConvolution2D(2, 4, 3, pad=1)
    link.cleargrads()
    F.sum(link(rng.standard_normal((1, 2, 6, 7)).astype(np.float32)) ** 2).backward()
    for name, param in link.namedparams():
        assert np.abs(param.grad).max() > 0, name
