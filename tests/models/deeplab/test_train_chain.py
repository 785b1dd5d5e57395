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
    image, points, simulated_clicks, previous, target = ClickSamples((48, 64))(example, rng)
    assert image.shape == (3, 48, 64) and image.dtype == np.float32
    assert points.shape == (10, 3) and points.dtype == np.float32
    assert simulated_clicks == 0 and simulated_clicks.dtype == np.int32
    assert previous.shape == (48, 64) and not previous.any()
    assert target.shape == (48, 64) and target.dtype == np.int32
    assert set(np.unique(target)) == {0, 1}
    for y, x, sign in points[points[:, 2] != 0]:
        assert target[int(y), int(x)] == (sign == 1)


def test_composites_are_an_object_and_some_that_touch_its_box():
    masks = np.stack([disc((100, 300), (50, x), 20) for x in (50, 80, 110, 250)])
    image = np.zeros((100, 300, 3), np.uint8)
    samples = ClickSamples((100, 300), scale_range=(30, 30), composites=1.0)
    found = set()
    for seed in range(60):
        _, _, _, _, target = samples((image, Instances(masks)), np.random.default_rng(seed))
        found |= {min((target == 1, target[:, ::-1] == 1), key=lambda t: distance(t, masks)).tobytes()}
    wanted = ([0, 1], [1, 2], [0, 1, 2], [3])
    assert found == {masks[parts].any(axis=0).tobytes() for parts in wanted}


def distance(mask, masks):
    """How many pixels of a mask belong to none of (R, H, W)."""
    return int((mask & ~masks.any(axis=0)).sum())


def test_samples_for_the_robot_begin_with_one_click_or_a_wrong_mask(example):
    samples = ClickSamples((48, 64), simulated_clicks=3, start_masks=0.5)
    rounds, masks = [], 0
    for seed in range(200):
        _, points, simulated_clicks, previous, target = samples(example, np.random.default_rng(seed))
        assert points.shape == (13, 3)
        rounds.append(int(simulated_clicks))
        if simulated_clicks == 0:
            assert not previous.any()
        elif previous.any():
            masks += 1
            assert not points.any() and set(np.unique(previous)) <= {0, 1}
        else:
            assert (points[:, 2] != 0).sum() <= 1
    assert set(rounds) == {0, 1, 2, 3}
    assert 0.35 < masks / np.count_nonzero(rounds) < 0.65


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
def test_loss_is_that_of_the_definition(rng, weight):
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


def test_jaccard_loss_is_that_of_the_definition(rng):
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


def test_robot_clicks_where_the_model_is_wrong():
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


@pytest.mark.parametrize('mask_input', [False, True])
def test_training_learns_one_object(example, mask_input):
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
