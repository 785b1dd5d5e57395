"""Updates: sub-batches, per-parameter settings, and batches that are not finite."""

import chainer
import numpy as np
import pytest

from chainer_seg import training
from chainer_seg.errors import TrainingError

from .toys import Net, Images, build, state_of


def first_gradients(tmp_path, sub_batches, batch_size=8):
    net = Net(batch_norm=False, dropout=0)
    trainer = build(tmp_path / str(sub_batches), net, iterations=1, batch_size=batch_size,
                    sub_batches=sub_batches, weight_decay=0, evaluator=None, log_every=1)
    training.train(trainer)
    return {path: parameter.grad for path, parameter in net.namedparams()}, trainer.log.lines[0]


@pytest.mark.parametrize('sub_batches', [2, 3, 4, 8])
def test_sub_batches_give_the_gradient_and_loss_of_the_batch(tmp_path, sub_batches):
    expected, expected_line = first_gradients(tmp_path, 1)
    gradients, line = first_gradients(tmp_path, sub_batches)
    for path, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[path], rtol=1e-4, atol=1e-6, err_msg=path)
    assert line['loss'] == pytest.approx(expected_line['loss'], rel=1e-5)
    assert line['accuracy'] == pytest.approx(expected_line['accuracy'])


def test_a_learning_rate_multiplier_scales_the_update(tmp_path):
    steps = []
    for multipliers in (None, {'*/fc/W': 10, '*/conv/*': 0}):
        net = Net(batch_norm=False, dropout=0)
        before = {path: p.array.copy() for path, p in net.namedparams()}
        training.train(build(tmp_path / str(bool(multipliers)), net, iterations=1,
                             weight_decay=0, lr_multipliers=multipliers))
        steps.append({path: p.array - before[path] for path, p in net.namedparams()})
    plain, multiplied = steps
    np.testing.assert_allclose(multiplied['/fc/W'], 10 * plain['/fc/W'], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(multiplied['/fc/b'], plain['/fc/b'], rtol=1e-3, atol=1e-6)
    assert not multiplied['/conv/W'].any()


def test_a_learning_rate_multiplier_works_for_adam(tmp_path):
    net = Net(batch_norm=False, dropout=0)
    before = net.fc.W.array.copy()
    training.train(build(tmp_path, net, iterations=1, optimizer='adam', lr=1e-3, weight_decay=0,
                         lr_multipliers={'*/fc/W': 5}))
    # The first step of Adam has the length of the learning rate.
    assert abs(net.fc.W.array - before).max() == pytest.approx(5e-3, rel=1e-2)


def test_a_multiplier_that_matches_no_parameter_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='no parameter matches'):
        build(tmp_path, lr_multipliers={'*/head/*': 10})


@pytest.mark.parametrize('optimizer', ['momentum', 'adam'])
def test_a_scaled_loss_gives_the_same_updates(tmp_path, optimizer):
    nets = []
    for scale in (None, 128):
        nets.append(Net(batch_norm=False, dropout=0))
        training.train(build(tmp_path / str(scale), nets[-1], iterations=3, optimizer=optimizer,
                             sub_batches=2, weight_decay=0.1, loss_scale=scale))
    for plain, scaled in zip(*(net.params() for net in nets)):
        np.testing.assert_allclose(scaled.array, plain.array, rtol=1e-4, atol=1e-6)


def test_a_scaled_loss_and_clipped_gradients_exclude_each_other():
    with pytest.raises(ValueError, match='gradient_clipping cannot be combined'):
        training.Settings(iterations=1, loss_scale=128, gradient_clipping=1)


def test_weights_decay_but_biases_and_normalisation_do_not():
    net = Net()
    optimizer = chainer.optimizers.SGD(lr=1).setup(net)
    optimizer.add_hook(training.WeightDecay(0.1))
    for parameter in net.params():
        parameter.array[...] += 1
        parameter.grad = np.zeros_like(parameter.array)
    before = {path: p.array.copy() for path, p in net.namedparams()}
    optimizer.update()
    for path, parameter in net.namedparams():
        factor = 0.9 if path.endswith('/W') else 1
        np.testing.assert_allclose(parameter.array, factor * before[path], rtol=1e-6)


def test_a_frozen_parameter_is_not_updated(tmp_path):
    net = Net()
    trainer = build(tmp_path, net)
    net.conv.disable_update()
    before = net.conv.W.array.copy()
    training.train(trainer)
    np.testing.assert_array_equal(net.conv.W.array, before)


def test_the_schedule_sets_the_rate_before_each_update(tmp_path):
    trainer = build(tmp_path, iterations=4, log_every=1, schedule=training.Poly(1), lr=0.1)
    training.train(trainer)
    rates = [line['lr'] for line in trainer.log.lines]
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.025])


def test_epochs_determine_the_number_of_iterations(tmp_path):
    assert build(tmp_path, iterations=None, epochs=3).iterations == 10  # 39 examples in fours


def test_a_custom_optimizer_is_used(tmp_path):
    optimizer = chainer.optimizers.RMSprop(lr=0.01)
    trainer = build(tmp_path, optimizer=optimizer, lr=None)
    assert training.train(trainer).iteration == 20
    assert trainer.log.lines[0]['lr'] == 0.01


def test_a_batch_that_is_not_finite_changes_nothing_and_is_reported(tmp_path, capfd):
    dataset = Images(4, poisoned=[1])
    trainer = build(tmp_path, dataset=dataset, iterations=1, sub_batches=2, evaluator=None)
    before = state_of(trainer)
    result = training.train(trainer)
    after = state_of(trainer)
    for name in before:
        if name.startswith('net/'):
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    assert result.skipped == 1
    message = capfd.readouterr().err
    assert 'the loss loss was nan in iteration 1' in message
    assert '1 (id 1001)' in message
    assert message.count('(id') == 2


def test_training_continues_after_a_skipped_batch(tmp_path):
    result = training.train(build(tmp_path, dataset=Images(13, poisoned=[5]), max_skipped=3))
    assert result.iteration == 20
    assert 3 <= result.skipped <= 10
    assert sum(line.get('skipped', 0) for line in result.log) == result.skipped
    assert np.isfinite(result.log[-1]['loss'])


def test_too_many_consecutive_skips_end_training_and_save_the_last_good_state(tmp_path):
    net = Net()
    trainer = build(tmp_path, net, Images(4, poisoned=[0]), max_skipped=3)
    with pytest.raises(TrainingError) as caught:
        training.train(trainer)
    message = str(caught.value)
    assert 'iteration 3 because 3 consecutive batches' in message
    assert 'in the first one, the loss loss was nan in iteration 1' in message
    path = tmp_path / 'snapshot_iter_00000003.npz'
    assert str(path) in message
    with np.load(path, allow_pickle=False) as snapshot:
        np.testing.assert_array_equal(
            snapshot['updater/model:main/conv/W'], net.conv.W.array)
    assert build(tmp_path, resume='auto').updater.skipped_in_a_row == 0


class TwoLosses(chainer.Chain):
    """The mask loss overflows, or only its gradient does."""

    def __init__(self, gradient_only):
        super().__init__()
        self._gradient_only = gradient_only
        with self.init_scope():
            self.scale = chainer.Parameter(np.zeros((), np.float32))

    def forward(self, x, t):
        if self._gradient_only:
            # The root has an infinite slope at 0.
            mask_loss = chainer.functions.sqrt(self.scale)
        else:
            mask_loss = chainer.functions.log(self.scale)
        box_loss = chainer.functions.sum(x) * 0 + self.scale
        loss = box_loss + mask_loss
        chainer.report({'loss': loss, 'box_loss': box_loss, 'mask_loss': mask_loss}, self)
        return loss


@pytest.mark.filterwarnings('ignore:divide by zero')
@pytest.mark.parametrize('gradient_only, name', [
    (False, 'the loss mask_loss was -inf'), (True, 'the gradient of /scale was not finite')])
def test_the_loss_or_gradient_that_is_not_finite_is_named(tmp_path, gradient_only, name):
    net = TwoLosses(gradient_only)
    with pytest.raises(TrainingError, match=name):
        training.train(build(tmp_path, net, evaluator=None, max_skipped=1))
    assert net.scale.array == 0


def test_a_large_finite_gradient_is_accepted(tmp_path):
    net = Net(batch_norm=False, dropout=0)
    hook_calls = []
    trainer = build(tmp_path, net, iterations=1, lr=0, weight_decay=0)
    forward = net.forward
    net.forward = lambda x, t: forward(x, t) * np.float32(1e25)
    trainer.updater.get_optimizer('main').add_hook(hook_calls.append, 'count')
    assert training.train(trainer).skipped == 0
    assert len(hook_calls) == 1


def test_samples_of_different_shapes_are_an_error(tmp_path):
    def crop(example, rng):
        return example[0][:, :rng.integers(2, 6)], example[1]
    with pytest.raises(TrainingError, match='must have the same shape'):
        training.train(build(tmp_path, transform=crop))


def test_without_shuffling_examples_keep_their_order(tmp_path):
    trainer = build(tmp_path, iterations=2, shuffle=False)
    stream = trainer.updater.get_iterator('main')
    drawn = []
    trainer.extend(lambda trainer: drawn.extend(stream.drawn), name='note', trigger=(1, 'iteration'))
    training.train(trainer)
    assert [index for _, index in drawn] == list(range(8))


def test_dicts_become_keyword_arguments(tmp_path):
    def as_dict(example, rng):
        return {'x': example[0], 't': example[1]}
    assert training.train(build(tmp_path, transform=as_dict)).iteration == 20


def test_the_state_of_the_process_is_restored(tmp_path):
    import signal
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    handler = signal.getsignal(signal.SIGINT)
    with chainer.using_config('train', False):
        training.train(build(tmp_path))
        assert not chainer.config.train
    np.testing.assert_array_equal(np.random.random(3), expected)  # noqa: NPY002
    assert signal.getsignal(signal.SIGINT) is handler
