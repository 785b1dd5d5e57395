"""Training samples whose clicks follow the paper or the TensorFlow implementation."""

import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.errors import UserError
from chainer_seg.images import resize
from chainer_seg.models.deeplab import ClickSamples
from chainer_seg.models.deeplab.sampling import SAMPLINGS, ClickSampling
from tests.synthetic import disc

SIZE = (200, 240)


@pytest.fixture
def example(rng):
    masks = np.stack([disc(SIZE, (100, 80), 45), disc(SIZE, (60, 190), 25),
                      disc(SIZE, (160, 180), 25)])
    return rng.integers(0, 256, (*SIZE, 3), np.uint8), Instances(masks, crowds=[False, True, True])


def draw(example, count=40, **options):
    """Samples of the first object: its clicks as (K, 3) of y, x and sign, and its mask."""
    samples = ClickSamples(SIZE, whole_images=True, **options)
    for seed in range(count):
        _, points, _, _, target = samples(example, np.random.default_rng(seed))
        yield points[points[:, 2] != 0], target == 1


@pytest.mark.parametrize('method', SAMPLINGS)
def test_positive_clicks_are_on_the_object_and_negative_clicks_off_it(example, method):
    for points, mask in draw(example, sampling=method):
        assert points[0, 2] == 1
        assert (mask[tuple(points[:, :2].astype(int).T)] == (points[:, 2] == 1)).all()


def test_samples_of_the_paper_use_all_three_strategies(example):
    on_others, on_outline, elsewhere = 0, 0, 0
    for points, _ in draw(example, sampling='paper'):
        negatives = points[points[:, 2] == -1]
        on_outline += len(negatives) == 10
        # Mirrored half the time, the other objects still are the right or the left quarter.
        columns = np.minimum(negatives[:, 1], SIZE[1] - 1 - negatives[:, 1])
        on_others += 0 < len(negatives) < 10 and (columns < 75).all()
        elsewhere += 0 < len(negatives) < 10 and (columns > 90).any()
    assert on_outline > 5 and on_others > 5 and elsewhere > 3


def test_clicks_in_other_objects_follow_crop_and_mirroring(example):
    image, instances = example
    image[:] = 0
    image[instances.masks[1] | instances.masks[2]] = 200  # the others are the bright places
    samples = ClickSamples((96, 96), sampling=ClickSampling(strategies=('others',), d_step=10))
    seen = 0
    for seed in range(40):
        image, points, _, _, _ = samples(example, np.random.default_rng(seed))
        negatives = points[points[:, 2] == -1, :2].astype(int)
        bright = image[0] > 0  # the mean, 104, is subtracted
        assert bright[tuple(negatives.T)].all()
        seen += len(negatives)
    assert seen > 40


@pytest.mark.parametrize('sampling, rows', [
    (None, 5 + 5), ('paper', 5 + 8 * 5), ('tensorflow', 5 + 30),
    (ClickSampling(positives=(1, 2), strategies=('outline',), outline=4), 2 + 4)])
def test_all_samples_have_the_same_number_of_click_rows(example, sampling, rows):
    samples = ClickSamples((96, 96), sampling=sampling, simulated_clicks=3)
    shapes = {samples(example, np.random.default_rng(seed))[1].shape for seed in range(20)}
    assert shapes == {(rows + 3, 3)}


def test_many_other_objects_do_not_exceed_the_click_rows(rng):
    masks = np.zeros((31, 200, 200), bool)
    masks[0, 90:110, 90:110] = True
    masks[np.arange(1, 31), 5:35, 6 * np.arange(30)] = True  # a fence of 30 posts
    sampling = ClickSampling(strategies=('others',), d_step=1, others=(5, 5))
    samples = ClickSamples((200, 200), whole_images=True, sampling=sampling, least_area=100)
    image = np.zeros((200, 200, 3), np.uint8)
    _, points, _, _, _ = samples((image, Instances(masks)), rng)
    assert (points[:, 2] == -1).sum() == 8 * 5


def test_samples_with_simulated_clicks_start_with_one_click_under_any_sampling(example):
    samples = ClickSamples((96, 96), sampling='tensorflow', simulated_clicks=2)
    for seed in range(30):
        _, points, simulated_clicks, _, _ = samples(example, np.random.default_rng(seed))
        assert simulated_clicks == 0 or (points[:, 2] != 0).sum() == 1


def test_whole_images_are_resized_and_mirrored_half_the_time(example):
    image, instances = example
    samples = ClickSamples((80, 120), whole_images=True)
    whole = resize(instances.masks[0].astype(np.float32), (80, 120)) > 0.5
    mirrored = []
    for seed in range(40):
        target = samples(example, np.random.default_rng(seed))[-1] == 1
        assert (target == whole).all() or (target == whole[:, ::-1]).all()
        mirrored.append((target != whole).any())
    assert 10 < sum(mirrored) < 30


def test_an_unknown_sampling_is_an_error():
    with pytest.raises(UserError, match="Unknown click sampling 'clicks'"):
        ClickSamples(sampling='clicks')
