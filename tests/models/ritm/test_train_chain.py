"""Iterative training: which clicks and masks the network gets, the reported losses, and that it learns."""

import chainer
import numpy as np
import pytest

from chainer_seg.models.ritm.losses import cross_entropy, normalised_focal_loss
from chainer_seg.models.ritm.samples import error_click
from chainer_seg.models.ritm.train_chain import RitmTrainChain
from tests.models.ritm import toys


def make_batch(size=(32, 40), draws=((0.3, 0.7), (-1, -1))):
    rng = np.random.default_rng(0)
    image = rng.random((2, 3, *size), np.float32)
    target = np.zeros((2, *size), np.int32)
    target[:, 8:24, 8:28] = 1
    points = np.zeros((2, 5, 3), np.float32)
    points[:, 0] = 16, 16, 1
    return image, points, np.array(draws, np.float32), target


@pytest.mark.parametrize('kind', toys.KINDS)
def test_loss_is_the_focal_loss_and_the_weighted_cross_entropy(kind):
    chain = RitmTrainChain(toys.make(kind))
    image, points, draws, target = make_batch(draws=((-1,), (-1,)))
    with chainer.using_config('train', False):
        reporter = chainer.Reporter()
        reporter.add_observer('', chain)
        with reporter.scope({}):
            loss = chain(image, points, draws, target)
            found = dict(reporter.observation)
        logits, aux = chain._logits(image, points, np.zeros((2, 32, 40), np.float32))
    focal = normalised_focal_loss(logits, target).array
    extra = 0 if aux is None else cross_entropy(aux, target).array
    np.testing.assert_allclose(loss.array, focal + 0.4 * extra, rtol=1e-5)
    assert {name.lstrip('/') for name in found} == {'loss', 'loss/focal', 'iou'} | (
        {'loss/aux'} if kind == 'hrnet' else set())


def test_simulated_clicks_follow_the_network_and_its_last_probability_is_the_previous_mask():
    chain = RitmTrainChain(toys.make('hrnet'))
    image, points, draws, target = make_batch()
    found, previous = chain.play(image, points, draws, target)
    mask = np.zeros((1, 32, 40), np.float32)
    wanted = points[:1].copy()
    for number in range(2):
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            logits, _ = chain._logits(image[:1], wanted, mask)
        mask = chainer.functions.sigmoid(logits).array
        wanted[0, 1 + number] = error_click(mask[0], target[0] == 1, draws[0, number])
    np.testing.assert_array_equal(found[0], wanted[0])
    np.testing.assert_allclose(previous[0], mask[0], atol=1e-5)
    np.testing.assert_array_equal(found[1], points[1])
    assert not previous[1].any()


def test_passes_of_the_simulated_user_leave_statistics_and_gradients_alone():
    chain = RitmTrainChain(toys.make('hrnet'))
    chain.cleargrads()
    before = chain.model.context.merge.norm.avg_mean.copy()
    chain.play(*make_batch())
    np.testing.assert_array_equal(chain.model.context.merge.norm.avg_mean, before)
    assert all(parameter.grad is None for parameter in chain.params())


@pytest.mark.parametrize('kind', toys.KINDS)
def test_loss_falls_in_training(kind):
    chain = RitmTrainChain(toys.make(kind, slope=0.2))
    optimizer = chainer.optimizers.Adam(1e-2).setup(chain)
    batch, losses = make_batch(), []
    batch[0][:] = np.where(batch[3][:, None] == 1, 0.8, 0.2) + 0.1 * batch[0]
    for _ in range(40):
        loss = chain(*batch)
        chain.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:3])


@pytest.mark.gpu
def test_gpu_gives_the_loss_of_the_cpu():
    chain, batch = RitmTrainChain(toys.make('hrnet')), make_batch()
    with chainer.using_config('train', False):
        wanted = float(chain(*batch).array)
        chain.to_device('@cupy:0')
        found = float(chain(*(chain.device.send(each) for each in batch)).array)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
