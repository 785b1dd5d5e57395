import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.models.deeplab import ClickSamples
from chainer_seg.models.deeplab.click_samples import MARGIN, RING, draw_clicks
from tests.synthetic import disc


@pytest.fixture
def example(rng):
    masks = np.stack([disc((120, 160), (60, 50), 30), disc((120, 160), (60, 120), 20)])
    return rng.integers(0, 256, (120, 160, 3), np.uint8), Instances(masks)


def test_positive_clicks_are_inside_and_negative_clicks_outside():
    mask = disc((200, 200), (100, 100), 40)
    for seed in range(100):
        for click in draw_clicks(mask, np.random.default_rng(seed)):
            assert mask[int(click.y), int(click.x)] == click.positive


def test_positive_clicks_keep_their_margin_from_the_boundary():
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


def test_click_counts_are_within_their_limits():
    mask = disc((100, 100), (50, 50), 20)
    counts = [(sum(c.positive for c in clicks), sum(not c.positive for c in clicks))
              for clicks in (draw_clicks(mask, np.random.default_rng(s), 4, 3) for s in range(300))]
    positives, negatives = zip(*counts)
    assert set(positives) == {1, 2, 3, 4} and set(negatives) == {0, 1, 2, 3}


def test_objects_of_one_pixel_and_of_the_whole_image_get_clicks():
    one = np.zeros((50, 50), bool)
    one[3, 4] = True
    for mask in (one, ~one, np.ones((9, 9), bool)):
        clicks = draw_clicks(mask, np.random.default_rng(0))
        assert clicks and all(mask[int(c.y), int(c.x)] == c.positive for c in clicks)


def test_sample_has_the_requested_size_and_one_object(example, rng):
    image, points, simulated_clicks, previous, target = ClickSamples((48, 64))(example, rng)
    assert image.shape == (3, 48, 64) and image.dtype == np.float32
    assert points.shape == (10, 3) and points.dtype == np.float32
    assert simulated_clicks == 0 and simulated_clicks.dtype == np.int32
    assert previous.shape == (48, 64) and not previous.any()
    assert target.shape == (48, 64) and target.dtype == np.int32
    assert set(np.unique(target)) == {0, 1}
    for y, x, sign in points[points[:, 2] != 0]:
        assert target[int(y), int(x)] == (sign == 1)


def test_composites_merge_objects_whose_boxes_touch():
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


def test_samples_for_the_simulated_user_start_with_one_click_or_a_wrong_mask(example):
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


def test_the_seed_determines_the_sample(example):
    a, b, c = (ClickSamples((48, 64))(example, np.random.default_rng(s))[0] for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_images_without_usable_objects_give_no_sample(rng):
    image = np.zeros((50, 60, 3), np.uint8)
    assert ClickSamples()((image, Instances.empty(50, 60)), rng) is None
    small = Instances(disc((50, 60), (20, 20), 2)[None])
    assert ClickSamples(least_area=100)((image, small), rng) is None
    crowd = Instances(disc((50, 60), (20, 20), 15)[None], crowds=[True])
    assert ClickSamples()((image, crowd), rng) is None
