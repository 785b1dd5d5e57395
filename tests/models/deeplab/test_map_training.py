"""Training from stored click maps: samples, loss, gradient and updates against plain NumPy."""

import chainer
import cv2
import numpy as np
import pytest
from chainer import links as L

from chainer_seg import training
from chainer_seg.errors import TrainingError
from chainer_seg.models.deeplab import Click, ClickSegmenter
from chainer_seg.models.deeplab.map_training import (
    ClickMapSamples,
    ClickMapTrainChain,
    check_encoding,
    evaluate_maps,
    nearest_labels,
)
from chainer_seg.models.deeplab.preparation import CAFFE_MEAN_BGR
from chainer_seg.models.deeplab.precomputed_clicks import maps_of_clicks
from tests.synthetic import disc

SIZE = 41, 49


@pytest.fixture
def example(rng):
    label = disc((60, 80), (30, 40), 18)
    maps = maps_of_clicks([Click(30, 40), Click(5, 70, False)], label.shape)
    return rng.integers(0, 256, (60, 80, 3), np.uint8), maps, label


class Files(list):
    """Examples in place of files."""

    path = 'list.txt'


class OwnLogits(chainer.Chain):
    """Logits (B, 1, h, w) that are a parameter, whatever the input is."""

    def __init__(self, logits):
        super().__init__()
        with self.init_scope():
            self.logits = chainer.Parameter(logits)

    def forward(self, x):
        return self.logits * 1


def test_whole_images_and_maps_are_resized_and_the_means_subtracted(example):
    image, maps, label = example
    x, target = ClickMapSamples(SIZE, 131)(example)
    assert x.shape == (5, *SIZE) and x.dtype == np.float32 and target.dtype == np.int32
    for channel in range(3):
        resized = cv2.resize(image[:, :, 2 - channel], SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(x[channel], resized - CAFFE_MEAN_BGR[channel], atol=1e-4)
    for channel in range(2):
        resized = cv2.resize(maps[channel], SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(x[3 + channel], resized - np.float32(131))
    rows, columns = (np.arange(few) * many // few for few, many in zip(SIZE, label.shape))
    np.testing.assert_array_equal(target, label[rows[:, None], columns])


def test_samples_at_the_original_size_equal_the_models_input(example):
    image, maps, label = example
    model = ClickSegmenter(click_scale=6, click_mean=131, blocks=(1, 1, 1, 1), width=2)
    x, _ = ClickMapSamples(label.shape, model.click_mean)(example)
    seen = model.prepare(image, [Click(30, 40), Click(5, 70, False)])[0]
    np.testing.assert_allclose(x[:3], seen[:3], atol=1e-4)
    # Files contain whole numbers, rounded down.
    assert (seen[3:] - x[3:]).min() >= 0 and (seen[3:] - x[3:]).max() < 1


def test_nearest_labels_are_those_of_the_upper_left_pixels():
    labels = np.arange(7 * 10).reshape(1, 7, 10)
    rows, columns = [0, 2, 4], [0, 2, 5, 7]  # 0, 7/3, 14/3 and 0, 10/4, 20/4, 30/4 rounded down
    np.testing.assert_array_equal(nearest_labels(labels, (3, 4))[0], labels[0][np.ix_(rows, columns)])


def test_loss_and_gradient_equal_numpy(rng):
    logits = rng.normal(0, 2, (3, 1, 6, 7)).astype(np.float32)
    target = rng.integers(0, 2, (3, *SIZE)).astype(np.int32)
    chain = ClickMapTrainChain(OwnLogits(logits), positive_weight=5, loss_scale=20)
    loss = chain(np.zeros((3, 5, *SIZE), np.float32), target)
    loss.backward()
    rows, columns = np.arange(6) * SIZE[0] // 6, np.arange(7) * SIZE[1] // 7
    truth = target[:, rows[:, None], columns]
    p = 1 / (1 + np.exp(-logits[:, 0].astype(np.float64)))
    expected = 20 * np.mean(np.where(truth == 1, -5 * np.log(p), -np.log(1 - p)))
    gradient = 20 / truth.size * np.where(truth == 1, -5 * (1 - p), p)
    assert float(loss.array) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(chain.model.logits.grad[:, 0], gradient, rtol=1e-4, atol=1e-6)


def test_an_update_equals_that_of_the_tensorflow_implementation(example, tmp_path):
    """Momentum .9 and a decay of every weight; five times the rate for conv1 and fc; no norms."""
    model = ClickSegmenter(6, 131, blocks=(1, 1, 1, 1), width=2, seed=3)
    chain = ClickMapTrainChain(model)
    rate, decay, momentum = 1e-4, 2.5e-4, 0.9
    ends = ('/model/net/resnet/stem/conv/*', '/model/net/pyramid/*')
    before = {path: each.array.copy() for path, each in chain.namedparams()}
    gradients = []
    trainer = training.build_trainer(
        chain, [example], transform=ClickMapSamples(SIZE), out=tmp_path, optimizer='momentum', lr=rate,
        weight_decay=decay, batch_size=1, iterations=2, workers=0, progress='none', tensorboard=False,
        lr_multipliers={**dict.fromkeys(ends, 5), '/model/*/gamma': 0, '/model/*/beta': 0})
    trainer.updater.get_optimizer('main').add_hook(gradient_keeper(gradients))
    training.train(trainer)
    assert len(gradients) == 2
    for path, parameter in chain.namedparams():
        weights, speed = before[path].astype(np.float64), 0
        own = 5 if 'stem/conv' in path or 'pyramid' in path else 1
        own = 0 if path.endswith(('gamma', 'beta')) else own
        for number in range(2):
            slope = gradients[number][path] + (decay * weights if path.endswith('/W') else 0)
            speed = momentum * speed - own * rate * slope
            weights = weights + speed
        np.testing.assert_allclose(parameter.array, weights, rtol=2e-5, atol=1e-7, err_msg=path)


def gradient_keeper(kept):
    """An optimizer hook that keeps the gradients as they are before the weights decay."""
    def keep(optimizer):
        kept.append({path: each.grad.astype(np.float64).copy()
                     for path, each in optimizer.target.namedparams()})
    keep.name, keep.timing, keep.priority = 'keep gradients', 'pre', 1000
    return keep


def test_frozen_batch_normalisation_does_not_update_its_statistics(example):
    for freeze in (True, False):
        model = ClickSegmenter(6, 131, blocks=(1, 1, 1, 1), width=2)
        norm = next(link for link in model.links() if isinstance(link, L.BatchNormalization))
        before = norm.avg_mean.copy()
        x, target = ClickMapSamples(SIZE)(example)
        with chainer.using_config('train', True):
            ClickMapTrainChain(model, freeze_bn=freeze)(x[None], target[None])
        assert (norm.avg_mean == before).all() == freeze


def test_evaluation_gives_the_mean_loss_and_the_overlap_with_the_object(example):
    """Logits that are right everywhere, and those of an object everywhere."""
    _, _, label = example
    x, target = ClickMapSamples(SIZE)(example)
    right = np.where(target, 9, -9).astype(np.float32)[None, None]
    everywhere = np.full((1, 1, 5, 6), 9, np.float32)
    for logits, iou in ((right, 1), (everywhere, target.mean())):
        chain = ClickMapTrainChain(OwnLogits(logits))
        found = evaluate_maps(chain, [example] * 3, ClickMapSamples(SIZE), 2)
        assert found['iou'] == pytest.approx(iou)
        assert found['loss'] == pytest.approx(float(chain(x[None], target[None]).array))


def test_a_model_of_another_encoding_is_an_error(example):
    files = Files([example])
    small = {'blocks': (1, 1, 1, 1), 'width': 2}
    check_encoding(ClickSegmenter(6, 131, **small), files)
    with pytest.raises(TrainingError, match='times 6, but the model expects them times 1; use '
                                            '--click-scale 6'):
        check_encoding(ClickSegmenter(1, 0, **small), files)
    for other in ({'mask_input': True}, {'click_encoding': 'disk'}):
        with pytest.raises(TrainingError, match='distances only'):
            check_encoding(ClickSegmenter(6, 131, **small, **other), files)


def test_maps_without_clicks_suit_every_model(example):
    image, maps, label = example
    check_encoding(ClickSegmenter(1, 0, blocks=(1, 1, 1, 1), width=2),
                   Files([(image, np.full_like(maps, 255), label)]))
