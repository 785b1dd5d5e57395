"""Clicks on RITM's networks: what the network is shown, undo, starting masks, and bad input."""

import json

import numpy as np
import pytest

from chainer_seg.errors import ClickError, ModelError
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.deeplab import Click
from tests.models.ritm import toys

CLICKS = [Click(20, 25), Click(5, 50, False), Click(30, 30), Click(12, 8)]

both_kinds = pytest.mark.parametrize('kind', toys.KINDS)


@both_kinds
def test_session_gives_each_click_the_result_and_the_box_of_the_one_before(kind):
    model, image = toys.make(kind), toys.image()
    session, answer, probability = model.session(image), None, np.zeros(image.shape[:2], np.float32)
    boxes = set()
    for count in range(1, len(CLICKS) + 1):
        answer = model.answer(image, CLICKS[:count], probability, before=answer)
        probability = model.decode(answer.logits, answer.view)
        np.testing.assert_array_equal(session.add(CLICKS[count - 1]), probability)
        boxes.add(answer.box)
    assert len(boxes) > 1
    np.testing.assert_array_equal(model.segment(image, CLICKS), probability)


@both_kinds
def test_undo_brings_back_the_probability_and_the_box(kind):
    session = toys.make(kind).session(toys.image())
    first, second, third = (session.add(click) for click in CLICKS[:3])
    np.testing.assert_array_equal(session.undo(), second)
    np.testing.assert_array_equal(session.undo(), first)
    np.testing.assert_array_equal(session.add(CLICKS[1]), second)
    np.testing.assert_array_equal(session.add(CLICKS[2]), third)


def shown_masks(model, monkeypatch):
    """The previous masks that the network gets from now on."""
    shown, prepare = [], model.prepare

    def recorded(image, clicks, previous, *rest):
        shown.append((len(clicks), previous.copy()))
        return prepare(image, clicks, previous, *rest)
    monkeypatch.setattr(model, 'prepare', recorded)
    return shown


def test_starting_mask_is_shown_at_the_first_click_and_the_last_result_afterwards(monkeypatch):
    model = toys.make('hrnet')
    shown = shown_masks(model, monkeypatch)
    session = model.session(toys.image())
    start = np.zeros((40, 56), bool)
    start[10:30, 10:40] = True
    session.start_from(start)
    first = session.add(Click(5, 5))
    session.add(Click(20, 50))
    assert [count for count, _ in shown] == [1, 2]
    np.testing.assert_array_equal(shown[0][1], start)
    np.testing.assert_array_equal(shown[1][1], first)


def test_network_without_the_previous_mask_gets_a_click_in_the_middle_of_the_start(monkeypatch):
    model = toys.make('deeplab', mask_input=False)
    shown = shown_masks(model, monkeypatch)
    session = model.session(toys.image())
    start = np.zeros((40, 56), bool)
    start[10:31, 10:31] = True
    session.start_from(start)
    session.add(Click(5, 5, False))
    assert shown[0][0] == 2


def test_twenty_clicks_on_one_pixel_run_the_network_once(monkeypatch):
    model = toys.make('hrnet')
    shown = shown_masks(model, monkeypatch)
    session = model.session(toys.image())
    probability = session.add(*[Click(20, 25)] * 20)
    assert len(shown) == 1 and len(session.clicks) == 1
    np.testing.assert_array_equal(session.add(Click(20.2, 24.9)), probability)


def test_contradicting_click_replaces_the_one_before():
    model = toys.make('hrnet')
    session = model.session(toys.image())
    session.add(Click(20, 25), Click(8, 8), Click(20, 25, False))
    assert session.clicks == (Click(8, 8), Click(20, 25, False))


@both_kinds
def test_negative_clicks_alone_find_nothing(kind):
    session = toys.make(kind).session(toys.image())
    assert not session.add(Click(3, 3, False), Click(20, 20, False)).any()


@both_kinds
@pytest.mark.parametrize('size', [(1, 1), (3, 2), (1, 70), (5, 4)])
@pytest.mark.parametrize('zoom_side', [None, 32])
def test_images_smaller_than_a_stride(kind, size, zoom_side):
    model = toys.make(kind, zoom_side=zoom_side, zoom_after=0)
    probability = model.segment(toys.image(size), [Click(0, 0), Click(size[0] - 1, size[1] - 1, False)])
    assert probability.shape == size and probability.dtype == np.float32 and np.isfinite(probability).all()


@both_kinds
def test_weights_that_are_not_finite_are_one_error(kind):
    model = toys.make(kind)
    model.clicks.second.W.array[0, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match='clicks/second/W'):
        model.segment(toys.image(), Click(20, 20))


def test_click_outside_the_image_changes_nothing():
    session = toys.make('hrnet').session(toys.image())
    before = session.add(Click(20, 20))
    with pytest.raises(ClickError, match='outside the image'):
        session.add(Click(10, 10), Click(40, 3))
    np.testing.assert_array_equal(session.probability, before)


@both_kinds
def test_flip_averages_the_logits_of_both_views(kind):
    model = toys.make(kind, zoom_side=None, flip=False)
    image, previous = toys.image((40, 57)), np.zeros((40, 57), np.float32)
    mirrored = [Click(click.y, 56 - click.x, click.positive) for click in CLICKS]
    one = model.answer(image, CLICKS, previous).logits
    other = model.answer(image[:, ::-1], mirrored, previous).logits
    both = model.answer(image, CLICKS, previous, flip=True).logits
    np.testing.assert_allclose(both, (one + other[:, :, ::-1]) / 2, atol=1e-5)


@both_kinds
def test_model_file_keeps_the_network_and_its_settings(kind, tmp_path):
    model, image = toys.make(kind, click_encoding='distance', click_radius=20, slope=0), toys.image()
    save_model(tmp_path / 'm.npz', model)
    loaded = load_model(tmp_path / 'm.npz')
    assert loaded.config == json.loads(json.dumps(model.config))
    np.testing.assert_array_equal(loaded.segment(image, CLICKS), model.segment(image, CLICKS))


def test_settings_of_a_click_are_those_that_its_result_depends_on():
    model = toys.make('hrnet')
    model.zoom_side, model.flip = None, False
    assert model.click_settings() == {'flip': False, 'zoom_side': None, 'click_limit': None, 'fbrs': False}


@pytest.mark.gpu
@both_kinds
@pytest.mark.parametrize('fusion', ['features', 'colors'])
def test_gpu_gives_the_probability_of_the_cpu(kind, fusion):
    model, image = toys.make(kind, fusion=fusion), toys.image()
    wanted = model.segment(image, CLICKS)
    model.to_device('@cupy:0')
    found = model.segment(image, CLICKS)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
