import chainer
import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.models.deeplab import ClickSamples, ClickSegmenter, ClickTrainChain
from chainer_seg.models.deeplab.train_chain import MARGIN, RING, draw_clicks


def disc(size, centre, radius):
    y, x = np.mgrid[:size[0], :size[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius ** 2


@pytest.fixture
def example(rng):
    masks = np.stack([disc((120, 160), (60, 50), 30), disc((120, 160), (60, 120), 20)])
    return rng.integers(0, 256, (120, 160, 3), np.uint8), Instances(masks)


def test_positive_clicks_fall_inside_and_negative_ones_outside():
    mask = disc((200, 200), (100, 100), 40)
    for seed in range(100):
        for click in draw_clicks(mask, np.random.default_rng(seed)):
            assert mask[int(click.y), int(click.x)] == click.positive


def test_positive_clicks_keep_off_the_border():
    mask = disc((200, 200), (100, 100), 40)
    for seed in range(100):
        for click in draw_clicks(mask, np.random.default_rng(seed)):
            if click.positive:
                assert np.hypot(click.y - 100, click.x - 100) <= 40 - MARGIN + 1.5


def test_half_of_the_negative_clicks_are_near():
    mask = disc((400, 400), (200, 200), 30)
    near, far = 0, 0
    for seed in range(300):
        negatives = [c for c in draw_clicks(mask, np.random.default_rng(seed)) if not c.positive]
        if negatives:
            away = max(np.hypot(c.y - 200, c.x - 200) - 30 for c in negatives)
            near, far = near + (away <= RING + 1), far + (away > RING + 1)
    assert near > 60 and far > 60


def test_numbers_of_clicks_stay_in_their_range():
    mask = disc((100, 100), (50, 50), 20)
    counts = [(sum(c.positive for c in clicks), sum(not c.positive for c in clicks))
              for clicks in (draw_clicks(mask, np.random.default_rng(s), 4, 3) for s in range(300))]
    positives, negatives = zip(*counts)
    assert set(positives) == {1, 2, 3, 4} and set(negatives) == {0, 1, 2, 3}


def test_one_pixel_object_and_object_that_fills_the_image():
    one = np.zeros((50, 50), bool)
    one[3, 4] = True
    for mask in (one, ~one, np.ones((9, 9), bool)):
        clicks = draw_clicks(mask, np.random.default_rng(0))
        assert clicks and all(mask[int(c.y), int(c.x)] == c.positive for c in clicks)


def test_sample_has_the_asked_size_and_one_object(example, rng):
    x, target = ClickSamples((48, 64))(example, rng)
    assert x.shape == (5, 48, 64) and x.dtype == np.float32
    assert target.shape == (48, 64) and target.dtype == np.int32
    assert set(np.unique(target)) == {0, 1}
    assert (target[x[3] == 0] == 1).all()


def test_one_generator_gives_one_sample(example):
    a, b, c = (ClickSamples((48, 64))(example, np.random.default_rng(s))[0] for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_image_without_usable_objects_gives_nothing(rng):
    image = np.zeros((50, 60, 3), np.uint8)
    assert ClickSamples()((image, Instances.empty(50, 60)), rng) is None
    small = Instances(disc((50, 60), (20, 20), 2)[None])
    assert ClickSamples(least_area=100)((image, small), rng) is None
    crowd = Instances(disc((50, 60), (20, 20), 15)[None], crowds=[True])
    assert ClickSamples()((image, crowd), rng) is None


class FixedLogits(chainer.Chain):
    """Gives the same logits whatever comes in."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, x):
        return chainer.Variable(self.logits)


def sigmoid_cross_entropy(logits, target, weight):
    """The definition: the mean of -log p over the pixels that count, the object's weighted."""
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    each = np.where(target == 1, -weight * np.log(p), -np.log(1 - p))
    return each[target != -1].mean()


@pytest.mark.parametrize('weight', [1.0, 5.0])
def test_loss_is_that_of_the_definition(rng, weight):
    logits = rng.normal(size=(2, 1, 6, 7)).astype(np.float32)
    target = rng.integers(-1, 2, (2, 6, 7)).astype(np.int32)
    chain = ClickTrainChain(FixedLogits(logits), positive_weight=weight)
    loss = chain(np.zeros((2, 5, 6, 7), np.float32), target)
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
            chain(np.zeros((1, 5, 1, 4), np.float32), target)
    assert observation['main/iou'] == pytest.approx(1 / 3)


def test_training_learns_one_object(example):
    model = ClickSegmenter(blocks=(1, 1, 1, 1), width=8, longest_side=64)
    chain = ClickTrainChain(model)
    optimizer = chainer.optimizers.Adam(3e-3).setup(chain)
    x, target = zip(*(ClickSamples((48, 48))(example, np.random.default_rng(s)) for s in range(4)))
    x, target = np.stack(x), np.stack(target)
    losses = []
    for _ in range(25):
        optimizer.update(chain, x, target)
        losses.append(float(chain(x, target).array))
    assert losses[-1] < 0.5 * losses[0]
