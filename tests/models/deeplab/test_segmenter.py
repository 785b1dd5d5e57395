import numpy as np
import pytest

from chainer_seg.errors import ClickError, ImageError
from chainer_seg.models.deeplab import Click, ClickSegmenter
from chainer_seg.models.deeplab.model import CAFFE_MEAN_BGR
from chainer_seg.models.deeplab.segmenter import zoom_window


@pytest.fixture(scope='module')
def model():
    return ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (40, 60, 3), np.uint8)


def test_input_is_bgr_minus_mean_and_two_click_maps(model, image):
    x = model.prepare(image, [Click(5, 7), Click(1, 2, False)])
    assert x.shape == (5, 40, 60) and x.dtype == np.float32
    assert x[0, 3, 4] == pytest.approx(image[3, 4, 2] - CAFFE_MEAN_BGR[0], abs=1e-4)
    assert x[2, 3, 4] == pytest.approx(image[3, 4, 0] - CAFFE_MEAN_BGR[2], abs=1e-4)
    assert x[3, 5, 7] == 0 and x[3, 5, 10] == 3 and x[4, 1, 2] == 0


def test_clicks_move_with_a_shrunk_image(model):
    # 128 pixels are shrunk to 64: the pixels 20 and 21 become pixel 10, whose centre is at 20.5.
    x = model.prepare(np.zeros((128, 128, 3), np.uint8), [Click(20.5, 41.0)])
    assert x.shape == (5, 64, 64)
    assert x[3, 10, 20] == pytest.approx(0.25)


@pytest.mark.parametrize('size', [(40, 60), (1, 1), (2, 300), (333, 17)])
def test_probability_has_the_size_of_the_image(model, size):
    probability = model.segment(np.full(size + (3,), 99, np.uint8), [Click(0, 0)])
    assert probability.shape == size and probability.dtype == np.float32
    assert (probability >= 0).all() and (probability <= 1).all()


@pytest.mark.parametrize('kind', ['grey', 'rgba', 'sixteen bits'])
def test_other_kinds_of_images_are_taken(model, rng, kind):
    array = {'grey': rng.integers(0, 256, (20, 30), np.uint8),
             'rgba': rng.integers(0, 256, (20, 30, 4), np.uint8),
             'sixteen bits': rng.integers(0, 65536, (20, 30), np.uint16)}[kind]
    assert model.segment(array, [Click(3, 3)]).shape == (20, 30)


def test_what_is_no_image_is_refused(model):
    with pytest.raises(ImageError):
        model.segment(np.zeros((0, 5, 3), np.uint8), [Click(0, 0)])


@pytest.mark.slow
def test_photograph_of_twenty_megapixels(model):
    probability = model.segment(np.zeros((3648, 5472, 3), np.uint8), [Click(3647, 5471)])
    assert probability.shape == (3648, 5472)


def test_without_a_positive_click_there_is_no_object(model, image):
    assert (model.segment(image, []) == 0).all()
    assert (model.segment(image, [Click(1, 1, False)]) == 0).all()


def test_click_outside_is_refused_and_changes_nothing(model, image):
    session = model.session(image)
    before = session.add(Click(5, 5))
    with pytest.raises(ClickError):
        session.add(Click(40, 5))
    assert session.clicks == (Click(5, 5),) and session.probability is before


def test_session_gives_what_segment_gives(model, image):
    clicks = [Click(5, 5), Click(30, 50, False), Click(8, 9)]
    session = model.session(image)
    for click in clicks:
        session.add(click)
    np.testing.assert_array_equal(session.probability, model.segment(image, clicks))


def test_undo_and_redo_go_back_and_forth(model, image):
    session = model.session(image)
    one = session.add(Click(5, 5))
    two = session.add(Click(30, 50, False))
    np.testing.assert_array_equal(session.undo(), one)
    np.testing.assert_array_equal(session.redo(), two)
    assert session.clicks == (Click(5, 5), Click(30, 50, False))


def test_a_new_click_forgets_what_was_undone(model, image):
    session = model.session(image)
    session.add(Click(5, 5))
    session.undo()
    session.add(Click(6, 6))
    session.redo()
    assert session.clicks == (Click(6, 6),)


def test_undo_of_nothing_and_redo_of_nothing_do_nothing(model, image):
    session = model.session(image)
    assert (session.undo() == 0).all() and (session.redo() == 0).all() and session.clicks == ()


def test_reset_forgets_all_clicks(model, image):
    session = model.session(image)
    session.add(Click(5, 5), Click(6, 6))
    assert (session.reset() == 0).all() and session.clicks == ()


def test_running_statistics_stay_as_they_are(model, image):
    before = model.net.resnet.stem.norm.avg_mean.copy()
    model.segment(image, [Click(5, 5)])
    np.testing.assert_array_equal(model.net.resnet.stem.norm.avg_mean, before)


def test_window_surrounds_mask_and_positive_clicks():
    mask = np.zeros((200, 300), bool)
    mask[80:120, 100:150] = True
    # The mask is 40 x 50 pixels around (100, 125): a square of 1.6 * 50 = 80.
    assert zoom_window(mask, [Click(100, 125), Click(3, 3, False)]) == (60, 85, 80, 80)
    # A click at (100, 199) makes it 99 wide.
    assert zoom_window(mask, [Click(100, 199)]) == (21, 70, 158, 158)


def test_window_stays_in_the_image_and_has_a_least_size():
    corner = zoom_window(np.zeros((200, 240), bool), [Click(0, 239)])
    # A twelfth of 240 pixels, with the margin.
    assert corner == (0, 208, 32, 32)
    assert zoom_window(np.ones((20, 30), bool), [Click(5, 5)]) == (0, 0, 20, 30)
    assert zoom_window(np.zeros((1, 1), bool), [Click(0, 0)]) == (0, 0, 1, 1)


def test_second_click_looks_closer_and_finds_nothing_outside_the_window(image):
    zooming = ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64, zoom_side=32)
    plain = ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64)
    one, two = [Click(5, 7)], [Click(5, 7), Click(6, 9)]
    np.testing.assert_array_equal(zooming.segment(image, one), plain.segment(image, one))
    first_look = plain.segment(image, two)
    top, left, height, width = zoom_window(first_look > 0.5, two)
    closer = zooming.segment(image, two)
    window = np.zeros_like(closer, dtype=bool)
    window[top:top + height, left:left + width] = True
    assert (closer[~window] == 0).all() and (closer[window] > 0).all()
    assert (closer != first_look).any()
