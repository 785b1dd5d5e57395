"""Parameters that will be loaded from a file are not initialised, and are like any others afterwards."""

import tracemalloc

import chainer
import chainer.links as L
import numpy as np
import pytest

from chainer_seg.compat.blank import TooManyParameters, blank_parameters


def test_parameters_are_blank_inside_only():
    with blank_parameters():
        inside = L.Convolution2D(3, 4, 3)
    outside = L.Convolution2D(3, 4, 3)
    assert inside.W.shape == (4, 3, 3, 3) and inside.W.dtype == np.float32
    assert not inside.W.array.any() and outside.W.array.any()
    assert np.isnan(outside.W.grad).all()


def test_no_random_numbers_are_used():
    rng = np.random.default_rng(0)
    with blank_parameters():
        L.Convolution2D(3, 4, 3, initialW=chainer.initializers.HeNormal(rng=rng))
    assert rng.random() == np.random.default_rng(0).random()


def test_blank_parameters_have_the_configured_dtype():
    with blank_parameters(), chainer.using_config('dtype', np.float16):
        assert L.Linear(2, 3).W.dtype == np.float16
        assert L.BatchNormalization(3, dtype=np.float32).avg_mean.dtype == np.float32


def test_a_blank_link_can_be_trained():
    with blank_parameters():
        link = L.Linear(2, 1)
    link.cleargrads()
    optimizer = chainer.optimizers.SGD(0.5).setup(link)
    optimizer.update(lambda: chainer.functions.sum(link(np.ones((1, 2), np.float32))))
    np.testing.assert_allclose(link.W.array, [[-0.5, -0.5]])


def test_blank_parameters_take_no_more_than_their_own_memory():
    with blank_parameters():
        tracemalloc.start()
        L.Linear(1000, 1000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2.1 * 4_000_000  # The parameter and its gradient.


def test_exceeding_the_limit_of_parameters_raises():
    with blank_parameters(limit=100):
        L.Linear(9, 10)  # 100 with the bias; gradients do not count.
    with pytest.raises(TooManyParameters, match='more than 100 parameters'), blank_parameters(limit=100):
        L.Linear(10, 10)


def test_the_limit_ends_with_its_context():
    with blank_parameters(limit=1):
        pass
    with blank_parameters():
        assert L.Linear(10, 10).W.size == 100
