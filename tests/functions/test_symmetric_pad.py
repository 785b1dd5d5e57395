import chainer
import numpy as np
import pytest

from chainer_seg.functions import symmetric_pad
from chainer_seg.functions.symmetric_pad import SymmetricPad
from tests.cuda_host import run_gpu_code


@pytest.mark.parametrize('pad', [1, 3])
def test_border_is_that_of_numpys_symmetric_mode(rng, pad):
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    expected = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode='symmetric')
    np.testing.assert_array_equal(symmetric_pad(x, pad).array, expected)


def test_edge_pixel_is_repeated():
    x = np.array([[[[1, 2, 3]]]], np.float32)
    assert symmetric_pad(x, 2).array[0, 0, 0].tolist() == [2, 1, 1, 2, 3, 3, 2]


def test_padding_of_zero_returns_the_input(rng):
    x = rng.normal(size=(1, 1, 2, 2)).astype(np.float32)
    assert symmetric_pad(x, 0) is x


def test_padding_must_not_be_negative():
    with pytest.raises(ValueError, match='pad must be at least 0, got -1'):
        symmetric_pad(np.zeros((1, 1, 2, 2), np.float32), -1)


def test_gradient_of_the_border_is_dropped(rng):
    x = chainer.Variable(rng.normal(size=(2, 3, 4, 5)).astype(np.float32))
    y = symmetric_pad(x, 2)
    y.grad = rng.normal(size=y.shape).astype(np.float32)
    y.backward(retain_grad=True)
    np.testing.assert_array_equal(x.grad, y.grad[:, :, 2:-2, 2:-2])


@pytest.mark.parametrize('shape, pad', [((2, 3, 4, 5), 1), ((1, 2, 7, 3), 3), ((1, 1, 2, 3), 5)])
@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_cuda_kernel_on_the_host_matches_the_cpu(rng, monkeypatch, shape, pad, dtype):
    x = rng.normal(size=shape).astype(dtype)
    expected = symmetric_pad(x, pad).array
    run_gpu_code(monkeypatch, SymmetricPad)
    y = symmetric_pad(x, pad)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.array, expected)


@pytest.mark.gpu
def test_gpu_matches_the_cpu(rng):
    cupy = pytest.importorskip('cupy')
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    expected = symmetric_pad(x, 3).array
    np.testing.assert_array_equal(symmetric_pad(cupy.asarray(x), 3).array.get(), expected)
