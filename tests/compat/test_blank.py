"""Parameters that wait for weights from a file are not drawn, and are as any others afterwards."""

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


def test_nothing_is_drawn():
    rng = np.random.default_rng(0)
    with blank_parameters():
        L.Convolution2D(3, 4, 3, initialW=chainer.initializers.HeNormal(rng=rng))
    assert rng.random() == np.random.default_rng(0).random()


def test_the_configured_type_holds():
    with blank_parameters(), chainer.using_config('dtype', np.float16):
        assert L.Linear(2, 3).W.dtype == np.float16
        assert L.BatchNormalization(3, dtype=np.float32).avg_mean.dtype == np.float32


def test_a_blank_link_learns_as_any_other():
    with blank_parameters():
        link = L.Linear(2, 1)
    link.cleargrads()
    optimizer = chainer.optimizers.SGD(0.5).setup(link)
    optimizer.update(lambda: chainer.functions.sum(link(np.ones((1, 2), np.float32))))
    np.testing.assert_allclose(link.W.array, [[-0.5, -0.5]])


def test_no_temporary_numbers_take_memory():
    with blank_parameters():
        tracemalloc.start()
        L.Linear(1000, 1000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 2.1 * 4_000_000  # The parameter and its gradient, which no one has written to.


def test_a_network_with_more_parameters_than_allowed_is_given_up_at_once():
    with blank_parameters(most=100):
        L.Linear(9, 10)  # 100 with the bias; gradients do not count.
    with pytest.raises(TooManyParameters, match='more than 100 parameters'), blank_parameters(most=100):
        L.Linear(10, 10)


def test_the_allowance_holds_inside_only():
    with blank_parameters(most=1):
        pass
    with blank_parameters():
        assert L.Linear(10, 10).W.size == 100
