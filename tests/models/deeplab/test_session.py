import numpy as np
import pytest

from chainer_seg.errors import ClickError
from chainer_seg.models.click_history import Moment
from chainer_seg.models.click_state import ClickObject
from chainer_seg.models.deeplab import Click, ClickSegmenter
from chainer_seg.models.deeplab.zoom_in import changed_crop, merge_changes, zoom_crop

SIZES = {'blocks': (1, 1, 1, 1), 'width': 4, 'longest_side': 64}


@pytest.fixture(scope='module', params=['published', 'with mask input and zoom'])
def model(request):
    more = {} if request.param == 'published' else {'mask_input': True, 'zoom_side': 48}
    return ClickSegmenter(**SIZES, **more)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (40, 60, 3), np.uint8)


def square(size=(40, 60), top=10, left=10, side=20):
    mask = np.zeros(size, bool)
    mask[top:top + side, left:left + side] = True
    return mask


def test_a_click_outside_is_rejected_and_changes_nothing(model, image):
    session = model.session(image)
    before = session.add(Click(5, 5))
    with pytest.raises(ClickError):
        session.add(Click(40, 5))
    assert session.clicks == (Click(5, 5),) and session.probability is before


def test_a_session_and_segment_give_the_same_probability(model, image):
    clicks = [Click(5, 5), Click(30, 50, False), Click(8, 9)]
    session = model.session(image)
    for click in clicks:
        session.add(click)
    np.testing.assert_array_equal(session.probability, model.segment(image, clicks))


def test_undo_and_redo_restore_each_probability(model, image):
    session = model.session(image)
    one = session.add(Click(5, 5))
    two = session.add(Click(30, 50, False))
    np.testing.assert_array_equal(session.undo(), one)
    np.testing.assert_array_equal(session.redo(), two)
    assert session.clicks == (Click(5, 5), Click(30, 50, False))


def test_a_new_click_clears_the_redo_history(model, image):
    session = model.session(image)
    session.add(Click(5, 5))
    session.undo()
    session.add(Click(6, 6))
    session.redo()
    assert session.clicks == (Click(6, 6),)


def test_undo_and_redo_without_history_do_nothing(model, image):
    session = model.session(image)
    assert (session.undo() == 0).all() and (session.redo() == 0).all() and session.clicks == ()


def test_reset_removes_all_clicks(model, image):
    session = model.session(image)
    session.add(Click(5, 5), Click(6, 6))
    assert (session.reset() == 0).all() and session.clicks == ()
    session.undo()
    assert session.clicks == (Click(5, 5), Click(6, 6))


def names(session):
    return [each.name for each in session.objects]


def test_finishing_renaming_and_deleting_are_undone_one_by_one(model, image):
    session = model.session(image)
    session.start_from(square())
    session.finish('cup')
    session.start_from(square())
    session.finish('saucer')
    session.rename(0, 'mug')
    session.remove(0)
    assert names(session) == ['saucer']
    session.undo()
    assert names(session) == ['mug', 'saucer']
    session.undo()
    assert names(session) == ['cup', 'saucer'] and not session.mask.any()
    session.undo()
    assert names(session) == ['cup']
    np.testing.assert_array_equal(session.mask, square())
    for _ in range(3):
        session.redo()
    assert names(session) == ['saucer']


def test_reopening_is_one_change(model, image):
    session = model.session(image)
    session.start_from(square())
    session.finish('cup')
    session.start_from(~square())
    session.reopen(0, 'table')
    assert names(session) == ['table'] and (session.mask == square()).all()
    session.undo()
    assert names(session) == ['cup'] and (session.mask == ~square()).all()


def test_deleting_computes_nothing(model, image, monkeypatch):
    session = model.session(image, refinement=always_there)
    session.add(Click(5, 5))
    session.finish()
    before = session.add(Click(5, 5))
    monkeypatch.setattr(session, '_probability', None)
    session.remove(0)
    assert session.objects == () and session.probability is before


def test_what_a_session_begins_with_cannot_be_undone(model, image):
    session = model.session(image)
    session.restore(Moment((ClickObject.of_mask('cup', square(), (Click(12, 12),)),)))
    session.undo()
    assert names(session) == ['cup']
    session.reopen(0)
    assert session.clicks == (Click(12, 12),) and (session.mask == square()).all()


def test_a_session_keeps_the_last_fifty_moments(model, image):
    session = model.session(image)
    session.start_from(square())
    session.finish()
    for number in range(120):
        session.rename(0, str(number))
    for _ in range(200):
        session.undo()
    assert names(session) == ['70']


@pytest.fixture
def computed(model, monkeypatch):
    """The number of clicks in each computation."""
    counts, predict = [], model.predict_logits

    def counting(image, clicks, *arguments):
        counts.append(len(clicks))
        return predict(image, clicks, *arguments)

    monkeypatch.setattr(model, 'predict_logits', counting)
    return counts


def test_clicks_added_together_are_computed_once(model, image, computed):
    session = model.session(image)
    session.add_together(Click(5, 5), Click(5, 5), Click(30, 50, False), Click(9, 9))
    assert session.clicks == (Click(5, 5), Click(30, 50, False), Click(9, 9)) and set(computed) == {3}
    session.add_together(Click(9, 9))
    assert len(session.clicks) == 3


def test_clicks_added_together_are_undone_one_by_one(model, image, computed):
    session = model.session(image)
    both = session.add_together(Click(5, 5), Click(30, 50, False))
    computed.clear()
    one = session.undo()
    assert session.clicks == (Click(5, 5),) and set(computed) == {1}
    np.testing.assert_array_equal(one, model.session(image).add(Click(5, 5)))
    np.testing.assert_array_equal(session.redo(), both)
    computed.clear()
    np.testing.assert_array_equal(session.undo(), one)
    assert computed == []


def test_negative_clicks_added_together_compute_nothing(model, image, computed):
    session = model.session(image)
    session.add_together(Click(5, 5, False), Click(9, 9, False))
    assert computed == [] and len(session.clicks) == 2


def test_a_repeated_click_is_ignored(model, image):
    session = model.session(image)
    one = session.add(Click(5, 5))
    np.testing.assert_array_equal(session.add(Click(5, 5), Click(5.2, 4.9)), one)
    assert session.clicks == (Click(5, 5),)
    session.undo()
    assert session.clicks == ()


def test_a_click_of_the_other_sign_on_a_pixel_replaces_the_first(model, image):
    session = model.session(image)
    session.add(Click(9, 9), Click(5, 5), Click(5, 5, False))
    assert session.clicks == (Click(9, 9), Click(5, 5, False))
    session.undo()
    assert session.clicks == (Click(9, 9), Click(5, 5))


def test_clicks_on_the_image_edge_are_accepted(model, image):
    session = model.session(image)
    session.start_from(square())
    assert session.add(Click(39.5, 59.5), Click(-0.5, -0.5, False)).shape == (40, 60)


def test_a_session_can_start_from_a_mask(model, image):
    session = model.session(image)
    session.start_from(square())
    np.testing.assert_array_equal(session.mask, square())
    session.start_from(square().astype(np.uint8) * 255)
    np.testing.assert_array_equal(session.mask, square())


def test_clicks_correct_the_start_mask_and_undo_restores_it(model, image):
    session = model.session(image)
    session.start_from(square())
    session.add(Click(12, 12, False))
    assert session.clicks == (Click(12, 12, False),)
    np.testing.assert_array_equal(session.undo() > 0.5, square())
    assert (session.undo() == 0).all()
    np.testing.assert_array_equal(session.redo() > 0.5, square())


def test_a_mask_of_another_size_is_rejected_and_changes_nothing(model, image):
    session = model.session(image)
    session.add(Click(5, 5))
    with pytest.raises(ClickError, match='The mask is 40x61 pixels, but the image is 40x60'):
        session.start_from(np.ones((40, 61), bool))
    assert session.clicks == (Click(5, 5),)


def test_only_regions_with_clicks_are_merged():
    start = square((20, 40), 5, 5, 10)
    found = np.full((20, 40), 0.1, np.float32)
    found[5:15, 5:10] = 0.9  # the right half of the square is gone,
    found[5:15, 20:25] = 0.8  # one region is new,
    found[5:15, 30:35] = 0.8  # and another one
    merged = merge_changes(start, found, [Click(7, 22), Click(8, 31, False)])
    expected = start.copy()
    expected[5:15, 20:25] = True
    np.testing.assert_array_equal(merged > 0.5, expected)
    merged = merge_changes(start, found, [Click(7, 12, False)])
    np.testing.assert_array_equal(merged > 0.5, square((20, 40), 5, 5, 10) & (found > 0.5))


def test_a_click_without_a_difference_keeps_the_mask():
    start = square((20, 40), 5, 5, 10)
    merged = merge_changes(start, start.astype(np.float32), [Click(7, 7), Click(0, 0, False)])
    np.testing.assert_array_equal(merged, start)


def always_there(image, probability, clicks):
    assert image.shape[:2] == probability.shape
    return np.ones_like(probability)


def test_refinement_can_be_set_and_removed(model, image):
    session = model.session(image)
    raw = session.add(Click(5, 5))
    session.refinement = always_there
    assert session.refinement is always_there
    assert (session.probability == 1).all()
    np.testing.assert_array_equal(session.raw_probability, raw)
    session.refinement = None
    np.testing.assert_array_equal(session.probability, raw)


def test_refinement_is_applied_after_clicks_and_undo_once_there_is_an_object(model, image):
    session = model.session(image, refinement=always_there)
    assert (session.probability == 0).all()
    assert (session.add(Click(5, 5)) == 1).all()
    assert (session.undo() == 0).all()


def test_refinement_keeps_the_start_mask_where_there_is_no_click(model, image):
    session = model.session(image, refinement=always_there)
    session.start_from(square())
    np.testing.assert_array_equal(session.mask, square())
    session.add(Click(15, 15, False))
    assert session.mask[square()].all() and not session.mask[~square()].any()
    session.add(Click(0, 0))
    assert session.mask.all()


def test_a_refinement_that_returns_another_size_is_an_error(model, image):
    session = model.session(image, refinement=lambda *_: None)
    with pytest.raises(ClickError, match='refinement returned no pixels for an image of 40x60'):
        session.add(Click(5, 5))
    assert session.clicks == ()


def test_the_mask_follows_the_threshold(model, image):
    session = model.session(image)
    session.add(Click(5, 5))
    session.threshold = 2.0
    assert not session.mask.any()
    session.threshold = -1.0
    assert session.mask.all()


def start_objects(session):
    for left, name in ((0, 'cup'), (20, ''), (40, 'cup')):
        session.start_from(square(left=left, side=10))
        session.finish(name)


def test_finish_keeps_the_object_and_starts_the_next_one(model, image):
    session = model.session(image)
    start_objects(session)
    assert session.clicks == () and not session.mask.any()
    assert [each.name for each in session.objects] == ['cup', '', 'cup']
    instances = session.instances()
    assert instances.class_names == ('cup', 'object') and instances.labels.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(instances.masks[1], square(left=20, side=10))


def test_without_finished_objects_instances_are_empty(model, image):
    assert len(model.session(image).instances()) == 0


def test_an_empty_object_cannot_be_finished(model, image):
    with pytest.raises(ClickError, match='no object to finish yet'):
        model.session(image).finish()


def test_objects_are_renamed_and_removed(model, image):
    session = model.session(image)
    start_objects(session)
    session.rename(1, 'spoon')
    session.remove(0)
    assert [each.name for each in session.objects] == ['spoon', 'cup']
    with pytest.raises(ClickError, match='no finished object 2; there are 2'):
        session.remove(2)


def test_a_reopened_object_continues_from_its_last_click(model, image):
    session = model.session(image)
    clicks = (Click(5, 5), Click(30, 50, False))
    probability = session.add(*clicks)
    session.threshold = probability.min() - 1e-3
    session.finish('cup')
    session.threshold = 0.5
    session.start_from(square())
    session.reopen(0)
    assert session.clicks == clicks
    np.testing.assert_array_equal(session.probability, probability)
    # What was under way was finished and not lost.
    assert len(session.objects) == 1
    np.testing.assert_array_equal(session.objects[0].mask, square())


def test_an_object_of_one_pixel_is_clicked(model, image):
    session = model.session(image)
    session.start_from(square(side=1))
    session.finish()
    assert session.instances().bboxes.tolist() == [[10, 10, 11, 11]]
    one = model.session(np.zeros((1, 1, 3), np.uint8))
    assert one.add(Click(0, 0)).shape == (1, 1)


def test_the_crop_contains_the_mask_and_the_positive_clicks():
    mask = np.zeros((200, 300), bool)
    mask[80:120, 100:150] = True
    # The mask is 40 x 50 pixels around (100, 125): a square of 1.6 * 50 = 80.
    assert zoom_crop(mask, [Click(100, 125), Click(3, 3, False)]) == (60, 85, 80, 80)
    # A click at (100, 199) makes it 99 wide.
    assert zoom_crop(mask, [Click(100, 199)]) == (21, 70, 158, 158)


def test_the_crop_is_inside_the_image_and_has_a_minimum_size():
    corner = zoom_crop(np.zeros((200, 240), bool), [Click(0, 239)])
    # A twelfth of 240 pixels, with the margin.
    assert corner == (0, 208, 32, 32)
    assert zoom_crop(np.ones((20, 30), bool), [Click(5, 5)]) == (0, 0, 20, 30)
    assert zoom_crop(np.zeros((1, 1), bool), [Click(0, 0)]) == (0, 0, 1, 1)


def test_the_probability_is_zero_outside_the_crop(rng):
    zooming = ClickSegmenter(**SIZES, zoom_side=32)
    image = rng.integers(0, 256, (120, 160, 3), np.uint8)
    session = zooming.session(image)
    session.start_from(square((120, 160)))
    # The square and its margin: a window of 32 pixels around (20, 20).
    session.add(Click(45, 45))
    whole = ClickSegmenter(**SIZES).session(image)
    whole.start_from(square((120, 160)))
    whole.add(Click(45, 45))
    assert (session.probability[100:] == 0).all() and (session.probability[:, 100:] == 0).all()


def test_the_second_pass_crops_around_the_result_of_the_first(rng):
    class Finding(ClickSegmenter):
        """Finds the middle of whatever it is shown."""

        def predict_logits(self, image, clicks, previous=None, side=None):
            self.looks.append((image.shape[:2], side))
            logits = np.full((1, 1, 9, 9), -9, np.float32)
            logits[..., 3:6, 3:6] = 9
            return logits

    model = Finding(**SIZES, zoom_side=32)
    model.looks = []
    model.session(np.zeros((90, 90, 3), np.uint8)).add(Click(45, 45))
    # First all of it at its own size, then 1.6 times what was found.
    (first, _), (second, side) = model.looks
    assert first == (90, 90) and side == 32
    assert 1.6 * 0.2 * 90 < second[0] < 1.6 * 0.5 * 90


def test_the_crop_of_a_change_is_around_the_region_that_holds_the_click():
    before, after = np.zeros((200, 300), bool), np.zeros((200, 300), bool)
    before[100:120, 100:150] = True
    after[60:120, 100:150] = True  # 40 x 50 more pixels, around (80, 125)
    after[150:190, 200:290] = True  # elsewhere
    assert changed_crop(before, after, Click(70, 110)) == (40, 85, 80, 80)
    assert changed_crop(before, after, Click(90, 180, False)) == (70, 160, 40, 40)  # nothing changed there


class Painting(ClickSegmenter):
    """Finds all of the image, and nothing of smaller crops; remembers what it was shown."""

    def predict_logits(self, image, clicks, previous=None, side=None):
        self.passes.append((image.shape[:2], side))
        return np.full((1, 1, 9, 9), 9 if side is None else -9, np.float32)


@pytest.mark.parametrize('local_side', [None, 24])
def test_from_the_third_click_on_a_local_pass_replaces_what_is_around_the_click(local_side):
    model = Painting(**SIZES, local_side=local_side)
    model.passes = []
    session = model.session(np.zeros((90, 90, 3), np.uint8))
    session.add(Click(45, 45), Click(10, 10))
    assert model.passes == [((90, 90), None)] * 2
    session.add(Click(60, 60, False))
    if local_side is None:
        assert model.passes == [((90, 90), None)] * 3 and session.mask.all()
        return
    # Nothing changed at the click: a twelfth of 90 pixels with the margin, around the click.
    assert model.passes[2:] == [((90, 90), None), ((12, 12), 24)]
    expected = np.ones((90, 90), bool)
    expected[54:66, 54:66] = False
    np.testing.assert_array_equal(session.mask, expected)


class Alternating(Painting):
    """Finds everything for an odd number of clicks, and otherwise nothing."""

    def predict_logits(self, image, clicks, previous=None, side=None):
        super().predict_logits(image, clicks, previous, side)
        return np.full((1, 1, 9, 9), 9 if len(clicks) % 2 else -9, np.float32)


def test_a_change_as_large_as_the_object_is_not_computed_again():
    model = Alternating(**SIZES, local_side=24)
    model.passes = []
    session = model.session(np.zeros((90, 90, 3), np.uint8))
    session.add(Click(45, 45), Click(10, 10), Click(60, 60))
    assert model.passes == [((90, 90), None)] * 3 and session.mask.all()


@pytest.mark.parametrize('mask_input', [True, False])
def test_the_local_pass_is_around_the_new_click_also_after_a_start(mask_input):
    model = Painting(**SIZES, local_side=24, mask_input=mask_input)
    session = model.session(np.zeros((90, 90, 3), np.uint8))
    model.passes = []
    session.start_from(np.ones((90, 90), bool))
    session.add(Click(45, 45), Click(10, 10), Click(60, 60, False))
    (crop, _), (local, _) = session._state.result
    assert crop == (0, 0, 90, 90) and local == (54, 54, 12, 12)


def test_several_clicks_at_once_have_no_local_pass():
    model = Painting(**SIZES, local_side=24)
    model.passes = []
    model.session(np.zeros((90, 90, 3), np.uint8)).add_together(*(Click(y, 45) for y in (10, 40, 70, 80)))
    assert model.passes == [((90, 90), None)]
