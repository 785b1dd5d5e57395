"""The loss of DeepLab by its definition, and what learns and what does not."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

from chainer_seg import training
from chainer_seg.datasets import open_semantic
from chainer_seg.images import resize
from chainer_seg.links import copy_resnet
from chainer_seg.model_file import load_model
from chainer_seg.models.deeplab import DeepLab, SemanticSamples, SemanticTrainChain
from chainer_seg.models.deeplab.semantic_samples import resize_labels
from chainer_seg.models.deeplab.semantic_train_chain import labels_at
from tests.arrays import arrays_of

SMALL = {'blocks': (1, 1, 1, 1), 'width': 4, 'pyramid': (1, 2)}


@pytest.fixture
def model():
    return DeepLab(4, **SMALL)


@pytest.fixture
def batch(rng):
    """Images (2, 3, 49, 65) and labels, a third of which are void."""
    labels = rng.integers(-2, 4, (2, 49, 65)).clip(-1).astype(np.int32)
    return rng.normal(0, 50, (2, 3, 49, 65)).astype(np.float32), labels


def cross_entropy(logits, labels):
    """The mean of -log softmax at the true class, over every pixel that counts."""
    total = count = 0
    for scores, truth in zip(np.moveaxis(logits, 1, -1).reshape(-1, logits.shape[1]), labels.ravel()):
        if truth >= 0:
            total += np.logaddexp.reduce(scores.astype(float)) - scores[truth]
            count += 1
    return total / count


def observed(chain, *batch):
    """The loss, and what is reported with it."""
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', chain)
    with reporter.scope(observation), chainer.using_config('train', False):
        loss = chain(*batch)
    return loss, {name.removeprefix('main/'): float(getattr(value, 'array', value))
                  for name, value in observation.items()}


def changed_by_an_update(chain, batch, **settings):
    """The names of the arrays that one update changes."""
    before = arrays_of(chain.model)
    samples = list(zip(*batch))
    trainer = training.build_trainer(
        chain, samples, out=settings.pop('out'), iterations=1, batch_size=2, workers=0, lr=0.1,
        progress='none', tensorboard=False, lr_multipliers=dict.fromkeys(chain.fixed, 0), **settings)
    training.train(trainer)
    after = arrays_of(chain.model)
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_the_loss_is_the_mean_cross_entropy_at_every_eighth_pixel(model, batch):
    image, labels = batch
    loss, values = observed(SemanticTrainChain(model), image, labels)
    with chainer.using_config('train', False):
        logits = model.forward(image).array
    expected = cross_entropy(logits, labels[:, ::8, ::8])
    assert float(loss.array) == pytest.approx(expected, rel=1e-5)
    right = (logits.argmax(axis=1) == labels[:, ::8, ::8])[labels[:, ::8, ::8] >= 0]
    assert values == {'loss': pytest.approx(expected, rel=1e-5),
                      'pixel_accuracy': pytest.approx(right.mean())}


def test_each_scale_and_the_maximum_have_a_loss(model, batch):
    image, labels = batch
    loss, values = observed(SemanticTrainChain(model, (1, 0.75, 0.5)), image, labels)
    expected = {}
    with chainer.using_config('train', False):
        every = [model.forward(F.resize_images(image, size)).array
                 for size in ((49, 65), (33, 49), (25, 33))]
    # 49 x 65 labels at 7 x 9, 5 x 7 and 4 x 5 places from the first pixel to the last.
    for scale, logits in zip((1, 0.75, 0.5), every):
        rows, columns = (np.round(np.linspace(0, last, count)).astype(int)
                         for last, count in zip((48, 64), logits.shape[2:]))
        expected[f'loss@{scale:g}'] = cross_entropy(logits, labels[:, rows][:, :, columns])
    fused = np.max([F.resize_images(logits, (7, 9)).array for logits in every], axis=0)
    expected['loss@max'] = cross_entropy(fused, labels[:, ::8, ::8])
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-4), name
    assert float(loss.array) == pytest.approx(sum(expected.values()), rel=1e-4)


def test_labels_are_sampled_at_the_positions_of_the_logits():
    labels = np.arange(321 * 321, dtype=np.int32).reshape(1, 321, 321)
    np.testing.assert_array_equal(labels_at(labels, (41, 41)), labels[:, ::8, ::8])
    np.testing.assert_array_equal(labels_at(labels, (21, 21)), labels[:, ::16, ::16])
    assert labels_at(labels, (31, 31))[0, 1, 0] == 11 * 321  # 320 / 30 = 10.67


def test_a_batch_of_only_void_has_zero_loss_and_gradient(model, batch):
    image, labels = batch
    chain = SemanticTrainChain(model, (1, 0.5))
    loss, values = observed(chain, image, np.full_like(labels, -1))
    chain.cleargrads()
    loss.backward()
    assert float(loss.array) == 0 and values['pixel_accuracy'] == 0
    assert not model.pyramid.branch0.W.grad.any()


@pytest.mark.parametrize('scales', [(1,), (1, 0.75, 0.5)])
def test_gradients_equal_finite_differences(batch, scales):
    """Along the gradient of the last layers, which no ReLU follows, the loss falls as it says."""
    model = DeepLab(4, **SMALL)
    with chainer.using_config('train', False):
        chain = SemanticTrainChain(model, scales)
        chain.cleargrads()
        chain(*batch).backward()
        W = model.pyramid.branch1.W
        step = (1e-3 * W.grad / np.linalg.norm(W.grad)).astype(np.float32)
        losses = []
        for sign in (1, -1):
            W.array += sign * step
            losses.append(float(chain(*batch).array))
            W.array -= sign * step
    assert losses[0] - losses[1] == pytest.approx(2 * float((step * W.grad).sum()), rel=0.02)


# What learns

def test_all_parameters_are_trained_by_default(model, batch, tmp_path):
    changed = changed_by_an_update(SemanticTrainChain(model), batch, out=tmp_path / 'run')
    for name in ('resnet/stem/conv/W', 'resnet/res5/0/expand/norm/gamma', 'pyramid/branch0/b',
                 'resnet/res5/0/expand/norm/avg_mean', 'resnet/stem/norm/avg_var'):
        assert name in changed


def test_frozen_batch_normalisation_keeps_its_running_statistics(model, batch, tmp_path):
    for norm in (link for link in model.links() if hasattr(link, 'avg_mean')):
        norm.avg_var[...] = 7
    chain = SemanticTrainChain(model, frozen_norm=True)
    with chainer.using_config('train', True):
        learning = float(chain(*batch).array)
    assert learning == pytest.approx(float(observed(chain, *batch)[0].array), rel=1e-6)
    changed = changed_by_an_update(chain, batch, out=tmp_path / 'run')
    assert changed and not any('norm' in name for name in changed)


@pytest.mark.parametrize('scales', [(1,), (1, 0.5)])
def test_with_last_layers_only_the_pyramid_is_trained(model, batch, tmp_path, scales):
    chain = SemanticTrainChain(model, scales, last_layers=True)
    changed = changed_by_an_update(chain, batch, out=tmp_path / 'run', weight_decay=0.1)
    assert changed == {f'pyramid/branch{number}/{kind}' for number in range(2) for kind in 'Wb'}


def test_last_layers_do_not_change_the_loss_or_the_gradient_of_the_pyramid(model, batch):
    gradients = []
    for last_layers in (False, True):
        chain = SemanticTrainChain(model, last_layers=last_layers)
        chain.cleargrads()
        observed(chain, *batch)[0].backward()
        gradients.append(model.pyramid.branch0.W.grad)
    np.testing.assert_allclose(*gradients, rtol=1e-5)
    assert model.resnet.stem.conv.W.grad is None


@pytest.fixture(scope='module')
def photographs(shared_data):
    """Photographs of COCO in a quarter of their size, their objects as labels of pixels."""
    folder = shared_data / 'coco_sample'
    dataset = open_semantic(folder / 'annotations' / 'instances_train.json', folder / 'train')
    shrunk = []
    for image, labels in map(dataset.__getitem__, range(len(dataset))):
        size = tuple(side // 4 for side in labels.shape)
        shrunk.append((resize(image, size), resize_labels(labels, size)))
    return shrunk


@pytest.mark.slow
def test_training_fits_photographs(photographs, tmp_path):
    model = DeepLab(81, blocks=(2, 2, 3, 2), width=16, pyramid=(1, 3))
    copy_resnet(load_model('mask-rcnn').extractor.resnet, model.resnet)
    trainer = training.build_trainer(
        SemanticTrainChain(model), photographs, transform=SemanticSamples((81, 81), (0.8, 1.2)),
        out=tmp_path / 'run', iterations=200, batch_size=4, optimizer='adam', lr=1e-3, workers=0,
        log_every=20, progress='none', tensorboard=False)
    losses = [line['loss'] for line in training.train(trainer).log]
    assert np.mean(losses[-3:]) < 0.75 * losses[0]
