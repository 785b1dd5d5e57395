"""The proposal explorer from Python's side: what reaches the browser, and what sliders let through."""

import cv2
import numpy as np
import pytest

pytest.importorskip('anywidget')

import traitlets  # noqa: E402

from chainer_seg.errors import DatasetError, ImageError, ModelFileError  # noqa: E402
from chainer_seg.instances import Instances  # noqa: E402
from chainer_seg.models.deepmask.proposals import RleProposals  # noqa: E402
from chainer_seg.visualization import instance_colors  # noqa: E402
from chainer_seg.widgets import ProposalExplorer  # noqa: E402

from .browser_masks import masks_in_browser  # noqa: E402
from .saved_views import decode_saved, views_after  # noqa: E402


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)


def rectangles(*corners, size=(60, 80), **fields):
    """Instances of rectangles y_min, x_min, y_max, x_max."""
    masks = np.zeros((len(corners), *size), bool)
    for mask, (y_min, x_min, y_max, x_max) in zip(masks, corners):
        mask[y_min:y_max, x_min:x_max] = True
    return Instances(masks, **fields)


@pytest.fixture
def proposals():
    """Sides 30, 10, 20 and 40 by falling score: 0.9, 0.7, 0.5, 0.2."""
    return rectangles((0, 0, 20, 20), (5, 5, 35, 35), (10, 10, 50, 50), (50, 70, 60, 80),
                      scores=[0.5, 0.9, 0.2, 0.7])


@pytest.fixture
def explorer(image, proposals):
    return ProposalExplorer(image, proposals, longest_side=80)


def test_masks_are_sent_to_the_browser_best_first(explorer, proposals):
    masks, boxes = masks_in_browser(explorer)
    np.testing.assert_array_equal(masks, proposals.masks[[1, 3, 0, 2]])
    assert boxes.tolist() == [[5, 5, 30, 30], [70, 50, 10, 10], [0, 0, 20, 20], [10, 10, 40, 40]]


def test_scores_sizes_and_colours_reach_the_browser(explorer):
    figures = np.frombuffer(explorer.figures_data, '<f8').reshape(-1, 2)
    np.testing.assert_allclose(figures, [(0.9, 30), (0.7, 10), (0.5, 20), (0.2, 40)], rtol=1e-6)
    colors = np.frombuffer(explorer.colors_data, np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(colors, instance_colors(4))


def test_image_reaches_the_browser(explorer, image):
    shown = cv2.imdecode(np.frombuffer(explorer.image_data, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == image.shape and explorer.shown_size == explorer.image_size == (60, 80)


def test_up_to_twenty_proposals_are_shown_initially(image):
    many = rectangles(*[(0, 0, 5, 5)] * 30, scores=np.linspace(1, 0, 30))
    assert ProposalExplorer(image, many).shown.tolist() == list(range(20))


def test_sliders_select_the_shown_proposals(explorer):
    assert explorer.shown.tolist() == [0, 1, 2, 3]
    explorer.score_threshold = 0.5
    assert explorer.shown.tolist() == [0, 1, 2]
    explorer.sizes = (15.0, 80.0)
    assert explorer.shown.tolist() == [0, 2]
    explorer.count = 1
    assert explorer.shown.tolist() == [0]
    explorer.count = 0
    assert explorer.shown.tolist() == []


def test_pinned_proposals_are_instances(explorer, proposals):
    explorer.pinned = [3, 1]
    chosen = explorer.instances(explorer.pinned)
    np.testing.assert_array_equal(chosen.masks, proposals.masks[[2, 3]])
    np.testing.assert_allclose(chosen.scores, [0.2, 0.7])
    assert len(explorer.instances([])) == 0


def test_pinning_a_missing_proposal_is_rejected(explorer):
    with pytest.raises(traitlets.TraitError, match='no proposal 4; the proposals are numbered from 0 to 3'):
        explorer.pinned = [0, 4]
    assert explorer.pinned == []


def test_large_image_is_sent_shrunk_with_masks_of_the_image():
    size = (1200, 2560)
    proposals = rectangles((100, 200, 300, 400), (501, 500, 502, 800), size=size, scores=[0.9, 0.1])
    explorer = ProposalExplorer(np.zeros((*size, 3), np.uint8), proposals)
    masks, _ = masks_in_browser(explorer)
    assert (explorer.shown_size, explorer.sent_size, explorer.image_size) == ((300, 640), (600, 1280), size)
    assert masks[0].sum() == 100 * 100 and masks[0, 50:150, 100:200].all()
    assert masks[1].any()  # One row of the image is half of a row here, and still to be seen.
    assert explorer.areas.tolist() == [200 * 200, 300]
    np.testing.assert_array_equal(explorer.instances([1]).masks, proposals.masks[1:])
    assert explorer.snapshot().shape == (300, 640, 3)


def test_masks_are_shrunk_as_images_are(rng):
    from chainer_seg.images import resize
    masks = cv2.GaussianBlur(rng.normal(size=(700, 3000)), (0, 0), 30) > 0.01
    explorer = ProposalExplorer(np.zeros((700, 3000, 3), np.uint8), Instances(masks[None]))
    expected = resize(masks.astype(np.float32), explorer.sent_size)
    differs = masks_in_browser(explorer)[0][0] != (expected >= 0.5)
    assert abs(expected[differs] - 0.5).max(initial=0) < 1e-5  # rounding


def test_a_small_image_is_enlarged_to_480_pixels(image, proposals):
    explorer = ProposalExplorer(image, proposals)
    assert explorer.shown_size == (360, 480) and explorer.sent_size == (60, 80)
    assert explorer.snapshot().shape == (360, 480, 3)


def test_results_of_files_are_accepted(image, proposals):
    explorer = ProposalExplorer(image, proposals.to_coco_results(7))
    np.testing.assert_array_equal(masks_in_browser(explorer)[0], proposals.masks[[1, 3, 0, 2]])


def test_a_model_computes_the_proposals(image, proposals):
    results = proposals.to_coco_results(7)

    class Model:
        def propose_rle(self, pixels, n, progress):
            assert list(progress([1, 2])) == [1, 2]
            np.testing.assert_array_equal(pixels, image)
            assert n == 50
            return RleProposals([result['segmentation'] for result in results], proposals.bboxes,
                                proposals.scores, np.ones(4, np.float32))

    explorer = ProposalExplorer(image, Model(), n=50)
    np.testing.assert_array_equal(masks_in_browser(explorer)[0], proposals.masks[[1, 3, 0, 2]])


def test_a_model_searches_a_large_image_at_the_size_that_is_shown():
    class Model:
        def propose_rle(self, pixels, n, progress):
            assert pixels.shape == (300, 640, 3)
            found = rectangles((100, 200, 150, 300), size=(300, 640), scores=[0.9])
            return found.to_coco_results(7)

    explorer = ProposalExplorer(np.zeros((1200, 2560, 3), np.uint8), Model())
    assert (explorer.shown_size, explorer.sent_size, explorer.image_size) == (
        (300, 640), (300, 640), (1200, 2560))
    sent = cv2.imdecode(np.frombuffer(explorer.image_data, np.uint8), cv2.IMREAD_COLOR)
    assert sent.shape == (600, 1280, 3)  # with more detail than the masks, for zooming in
    assert explorer.areas.tolist() == [200 * 400]
    expected = rectangles((400, 800, 600, 1200), size=(1200, 2560)).masks
    assert (explorer.instances([0]).masks != expected).sum() <= 4  # corners are rounded


def test_a_model_can_be_given_by_name(image):
    with pytest.raises(ModelFileError):
        ProposalExplorer(image, 'no-such-model')


def test_without_proposals_there_is_no_error(image):
    explorer = ProposalExplorer(image, Instances.empty(60, 80), longest_side=80)
    assert len(explorer) == 0 and explorer.shown.tolist() == []
    np.testing.assert_array_equal(explorer.snapshot(), image)


def test_an_empty_mask_is_accepted():
    explorer = ProposalExplorer(np.zeros((60, 1600, 3), np.uint8), Instances(np.zeros((1, 60, 1600), bool)))
    assert not masks_in_browser(explorer)[0].any()


@pytest.mark.parametrize('proposals, sentence', [
    (rectangles((0, 0, 3, 3), size=(50, 80)), 'belong to an image of 50x80 pixels, but this one has 60x80'),
    ([{'score': 1, 'bbox': [1, 2, 3, 4]}], 'Proposals without masks cannot be shown')])
def test_invalid_proposals_are_rejected(image, proposals, sentence):
    with pytest.raises(DatasetError, match=sentence):
        ProposalExplorer(image, proposals)


def test_anything_but_an_image_is_rejected(proposals):
    with pytest.raises(ImageError):
        ProposalExplorer(np.zeros((4, 5, 6, 7)), proposals)


def test_the_snapshot_shows_outlines_and_filled_pinned_proposals(explorer, image):
    colors = instance_colors(4)
    explorer.sizes = (25.0, 35.0)
    pixels = explorer.snapshot()
    np.testing.assert_array_equal(pixels[5, 5:35], np.broadcast_to(colors[0], (30, 3)))
    np.testing.assert_array_equal(pixels[20, 20], image[20, 20])
    np.testing.assert_array_equal(pixels[55, 75], image[55, 75])
    explorer.pinned = [1]
    pixels = explorer.snapshot()
    half = (image[55, 75].astype(int) + colors[1]) / 2
    assert abs(pixels[55, 75] - half).max() <= 1
    np.testing.assert_array_equal(pixels[50, 70:80], np.broadcast_to(colors[1], (10, 3)))


def test_notebook_readers_without_jupyter_see_a_saved_view(explorer):
    assert decode_saved(explorer).shape == explorer.snapshot().shape
    assert repr(explorer) == 'ProposalExplorer(60x80 image, 4 proposals, 0 pinned)'


def test_the_saved_view_follows_the_sliders_and_is_drawn_once_for_many_steps(explorer):
    first = explorer.saved_view()['image/jpeg']
    views = views_after(explorer, lambda number: explorer.set_trait('count', 3 - number))
    assert views == [explorer.saved_view()['image/jpeg']] and views != [first]
