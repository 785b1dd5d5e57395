"""The detection explorer from Python's side: what reaches the browser, and what is let through."""

import cv2
import numpy as np
import pytest

pytest.importorskip('anywidget')

import traitlets  # noqa: E402

from chainer_seg.datasets.keypoints import PERSON_SKELETON  # noqa: E402
from chainer_seg.errors import DatasetError, ImageError, ModelFileError  # noqa: E402
from chainer_seg.instances import Instances  # noqa: E402
from chainer_seg.visualization import instance_colors  # noqa: E402
from chainer_seg.widgets import DetectionExplorer  # noqa: E402

from .browser_masks import masks_in_browser  # noqa: E402
from .saved_views import decode_saved, views_after  # noqa: E402

NAMES = ('dog', 'cat', 'cow')


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture
def found():
    """Three rectangles: cow 0.9, dog 0.6, dog 0.3."""
    masks = np.zeros((3, 60, 80), bool)
    masks[0, 5:35, 5:45] = True
    masks[1, 10:20, 10:20] = True
    masks[2, 40:50, 60:75] = True
    return Instances(masks, labels=[2, 0, 0], scores=[0.9, 0.6, 0.3], class_names=NAMES)


@pytest.fixture
def explorer(image, found):
    return DetectionExplorer(image, found, longest_side=80)


def test_masks_and_figures_reach_the_browser(explorer, found):
    np.testing.assert_array_equal(masks_in_browser(explorer)[0], found.masks)
    figures = np.frombuffer(explorer.figures_data, '<f8').reshape(-1, 9)
    np.testing.assert_allclose(figures[:, :7], [(0.9, 2, 1200, 5, 5, 35, 45), (0.6, 0, 100, 10, 10, 20, 20),
                                         (0.3, 0, 150, 40, 60, 50, 75)], rtol=1e-6)
    assert explorer.class_names == list(NAMES) and explorer.with_scores


def test_image_and_colours_reach_the_browser(explorer, image):
    shown = cv2.imdecode(np.frombuffer(explorer.image_data, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == image.shape and explorer.shown_size == (60, 80)
    np.testing.assert_array_equal(
        np.frombuffer(explorer.colors_data, np.uint8).reshape(-1, 3), instance_colors(3))


def test_keypoints_reach_the_browser_with_the_lines_of_a_person(image):
    points = np.arange(51, dtype=np.float32).reshape(1, 17, 3)
    explorer = DetectionExplorer(image, Instances(np.ones((1, 60, 80), bool), keypoints=points))
    np.testing.assert_array_equal(
        np.frombuffer(explorer.keypoints_data, '<f4').reshape(1, 17, 3), points)
    assert explorer.skeleton == [list(pair) for pair in PERSON_SKELETON]
    other = Instances(np.ones((1, 60, 80), bool), keypoints=points[:, :3])
    assert DetectionExplorer(image, other).skeleton == []
    assert DetectionExplorer(image, other, skeleton=[(0, 2)]).skeleton == [[0, 2]]


def test_annotated_objects_are_shown_without_scores(image):
    assert not DetectionExplorer(image, Instances(np.ones((1, 60, 80), bool))).with_scores


def test_score_and_classes_select_the_shown_objects(explorer, found):
    assert explorer.shown.tolist() == [0, 1, 2]
    explorer.score_threshold = 0.5
    assert explorer.shown.tolist() == [0, 1]
    explorer.hidden = [2]
    assert explorer.shown.tolist() == [1]
    assert len(explorer.instances) == 1 and explorer.instances.name(0) == 'dog'
    np.testing.assert_array_equal(explorer.instances.masks, found.masks[1:2])
    explorer.hidden = [0, 2]
    assert len(explorer.instances) == 0


def test_a_large_image_is_sent_shrunk_with_the_numbers_of_the_image():
    masks = np.zeros((2, 1920, 2560), bool)
    masks[0, 200:600, 400:800] = True
    masks[1, 1001, 1500:] = True
    explorer = DetectionExplorer(np.zeros((1920, 2560, 3), np.uint8), Instances(masks))
    assert explorer.shown_size == (480, 640) and explorer.image_size == (1920, 2560)
    assert explorer.sent_size == (960, 1280)  # with more detail than is shown, for zooming in
    shown = masks_in_browser(explorer)[0]
    assert shown[0].sum() == 200 * 200 and shown[0, 100:300, 200:400].all()
    np.testing.assert_array_equal(np.argwhere(shown[1]), [(500, x) for x in range(750, 1280)])
    assert np.frombuffer(explorer.figures_data, '<f8').reshape(-1, 9)[0, 2] == 400 * 400
    np.testing.assert_array_equal(explorer.instances.masks, masks)


@pytest.mark.parametrize('size, longest_side, shown', [
    ((60, 80), 640, (360, 480)), ((80, 40), 640, (480, 240)), ((300, 600), 640, (300, 600)),
    ((300, 1200), 640, (160, 640)), ((60, 80), 100, (75, 100))])
def test_small_images_are_enlarged_to_480_pixels_and_large_ones_shrunk(size, longest_side, shown):
    explorer = DetectionExplorer(np.zeros((*size, 3), np.uint8), Instances.empty(*size), longest_side)
    assert explorer.shown_size == shown and explorer.snapshot().shape[:2] == shown


@pytest.fixture
def truth():
    """The cow a little to the right of where it was detected, and a bird, which was missed."""
    masks = np.zeros((2, 60, 80), bool)
    masks[0, 5:35, 10:50] = True
    masks[1, 50:58, 5:15] = True
    return Instances(masks, labels=[1, 0], class_names=('bird', 'cow'))


def test_the_truth_reaches_the_browser_with_its_agreement(image, found, truth):
    explorer = DetectionExplorer(image, found, truth=truth)
    assert explorer.truths == 2 and len(explorer) == 3
    np.testing.assert_array_equal(masks_in_browser(explorer)[0], np.concatenate([found.masks, truth.masks]))
    assert explorer.class_names == [*NAMES, 'bird']
    figures = np.frombuffer(explorer.figures_data, '<f8').reshape(-1, 9)
    assert figures[3:, 1].tolist() == [2, 3]  # labels match by name
    iou = 35 * 30 / (45 * 30)
    np.testing.assert_allclose(figures[[0, 3], 7:], [(0, iou), (0, iou)])
    assert figures[4, 8] == 0 and figures[2, 8] == 0
    colors = np.frombuffer(explorer.colors_data, np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(colors[3], colors[0])  # found, so that it has the colour of its detection
    assert not (colors[4] == colors[:4]).all(axis=1).any()


def test_the_snapshot_shows_the_truth_beside_or_over_the_detections(image, found, truth):
    options = {'boxes': False, 'names': False, 'longest_side': 80}
    explorer = DetectionExplorer(image, found, truth=truth, **options)
    alone = DetectionExplorer(image, found, **options).snapshot()
    beside = explorer.snapshot()
    assert beside.shape == (60, 80 + 4 + 80, 3) and (beside[:, 80:84] == 255).all()
    np.testing.assert_array_equal(beside[:, 84:], alone)
    np.testing.assert_array_equal(beside[5, 10:50], np.broadcast_to(instance_colors(5)[0], (40, 3)))
    np.testing.assert_array_equal(beside[5, 5:10], image[5, 5:10])
    explorer.hidden = [3]
    np.testing.assert_array_equal(explorer.snapshot()[50:58, 5:15], image[50:58, 5:15])
    explorer.truth_view = 'over'
    over = explorer.snapshot()
    assert over.shape == alone.shape and (over[5, 10:50] == 255).all()
    explorer.truth_view = 'hidden'
    np.testing.assert_array_equal(explorer.snapshot(), alone)


def test_the_truth_of_another_image_is_rejected(image, found, truth):
    with pytest.raises(DatasetError, match='belong to an image of 50x80 pixels'):
        DetectionExplorer(image, found, truth=Instances(np.ones((1, 50, 80), bool)))
    explorer = DetectionExplorer(image, found, truth=truth)
    explorer.show(image, found)
    assert explorer.truths == 0


def test_the_truth_may_have_keypoints_that_the_detections_lack(image, found):
    points = np.ones((1, 17, 3), np.float32)
    explorer = DetectionExplorer(image, found, truth=Instances(found.masks[:1], keypoints=points))
    sent = np.frombuffer(explorer.keypoints_data, '<f4').reshape(4, 17, 3)
    assert not sent[:3].any() and (sent[3] == 1).all()


def test_another_image_keeps_the_settings(explorer):
    explorer.score_threshold, explorer.style, explorer.selected = 0.5, 'contours', 1
    other = Instances(np.ones((1, 30, 20), bool), scores=[0.8], class_names=('bird',))
    explorer.show(np.zeros((30, 20, 3), np.uint8), other)
    assert explorer.image_size == (30, 20) and explorer.class_names == ['bird']
    assert (explorer.score_threshold, explorer.style) == (0.5, 'contours')
    assert explorer.selected == -1 and explorer.version == 2
    np.testing.assert_array_equal(masks_in_browser(explorer)[0], other.masks)


def test_a_model_computes_the_detections(image, found):
    class Detector:
        def detect(self, pixels):
            np.testing.assert_array_equal(pixels, image)
            return found

    assert len(DetectionExplorer(image, Detector(), score_threshold=0.5).shown) == 2


def test_a_model_sees_a_large_image_at_the_size_that_is_sent():
    class Detector:
        def detect(self, pixels):
            assert pixels.shape == (960, 1280, 3)
            masks = np.zeros((2, 960, 1280), bool)
            masks[0, 100:300, 200:400] = masks[1, :10, :10] = True
            return Instances(masks, scores=[0.9, 0.4], keypoints=np.full((2, 1, 3), (150, 250, 1)))

    truth = np.zeros((1, 1920, 2560), bool)
    truth[0, 200:600, 400:800] = True
    explorer = DetectionExplorer(np.zeros((1920, 2560, 3), np.uint8), Detector(), truth=Instances(truth),
                                 score_threshold=0.5)
    np.testing.assert_array_equal(explorer.instances.masks, truth)
    np.testing.assert_array_equal(explorer.instances.bboxes, [(200, 400, 600, 800)])
    np.testing.assert_array_equal(explorer.instances.keypoints, [[(300, 500, 1)]])
    figures = np.frombuffer(explorer.figures_data, '<f8').reshape(-1, 9)
    np.testing.assert_allclose(figures[[0, 2], 2:7], [(400 * 400, 200, 400, 600, 800)] * 2)
    assert figures[0, 8] == 1  # the IoU with the truth
    sent = np.frombuffer(explorer.keypoints_data, '<f4').reshape(3, 1, 3)
    assert sent[0].tolist() == [[300, 500, 1]]
    assert explorer.snapshot().shape == (480, 640 + 4 + 640, 3)


def test_a_model_can_be_given_by_name(image):
    with pytest.raises(ModelFileError):
        DetectionExplorer(image, 'no-such-model')


def test_objects_of_another_image_are_rejected_and_change_nothing(explorer):
    with pytest.raises(DatasetError, match='belong to an image of 50x80 pixels, but this one has 60x80'):
        explorer.show(explorer.image, Instances(np.ones((1, 50, 80), bool)))
    assert len(explorer) == 3 and explorer.version == 1


def test_anything_but_an_image_is_rejected(found):
    with pytest.raises(ImageError):
        DetectionExplorer(np.zeros((4, 5, 6, 7)), found)


def test_unknown_styles_are_rejected(explorer):
    with pytest.raises(traitlets.TraitError):
        explorer.style = 'cartoon'


def test_without_detections_there_is_no_error(image):
    explorer = DetectionExplorer(image, Instances.empty(60, 80), longest_side=80)
    assert len(explorer) == 0 and explorer.shown.tolist() == []
    np.testing.assert_array_equal(explorer.snapshot(), image)


def test_the_snapshot_shows_only_the_shown_objects(explorer, image):
    explorer.boxes = explorer.names = False
    explorer.score_threshold = 0.7
    pixels = explorer.snapshot()
    color = instance_colors(3)[0]
    blended = image[20, 20] * 0.55 + color * 0.45
    assert abs(pixels[20, 20] - blended).max() <= 1
    np.testing.assert_array_equal(pixels[45, 65], image[45, 65])  # the one of 0.3 is not shown
    explorer.style = 'nothing'
    np.testing.assert_array_equal(explorer.snapshot(), image)
    explorer.boxes = True
    np.testing.assert_array_equal(explorer.snapshot()[5, 10], color)


def test_notebook_readers_without_jupyter_see_a_saved_view(explorer):
    assert decode_saved(explorer).shape == explorer.snapshot().shape
    explorer.score_threshold = 0.5
    assert repr(explorer) == 'DetectionExplorer(60x80 image, 2 of 3 objects)'


def test_the_saved_view_follows_the_controls(explorer):
    first = explorer.saved_view()['image/jpeg']
    views = views_after(explorer, lambda number: explorer.set_trait('opacity', 0.1 * number))
    assert views == [explorer.saved_view()['image/jpeg']] and views != [first]
