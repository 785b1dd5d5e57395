import chainer
import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.models.deeplab import ClickSamples, ClickSegmenter, ClickTrainChain
from tests.synthetic import disc


class FixedLogits(chainer.Chain):
    """Gives the same logits whatever comes in."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def encode(self, images, points, previous):
        return images

    def forward(self, x):
        return chainer.Variable(self.logits)


def batch_of(target):
    """A batch of black images for a target (B, H, W), without clicks."""
    count, *size = target.shape
    return (np.zeros((count, 3, *size), np.float32), np.zeros((count, 4, 3), np.float32),
            np.zeros(count, np.int32), np.zeros(target.shape, np.float32), target)


def sigmoid_cross_entropy(logits, target, weight):
    """The definition: the mean of -log p over the pixels that count, the object's weighted."""
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    each = np.where(target == 1, -weight * np.log(p), -np.log(1 - p))
    return each[target != -1].mean()


@pytest.mark.parametrize('weight', [1.0, 5.0])
def test_loss_equals_its_definition(rng, weight):
    logits = rng.normal(size=(2, 1, 6, 7)).astype(np.float32)
    target = rng.integers(-1, 2, (2, 6, 7)).astype(np.int32)
    chain = ClickTrainChain(FixedLogits(logits), positive_weight=weight)
    loss = chain(*batch_of(target))
    assert float(loss.array) == pytest.approx(
        sigmoid_cross_entropy(logits[:, 0], target, weight), rel=1e-5)


def test_iou_is_reported():
    logits = np.array([[[[1, 1, -1, -1]]]], np.float32)
    target = np.array([[[1, 0, 1, -1]]], np.int32)
    chain = ClickTrainChain(FixedLogits(logits))
    reporter = chainer.Reporter()
    reporter.add_observer('main', chain)
    with reporter.scope({}) as _, reporter:
        observation = {}
        with reporter.scope(observation):
            chain(*batch_of(target))
    assert observation['main/iou'] == pytest.approx(1 / 3)


def test_jaccard_loss_equals_its_definition(rng):
    logits = rng.normal(size=(2, 1, 6, 7)).astype(np.float32)
    target = rng.integers(-1, 2, (2, 6, 7)).astype(np.int32)
    plain = ClickTrainChain(FixedLogits(logits))(*batch_of(target))
    both = ClickTrainChain(FixedLogits(logits), jaccard_weight=0.5)(*batch_of(target))
    expected = []
    for each, truth in zip(logits[:, 0].astype(np.float64), target):
        p = (1 / (1 + np.exp(-each)))[truth != -1]
        t = (truth == 1)[truth != -1]
        expected.append(1 - ((p * t).sum() + 1) / ((p + t - p * t).sum() + 1))
    assert float(both.array - plain.array) == pytest.approx(0.5 * np.mean(expected), rel=1e-4)


class Half(ClickSegmenter):
    """Finds the left half of any image, and remembers what it was shown before."""

    def __init__(self):
        super().__init__(blocks=(1, 1, 1, 1), width=2, mask_input=True)
        self.shown = []

    def forward(self, x):
        self.shown.append((x[:, 5] > 0).any(axis=(1, 2)).tolist())
        logits = np.full((len(x), 1, *x.shape[2:]), -20, np.float32)
        logits[..., :x.shape[3] // 2] = 20
        return chainer.Variable(logits)


def test_simulated_user_clicks_where_the_model_is_wrong():
    target = np.zeros((3, 8, 16), np.int32)
    target[:, 2:7, 9:14] = 1  # to the right: what the model finds is wrong, and this is missed
    image, points, rounds, previous, target = batch_of(target)
    points[:, 0] = 4, 11, 1
    points[2] = 0
    previous[2, :, :12] = 1  # begins with a mask
    rounds[:] = 0, 2, 1
    model = Half()
    played, before = ClickTrainChain(model).play(image, points, rounds, previous, target)
    assert (played[0] == points[0]).all() and (before[0] == 0).all()
    # The largest wrong region is the left half, 8 x 8 pixels; its middle is (3.5, 3.5).
    assert (played[1, :3, 2] == [1, -1, -1]).all()
    assert all(3 <= value <= 4 for value in played[1, 1, :2])
    np.testing.assert_allclose(before[1], np.tile(np.arange(16) < 8, (8, 1)), atol=1e-6)
    # The start of the third one is wrong up to column 8, and below and above the object.
    assert played[2, 0, 2] == -1 and not played[2, 1:].any()
    np.testing.assert_array_equal(before[2], previous[2])
    # The model was asked for the second sample alone, first without a mask and then with one.
    assert model.shown == [[False], [True]]


def test_loss_equals_that_of_the_tensorflow_implementation(rng):
    logits = rng.normal(size=(2, 1, 6, 7)).astype(np.float32)
    target = rng.integers(0, 2, (2, 6, 7)).astype(np.int32)
    chain = ClickTrainChain(FixedLogits(logits), positive_weight=5, loss_scale=20)
    p = 1 / (1 + np.exp(-logits[:, 0].astype(np.float64)))
    expected = 20 * np.where(target, -5 * np.log(p), -np.log(1 - p)).mean()
    assert float(chain(*batch_of(target)).array) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('mask_input', [False, True])
def test_training_fits_one_object(rng, mask_input):
    masks = np.stack([disc((120, 160), (60, 50), 30), disc((120, 160), (60, 120), 20)])
    example = rng.integers(0, 256, (120, 160, 3), np.uint8), Instances(masks)
    model = ClickSegmenter(blocks=(1, 1, 1, 1), width=8, longest_side=64, mask_input=mask_input,
                           decoder=8 if mask_input else None)
    chain = ClickTrainChain(model)
    optimizer = chainer.optimizers.Adam(3e-3).setup(chain)
    samples = ClickSamples((48, 48), simulated_clicks=int(mask_input))
    drawn = (samples(example, np.random.default_rng(seed)) for seed in range(4))
    batch = [np.stack(arrays) for arrays in zip(*drawn)]
    losses = []
    for _ in range(25):
        optimizer.update(chain, *batch)
        losses.append(float(chain(*batch).array))
    assert losses[-1] < 0.5 * losses[0]
