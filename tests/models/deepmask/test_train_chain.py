"""The losses of DeepMask and SharpMask against their definitions, and what each batch may change."""

import chainer
import numpy as np
import pytest

from chainer_seg import training
from chainer_seg.datasets import ShapesDataset
from chainer_seg.datasets.object_index import ObjectIndex
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.deepmask.samples import NUMBERS, PatchSamples, stack_patches
from chainer_seg.models.deepmask.train_chain import (
    OBJECT_SHARE, DeepMaskTrainChain, SharpMaskTrainChain, begin_at_prior, patch_ious, soft_margin)
from tests.training.toys import assert_same_run, state_of

SMALL = {'patch_size': 48, 'blocks': (1, 1, 1), 'width': 3, 'norm': 'batch', 'bottleneck': 4,
         'features': 10, 'hidden': 7}


class FixedLogits(chainer.Chain):
    """Gives the same logits whatever comes in; their gradients can be read off."""

    def __init__(self, mask=None, score=None):
        super().__init__()
        with self.init_scope():
            self.mask, self.score = FixedHead(mask), FixedHead(score)

    def encode(self, x):
        return x

    def window_masks(self, features, skips):
        return self.mask(features)


class FixedHead(chainer.Chain):
    def __init__(self, logits):
        super().__init__()
        with self.init_scope():
            self.logits = chainer.Parameter(np.zeros((1, 1, 1), 'f') if logits is None else logits)

    def forward(self, features):
        return self.logits + 0


def observe(chain, *inputs, **targets):
    """The loss and what the chain reports."""
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', chain)
    with reporter, reporter.scope(observation):
        return chain(*inputs, **targets), observation


def definition(logits, target):
    """mean(log(1 + exp(-y t))) and its derivative by each logit, in double precision."""
    logits, target = logits.astype(np.float64), target.astype(np.float64)
    loss = np.log(1 + np.exp(-target * logits)).mean()
    return loss, -target / (1 + np.exp(target * logits)) / logits.size


def random_signs(rng, *shape):
    return rng.choice([-1, 1], shape).astype(np.float32)


def test_soft_margin_does_not_overflow():
    loss = soft_margin(chainer.Variable(np.array([500, -500], np.float32)),
                       np.array([-1, -1], np.float32))
    assert float(loss.array) == 250


def test_mask_loss_and_gradient_equal_their_definition_times_the_batch_size(rng):
    logits, target = rng.normal(0, 2, (4, 6, 6)).astype('f'), random_signs(rng, 4, 6, 6)
    chain = DeepMaskTrainChain(FixedLogits(mask=logits), mask_weight=4)
    loss, observation = observe(chain, np.zeros((4, 3, 8, 8), 'f'), mask=target)
    loss.backward()
    expected, gradient = definition(logits, target)
    assert float(loss.array) == pytest.approx(4 * expected, rel=1e-5)
    assert float(observation['main/mask_loss'].array) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(chain.model.mask.logits.grad, 4 * gradient, rtol=1e-4)


def test_masks_are_enlarged_to_the_target_with_aligned_corners(rng):
    logits, target = rng.normal(0, 2, (2, 3, 3)).astype('f'), random_signs(rng, 2, 5, 5)
    chain = DeepMaskTrainChain(FixedLogits(mask=logits), mask_weight=1)
    loss = chain(np.zeros((2, 3, 8, 8), 'f'), mask=target)
    loss.backward()
    # From 3 to 5 samples every second one is new, the mean of its neighbours.
    enlarge = np.array([[1, 0, 0], [.5, .5, 0], [0, 1, 0], [0, .5, .5], [0, 0, 1]])
    expected, gradient = definition(enlarge @ logits @ enlarge.T, target)
    assert float(loss.array) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(chain.model.mask.logits.grad, enlarge.T @ gradient @ enlarge,
                               rtol=1e-4)


def test_score_loss_and_gradient_equal_their_definition(rng):
    logits, target = rng.normal(0, 2, (5, 1, 1)).astype('f'), random_signs(rng, 5)
    chain = DeepMaskTrainChain(FixedLogits(score=logits), mask_weight=5)
    loss, observation = observe(chain, np.zeros((5, 3, 8, 8), 'f'), score=target)
    loss.backward()
    expected, gradient = definition(logits[:, 0, 0], target)
    assert float(loss.array) == pytest.approx(expected, rel=1e-5)
    assert observation['main/score_accuracy'] == np.mean((logits[:, 0, 0] >= 0) == (target > 0))
    np.testing.assert_allclose(chain.model.score.logits.grad[:, 0, 0], gradient, rtol=1e-4)


def test_patch_ious_equal_hand_computed_values():
    logits = np.array([[[1, 1], [-1, -1]], [[-1, -1], [-1, -1]], [[0, -1], [-1, -1]]], 'f')
    target = np.array([[[1, -1], [1, -1]], [[-1, -1], [-1, -1]], [[1, -1], [-1, -1]]], 'f')
    np.testing.assert_allclose(patch_ious(logits, target), [1 / 3, 1, 1])


@pytest.fixture
def deepmask_chain():
    return DeepMaskTrainChain(DeepMask(mask_size=10, target_size=24, **SMALL), mask_weight=2)


@pytest.fixture
def sharpmask_chain():
    return SharpMaskTrainChain(
        SharpMask(mask_size=10, mask_channels=32, skip_channels=6, **SMALL), mask_weight=2)


def parameters_of(chain):
    return {path: value.array.copy() for path, value in chain.model.namedparams()}


@pytest.mark.parametrize('head, other, target', [('mask', 'score', (2, 24, 24)),
                                                 ('score', 'mask', (2,))])
def test_a_batch_does_not_update_the_other_head(deepmask_chain, rng, head, other, target):
    optimizer = chainer.optimizers.MomentumSGD(0.01).setup(deepmask_chain)
    optimizer.add_hook(training.WeightDecay(0.1))
    x = rng.normal(size=(2, 3, 80, 80)).astype('f')
    optimizer.update(deepmask_chain, x, **{other: random_signs(rng, *((2, 24, 24) if other == 'mask'
                                                                     else (2,)))})
    before = parameters_of(deepmask_chain)
    optimizer.update(deepmask_chain, x, **{head: random_signs(rng, *target)})
    after = parameters_of(deepmask_chain)
    changed = {path.split('/')[1] for path in before if (before[path] != after[path]).any()}
    assert changed == {'trunk', head}


def test_sharpmask_trains_only_its_refinement(sharpmask_chain, rng):
    optimizer = chainer.optimizers.MomentumSGD(0.01).setup(sharpmask_chain)
    optimizer.add_hook(training.WeightDecay(0.1))
    before, state = parameters_of(sharpmask_chain), state_of_links(sharpmask_chain)
    optimizer.update(sharpmask_chain, rng.normal(size=(2, 3, 80, 80)).astype('f'),
                     random_signs(rng, 2, 48, 48))
    after = parameters_of(sharpmask_chain)
    changed = {path.split('/')[1] for path in before if (before[path] != after[path]).any()}
    assert changed == {'refine'}
    for name, value in state_of_links(sharpmask_chain).items():
        if '/avg_' in name:
            np.testing.assert_array_equal(value, state[name], err_msg=name)


def state_of_links(chain):
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(chain)
    return {name: np.copy(value) for name, value in serializer.target.items()}


def test_sharpmask_loss_is_computed_from_the_refined_masks(sharpmask_chain, rng):
    x, target = rng.normal(size=(2, 3, 80, 80)).astype('f'), random_signs(rng, 2, 48, 48)
    loss, observation = observe(sharpmask_chain, x, mask=target)
    with chainer.using_config('train', False):
        logits = sharpmask_chain.model.forward(x)[0].array
    expected, _ = definition(logits, target)
    assert float(loss.array) == pytest.approx(2 * expected, rel=1e-4)
    assert observation['main/mask_iou'] == pytest.approx(patch_ious(logits, target).mean())


def test_the_gradient_of_the_refinement_equals_finite_differences(sharpmask_chain, rng):
    x, target = rng.normal(size=(2, 3, 80, 80)).astype('f'), random_signs(rng, 2, 48, 48)
    sharpmask_chain.cleargrads()
    sharpmask_chain(x, target).backward()
    bias = sharpmask_chain.model.refine.logit.b
    gradient, step = float(bias.grad[0]), 0.05
    losses = []
    for sign in (1, -1):
        bias.array += sign * step
        losses.append(float(sharpmask_chain(x, target).array))
        bias.array -= sign * step
    assert gradient == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-2)


def test_a_new_refinement_predicts_the_prior_probability(sharpmask_chain, rng):
    model = sharpmask_chain.model
    begin_at_prior(model.refine)
    with chainer.using_config('train', False):
        logits = model.forward(rng.normal(size=(2, 3, 80, 80)).astype('f'))[0].array
    assert (1 / (1 + np.exp(-logits))).mean() == pytest.approx(OBJECT_SHARE, abs=0.08)


def build_run(out, chain, samples, **settings):
    return training.build_trainer(
        chain, NUMBERS, transform=samples, shuffle=False, converter=stack_patches, out=out,
        workers=0, tensorboard=False, progress='none', **{
            'iterations': 6, 'batch_size': 4, 'lr': 0.01, 'momentum': 0.9, 'weight_decay': 1e-3,
            'log_every': 1, 'snapshot_every': 100, **settings})


@pytest.fixture(scope='module')
def objects():
    return ObjectIndex(ShapesDataset(4, 0, (64, 64)))


def samples_for(objects, batch_size=4):
    return PatchSamples(objects, 48, 24, batch_size=batch_size, seed=1)


def make_chain():
    return DeepMaskTrainChain(DeepMask(mask_size=10, target_size=24, **SMALL), mask_weight=4)


@pytest.mark.parametrize('optimizer', ['momentum', 'adam'])
@pytest.mark.parametrize('iteration', [1, 3])
def test_interrupted_run_equals_the_uninterrupted(tmp_path, objects, optimizer, iteration):
    whole = build_run(tmp_path / 'whole', make_chain(), samples_for(objects), optimizer=optimizer)
    training.train(whole)
    parts = build_run(tmp_path / 'parts', make_chain(), samples_for(objects), optimizer=optimizer,
                      iterations=iteration)
    training.train(parts)
    parts = build_run(tmp_path / 'parts', make_chain(), samples_for(objects), optimizer=optimizer,
                      resume='auto')
    assert parts.updater.iteration == iteration
    training.train(parts)
    assert_same_run(parts, whole)
    # Both heads had their turn.
    assert {name for line in whole.log.lines for name in line} >= {'mask_loss', 'score_loss'}


def test_sub_batches_give_the_gradient_of_the_batch(tmp_path, objects):
    states = []
    for sub_batches in (1, 2):
        chain = DeepMaskTrainChain(DeepMask(mask_size=10, target_size=24, **{**SMALL, 'norm': 'affine'},
                                            dropout=0.0), mask_weight=4)
        trainer = build_run(tmp_path / str(sub_batches), chain, samples_for(objects), iterations=2,
                            sub_batches=sub_batches)
        training.train(trainer)
        states.append(state_of(trainer))
    for name, value in states[0].items():
        np.testing.assert_allclose(value, states[1][name], rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize('make', ['deepmask_chain', 'sharpmask_chain'])
def test_training_fits_the_masks_of_a_batch(request, objects, make):
    chain = request.getfixturevalue(make)
    side = chain.model.target_size
    samples = PatchSamples(objects, 48, side, shift=4)
    batch = stack_patches([samples.draw_mask(np.random.default_rng(i)) for i in range(4)],
                          chainer.get_device('@numpy'))
    optimizer = chainer.optimizers.Adam(1e-2).setup(chain)
    losses = []
    for _ in range(30):
        optimizer.update(chain, **batch)
        losses.append(float(chain(**batch).array))
    assert losses[-1] < 0.7 * losses[0]
