import chainer
import numpy as np
import pytest

from chainer_seg.links import BatchNorm


def feed(link, batches):
    with chainer.using_config('train', True):
        for batch in batches:
            link(batch)


def test_output_in_training_matches_chainer(rng):
    ours, theirs = BatchNorm(3), chainer.links.BatchNormalization(3, eps=1e-5)
    x = rng.normal(2, 3, (4, 3, 5, 6)).astype(np.float32)
    with chainer.using_config('train', True):
        np.testing.assert_array_equal(ours(x).array, theirs(x).array)


def test_statistics_after_one_batch_are_those_of_the_batch(rng):
    link = BatchNorm(3)
    x = rng.normal(2, 3, (4, 3, 5, 6)).astype(np.float32)
    feed(link, [x])
    np.testing.assert_allclose(link.avg_mean, x.mean(axis=(0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(link.avg_var, x.var(axis=(0, 2, 3), ddof=1), rtol=1e-3)


@pytest.mark.parametrize('count', [5, 50, 1000])
def test_statistics_converge_in_few_and_in_many_batches(rng, count):
    link = BatchNorm(1)
    feed(link, rng.normal(7, 2, (count, 2, 1, 4, 4)).astype(np.float32))
    # Single batches are off by 2 / sqrt(32) = 0.35 in the mean.
    assert abs(link.avg_mean[0] - 7) < (0.5 if count < 10 else 0.2)
    assert abs(link.avg_var[0] - 4) < (1.5 if count < 10 else 0.5)


def test_old_batches_are_forgotten(rng):
    link = BatchNorm(1)
    feed(link, rng.normal(100, 1, (50, 2, 1, 4, 4)).astype(np.float32))
    feed(link, rng.normal(0, 1, (600, 2, 1, 4, 4)).astype(np.float32))
    assert abs(link.avg_mean[0]) < 0.5


def test_inference_does_not_change_the_statistics(rng):
    link = BatchNorm(2)
    feed(link, [rng.normal(size=(2, 2, 3, 3)).astype(np.float32)])
    before = link.avg_mean.copy(), int(link.N)
    with chainer.using_config('train', False):
        link(rng.normal(5, 1, (2, 2, 3, 3)).astype(np.float32))
    assert (link.avg_mean == before[0]).all() and int(link.N) == before[1]
