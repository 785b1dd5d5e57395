"""The classical methods on images whose objects they must find, and their constraints."""

import sys

import numpy as np
import pytest

from chainer_seg.errors import ClickError, UserError
from chainer_seg.evaluation.click_baselines import BASELINES, RandomWalker
from chainer_seg.models.deeplab import Click

SIZE = (60, 80)


@pytest.fixture
def truth():
    """A square object."""
    mask = np.zeros(SIZE, bool)
    mask[20:40, 30:55] = True
    return mask


@pytest.fixture
def image(rng, truth):
    """A reddish object on a bluish ground, both noisy."""
    colours = np.where(truth[:, :, None], (190, 90, 60), (50, 80, 160))
    return np.clip(colours + rng.normal(0, 10, SIZE + (3,)), 0, 255).astype(np.uint8)


@pytest.fixture(params=BASELINES)
def method(request):
    if request.param == 'randomwalker':
        pytest.importorskip('skimage', reason='scikit-image is not installed')
    return BASELINES[request.param]()


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def test_an_object_of_another_colour_is_segmented_with_one_click(method, image, truth):
    session = method.session(image)
    assert not session.mask.any()
    session.add(Click(30, 42))
    assert session.mask.dtype == bool and iou(session.mask, truth) > 0.95


def test_a_reset_leaves_no_trace_of_the_clicks_before(method, image):
    session, fresh = method.session(image), method.session(image)
    session.add(Click(5, 5))
    session.reset()
    assert session.clicks == () and not session.mask.any()
    session.add(Click(30, 42))
    fresh.add(Click(30, 42))
    np.testing.assert_array_equal(session.mask, fresh.mask)


def test_clicks_overrule_the_colours(method, image):
    session = method.session(image)
    session.add(Click(30, 35), Click(8, 10), Click(30, 50, False))
    assert session.mask[30, 35] and session.mask[8, 10] and not session.mask[30, 50]


def test_only_negative_clicks_give_an_empty_mask(method, image):
    session = method.session(image)
    session.add(Click(30, 42, False))
    assert not session.mask.any()


def test_the_same_clicks_give_the_same_mask(method, image):
    masks = []
    for _ in range(2):
        session = method.session(image)
        session.add(Click(30, 42))
        session.add(Click(5, 5, False))
        masks.append(session.mask)
    np.testing.assert_array_equal(*masks)


def test_large_images_are_shrunk_and_the_mask_has_their_size(method, image, truth):
    large = image.repeat(12, axis=0).repeat(12, axis=1)
    session = method.session(large)
    session.add(Click(360, 500))
    assert iou(session.mask, truth.repeat(12, axis=0).repeat(12, axis=1)) > 0.9


@pytest.mark.parametrize('size', [(1, 1), (1, 7), (3, 3)])
def test_tiny_images_are_segmented(method, size):
    session = method.session(np.zeros(size + (3,), np.uint8))
    session.add(Click(0, 0))
    assert session.mask[0, 0]


def test_a_click_outside_is_an_error_and_changes_nothing(method, image):
    session = method.session(image)
    with pytest.raises(ClickError, match='lies outside the image'):
        session.add(Click(60, 0))
    assert session.clicks == ()


def test_missing_scikit_image_is_reported_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'skimage.segmentation', None)
    with pytest.raises(UserError, match='scikit-image; install it with pip install'):
        RandomWalker()
