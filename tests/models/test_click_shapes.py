"""Boxes and brush strokes, as pixels and in a session."""

import numpy as np
import pytest

from chainer_seg.errors import ClickError
from chainer_seg.models.click_shapes import box_clicks, check_box, inside_box, stroke_mask
from chainer_seg.models.deeplab import Click

from ..widgets.discs import Discs, disc

SIZE = 60, 80


@pytest.fixture
def session():
    return Discs().session(np.zeros((*SIZE, 3), np.uint8))


def near_path(points, radius):
    """(H, W) bool: pixels within a radius of a path, by the distance to each of many points on it."""
    rows, columns = np.mgrid[:SIZE[0], :SIZE[1]]
    inside = np.zeros(SIZE, bool)
    for (y0, x0), (y1, x1) in zip(points, points[1:] or points):
        for t in np.linspace(0, 1, 200):
            inside |= np.hypot(rows - y0 - t * (y1 - y0), columns - x0 - t * (x1 - x0)) <= radius
    return inside


@pytest.mark.parametrize('points', [[(20, 30)], [(10, 10), (40, 60)], [(5, 5), (5, 70), (50, 70)]])
@pytest.mark.parametrize('radius', [3, 8])
def test_a_stroke_has_the_pixels_near_its_path(points, radius):
    painted = stroke_mask(points, radius, SIZE)
    assert not (near_path(points, radius - 1) & ~painted).any()
    assert not (painted & ~near_path(points, radius + 1)).any()


def test_a_thin_stroke_has_the_pixels_on_its_path():
    painted = stroke_mask([(20, 10), (20, 30)], 0, SIZE)
    assert painted[20, 10:31].all() and painted.sum() == 21


def test_strokes_may_leave_the_image():
    assert not stroke_mask([(-500, -500)], 3, SIZE).any()
    assert stroke_mask([(-1e9, 5), (1e9, 5)], 2, SIZE)[:, 5].all()
    assert stroke_mask([(5, 5)], 1e12, SIZE).all()


@pytest.mark.parametrize('points, radius', [([], 3), ([(np.nan, 3)], 3), ([(1, 2)], np.inf)])
def test_strokes_without_finite_points_are_refused(points, radius):
    with pytest.raises(ClickError, match='needs points and a radius'):
        stroke_mask(points, radius, SIZE)


def test_clicks_of_a_box_are_a_cross_inside_and_outside_its_corners():
    clicks = box_clicks((10, 20, 30, 60), SIZE)
    assert [(click.y, click.x) for click in clicks if click.positive] == [
        (14.5, 39.5), (24.5, 39.5), (19.5, 29.5), (19.5, 49.5), (19.5, 39.5)]
    assert [(click.y, click.x) for click in clicks if not click.positive] == [
        (8, 17), (8, 62), (31, 17), (31, 62)]
    assert len(box_clicks((0, 0, 30, 60), SIZE)) == 6  # one corner has its outside in the image


def test_boxes_are_cut_at_the_image():
    assert check_box((-5, -5, 90, 90), SIZE) == (0, 0, 60, 80)
    assert inside_box((10, 20, 12, 23), SIZE).nonzero()[0].tolist() == [10] * 3 + [11] * 3
    for box in ((70, 0, 90, 20), (10, 10, 10.5, 30), (np.nan, 0, 5, 5), (30, 30, 10, 10)):
        with pytest.raises(ClickError, match='drag it around'):
            check_box(box, SIZE)


def test_a_box_starts_the_object_and_is_one_change(session):
    session.add(Click(50, 70))
    session.add_box((8, 8, 28, 48))
    expected = np.any([disc(SIZE, *place) for place in (
        (12.5, 27.5), (22.5, 27.5), (17.5, 17.5), (17.5, 37.5), (17.5, 27.5))], axis=0)
    for corner in ((6, 5), (6, 50), (29, 5), (29, 50)):
        expected &= ~disc(SIZE, *corner)
    expected &= inside_box((8, 8, 28, 48), SIZE)
    np.testing.assert_array_equal(session.mask, expected)
    session.undo()
    assert session.clicks == (Click(50, 70),)
    session.redo()
    session.add(Click(50, 10))
    np.testing.assert_array_equal(session.mask, expected | disc(SIZE, 50, 10))


def test_a_box_without_an_object_changes_nothing():
    model = Discs()
    model.predict_logits = lambda image, *rest: np.zeros((1, *image.shape[:2]), np.float32)
    empty = model.session(np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(ClickError, match='No object was found in the box'):
        empty.add_box((10, 10, 30, 30))
    assert empty.clicks == () and empty.objects == ()


def test_a_box_is_refined_like_clicks(session):
    session.refinement = lambda image, probability, clicks: np.ones_like(probability)
    session.add_box((10, 10, 30, 30))
    np.testing.assert_array_equal(session.mask, inside_box((10, 10, 30, 30), SIZE))


def test_strokes_change_the_mask_and_are_undone(session):
    session.add(Click(20, 20))
    session.paint(disc(SIZE, 40, 60))
    np.testing.assert_array_equal(session.mask, disc(SIZE, 20, 20) | disc(SIZE, 40, 60))
    session.paint(disc(SIZE, 20, 14), positive=False)
    erased = disc(SIZE, 20, 20) & ~disc(SIZE, 20, 14) | disc(SIZE, 40, 60)
    np.testing.assert_array_equal(session.mask, erased)
    assert session.clicks == (Click(20, 20),)
    session.undo()
    session.undo()
    np.testing.assert_array_equal(session.mask, disc(SIZE, 20, 20))
    session.redo()
    session.finish('cup')
    assert session.objects[0].mask.sum() == session.instances().masks.sum() > 400


def test_an_object_can_be_erased_as_a_whole(session):
    session.paint(disc(SIZE, 20, 20))
    session.paint(np.ones(SIZE, bool), positive=False)
    assert not session.mask.any()
    session.add(Click(40, 40))
    np.testing.assert_array_equal(session.mask, disc(SIZE, 40, 40))


def test_a_stroke_of_another_size_is_refused(session):
    with pytest.raises(ClickError, match='30x40'):
        session.paint(np.ones((30, 40), bool))


def test_a_preview_is_what_the_click_gives_and_changes_nothing(session):
    session.add(Click(20, 20))
    before = session.probability
    preview = session.preview(Click(40, 60))
    assert session.probability is before and session.clicks == (Click(20, 20),)
    np.testing.assert_array_equal(preview, session.add(Click(40, 60)))
    with pytest.raises(ClickError, match='outside the image'):
        session.preview(Click(90, 3))
