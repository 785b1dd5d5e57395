"""Sessions of models that find objects by themselves: any detector or proposal model can be clicked."""

import numpy as np
import pytest

from chainer_seg.errors import ClickError
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.candidate_model import CandidateModel
from chainer_seg.models.candidate_session import soft_mask
from chainer_seg.models.deeplab import Click
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.yolact import Yolact
from tests.models.deepmask.test_model import SMALL as SMALL_DEEPMASK
from tests.models.mask_rcnn.test_model import SMALL as SMALL_MASK_RCNN
from tests.models.yolact.test_model import SMALL as SMALL_YOLACT
from tests.models.yolact.test_model import calm

SIZE = 60, 80
MODELS = {
    'deepmask': lambda: DeepMask(**SMALL_DEEPMASK),
    'sharpmask': lambda: SharpMask(mask_channels=16, skip_channels=6, **SMALL_DEEPMASK),
    'mask-rcnn': lambda: MaskRCNN(**SMALL_MASK_RCNN),
    'boxes only': lambda: MaskRCNN(**SMALL_MASK_RCNN, with_masks=False),
    'yolact': lambda: calm(Yolact(**SMALL_YOLACT))}


@pytest.fixture(scope='module', params=MODELS)
def model(request):
    return MODELS[request.param]()


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (*SIZE, 3), np.uint8)


def box(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


LEFT, RIGHT = box(10, 10, 30, 30), box(10, 30, 30, 50)


class Boxes(CandidateModel):
    """Finds the same boxes in each image, and one more around each click; counts how often it looks."""

    def __init__(self, *masks, around=0):
        super().__init__()
        self.masks, self.around, self.looks = masks, around, 0

    def candidates(self, image):
        masks = np.array(self.masks, bool).reshape(-1, *image.shape[:2])
        return CandidateMasks.of(RunLengthMasks.from_masks(masks), np.full(len(masks), 0.9))

    def candidates_at(self, image, click):
        self.looks += 1
        if not self.around:
            return super().candidates_at(image, click)
        y, x = int(click.y), int(click.x)
        mask = box(y - self.around, x - self.around, y + self.around + 1, x + self.around + 1)
        return CandidateMasks.of(RunLengthMasks.from_masks(mask[None]), np.ones(1))


def test_every_model_gives_a_probability_that_agrees_with_the_clicks(model, image):
    clicks = [Click(30, 40), Click(5, 5, False), Click(40, 50), Click(50, 70, False)]
    probability = model.segment(image, clicks)
    assert probability.shape == SIZE and probability.dtype == np.float32
    assert probability.min() >= 0 and probability.max() <= 1
    for click in clicks:
        assert (probability[click.y, click.x] > 0.5) == click.positive


def test_every_model_has_candidates_of_the_size_of_the_image(model, image):
    candidates = model.candidates(image)
    assert len(candidates) > 0 and candidates.runs.size == SIZE
    assert (candidates.areas > 0).all() and len(candidates.scores) == len(candidates)
    assert candidates.scores.min() >= 0 and candidates.scores.max() <= 1


@pytest.mark.parametrize('size', [(1, 1), (1, 40), (3, 2)])
def test_every_model_can_be_clicked_in_tiny_images(model, size):
    probability = model.segment(np.full((*size, 3), 90, np.uint8), Click(0, 0))
    assert probability.shape == size and probability[0, 0] > 0.5


def test_undo_redo_and_reset(image):
    session = Boxes(LEFT, RIGHT).session(image)
    one, two = session.add(Click(20, 20)), session.add(Click(20, 40))
    np.testing.assert_array_equal(two > 0.5, LEFT | RIGHT)
    np.testing.assert_array_equal(session.undo(), one)
    np.testing.assert_array_equal(session.redo(), two)
    assert not session.reset().any() and session.clicks == ()


def test_the_model_looks_at_a_pixel_only_once(image):
    model = Boxes(around=4)
    session = model.session(image)
    session.add(Click(20, 20))
    np.testing.assert_array_equal(session.mask, box(16, 16, 25, 25))
    session.undo()
    session.add(Click(20, 20))
    assert model.looks == 1


def test_clicks_that_were_undone_leave_no_trace(image):
    model = Boxes(LEFT, around=4)
    session = model.session(image)
    session.add(Click(20, 22))
    session.undo()
    session.add(Click(20, 20))
    np.testing.assert_array_equal(session.probability, model.segment(image, Click(20, 20)))


def test_objects_are_finished_and_reopened(image):
    session = Boxes(LEFT, RIGHT).session(image)
    session.add(Click(20, 20))
    session.finish('cup')
    session.add(Click(20, 40))
    session.reopen(0)
    np.testing.assert_array_equal(session.mask, LEFT)
    np.testing.assert_array_equal(session.objects[0].mask, RIGHT)


def test_clicks_correct_a_start(image):
    session = Boxes(RIGHT).session(image)
    session.start_from(LEFT)
    session.add(Click(20, 40))
    np.testing.assert_array_equal(session.mask, LEFT | RIGHT)
    session.add(Click(20, 45, False))
    assert session.mask[20, 20] and not session.mask[20, 45]


def test_twenty_clicks_on_one_pixel_are_one(image):
    session = Boxes(LEFT).session(image)
    session.add(*[Click(20, 20)] * 20)
    assert session.clicks == (Click(20, 20),)
    np.testing.assert_array_equal(session.mask, LEFT)


def test_contradicting_clicks_follow_the_last(image):
    session = Boxes(LEFT).session(image)
    for number in range(20):
        session.add(Click(20, 20, number % 2 == 0))
    assert session.clicks == (Click(20, 20, False),) and not session.mask.any()


def test_clicks_of_both_signs_on_neighbouring_pixels_both_hold(image):
    session = Boxes(LEFT).session(image)
    session.add(Click(20, 20), Click(20, 21, False), Click(20, 22), Click(21, 21, False))
    assert session.mask[20, 20] and session.mask[20, 22]
    assert not session.mask[20, 21] and not session.mask[21, 21]


def test_a_click_outside_is_refused_and_changes_nothing(image):
    session = Boxes(LEFT).session(image)
    session.add(Click(20, 20))
    with pytest.raises(ClickError, match='outside the image'):
        session.add(Click(60, 20))
    assert session.clicks == (Click(20, 20),)


def test_an_image_without_candidates_is_clicked_all_the_same(image):
    session = Boxes().session(image, 'graphcut')
    probability = session.add(Click(20, 20), Click(50, 70, False))
    assert probability[20, 20] > 0.5 > probability[50, 70]


def test_the_graph_cut_moves_the_outline_to_the_edge_of_the_image():
    image = np.full((*SIZE, 3), 40, np.uint8)
    image[10:30, 10:30] = 200
    session = Boxes(box(11, 9, 31, 29)).session(image, 'graphcut')
    session.add(Click(20, 20))
    np.testing.assert_array_equal(session.mask, LEFT)


def test_soft_masks_are_the_mask_and_fall_with_the_distance():
    mask = box(10, 10, 50, 50)
    probability = soft_mask(mask)
    np.testing.assert_array_equal(probability > 0.5, mask)
    assert (np.diff(probability[30, 30:60]) <= 0).all() and probability[30, 30] > 0.99
    assert probability[0, 79] == 0
    assert (soft_mask(np.ones(SIZE, bool)) > 0.5).all() and not soft_mask(np.zeros(SIZE, bool)).any()
