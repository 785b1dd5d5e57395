"""Drawing on matplotlib axes: what ends up on the figure, and that nothing else is touched."""

import collections

import matplotlib.pyplot
import numpy as np
import pytest

from chainer_seg.instances import Instances
from chainer_seg.visualization import (
    NotebookFigure,
    axes_grid,
    draw_clicks,
    draw_gallery,
    draw_image,
    draw_instances,
    draw_probability,
)

Point = collections.namedtuple('Point', 'y x positive')


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.fixture
def instances():
    masks = np.zeros((2, 30, 40), bool)
    masks[0, 5:20, 5:20] = True
    masks[1, 10:28, 15:35] = True
    return Instances(masks, labels=[1, 0], scores=[0.9, 0.25], class_names=('cat', 'dog'))


def pixels(ax):
    """The figure as (H, W, 3) uint8."""
    ax.figure.canvas.draw()
    return np.asarray(ax.figure.canvas.buffer_rgba())[:, :, :3]


def test_given_axis_is_drawn_on_and_returned(image, instances):
    ax = NotebookFigure().add_subplot()
    assert draw_image(image, ax) is ax
    assert draw_instances(image, instances, ax=ax) is ax
    assert draw_clicks(image, [Point(3, 4, True)], ax) is ax
    assert draw_probability(image, np.zeros((30, 40)), ax) is ax


@pytest.mark.parametrize('draw', [
    lambda image, instances: draw_image(image),
    lambda image, instances: draw_instances(image, instances),
    lambda image, instances: draw_instances(None, instances),
    lambda image, instances: draw_clicks(image, []),
    lambda image, instances: draw_probability(None, np.eye(9)),
    lambda image, instances: draw_gallery([image, (image, instances), (None, instances)])[0]])
def test_new_figures_are_not_registered_with_pyplot(draw, image, instances):
    before = matplotlib.pyplot.get_fignums()
    ax = draw(image, instances)
    assert isinstance(ax.figure, NotebookFigure)
    assert matplotlib.pyplot.get_fignums() == before


def test_figures_are_displayed_as_png(image):
    assert draw_image(image).figure._repr_png_().startswith(b'\x89PNG')


def test_the_axis_has_the_pixel_coordinates_of_the_image(image):
    ax = draw_image(image)
    assert ax.get_xlim() == (-0.5, 39.5)
    assert ax.get_ylim() == (29.5, -0.5)


def test_names_and_scores_are_written(image, instances):
    texts = [text.get_text() for text in draw_instances(image, instances).texts]
    assert texts == ['dog 0.90', 'cat 0.25']


def test_scores_of_annotations_are_omitted(image, instances):
    instances.scores[:] = 1
    instances.crowds[1] = True
    texts = [text.get_text() for text in draw_instances(image, instances).texts]
    assert texts == ['dog', 'cat (crowd)']


def test_labels_can_be_omitted(image, instances):
    assert not draw_instances(image, instances, labels=False).texts


def test_the_label_of_an_object_at_the_edge_is_inside_the_image(instances):
    instances.bboxes[0] = (-10, -10, 5, 5)
    assert draw_instances(None, instances).texts[0].get_position() == (0, 0)


def test_boxes_enclose_their_pixels(instances):
    ax = draw_instances(None, instances, boxes=True)
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners.min(axis=0).tolist() == [4.5, 4.5]
    assert corners.max(axis=0).tolist() == [19.5, 19.5]


def test_only_visible_keypoints_are_drawn(instances):
    instances.keypoints = np.array([[[6, 7, 2], [0, 0, 0]], [[12, 20, 1], [14, 30, 2]]],
                                   np.float32)
    dots = draw_instances(None, instances).collections[0].get_offsets()
    assert dots.tolist() == [[7, 6], [20, 12], [30, 14]]


def test_without_instances_only_the_image_is_drawn(image):
    ax = draw_instances(image, Instances.empty(30, 40))
    np.testing.assert_array_equal(pixels(ax), pixels(draw_image(image)))


def test_instances_of_another_size_are_rejected(image):
    with pytest.raises(ValueError, match='30x40 pixels, but the instances are of an image of 7x9'):
        draw_instances(image, Instances.empty(7, 9))


def test_instances_change_the_image(image, instances):
    assert (pixels(draw_instances(image, instances)) != pixels(draw_image(image))).any()


def test_huge_image_is_shrunk_and_keeps_its_coordinates():
    masks = np.zeros((1, 4000, 5000), bool)
    masks[0, 1000:2000, 1000:3000] = True
    ax = draw_instances(np.zeros((4000, 5000, 3), np.uint8), Instances(masks))
    shown = [drawn.get_array().shape[:2] for drawn in ax.images]
    assert shown == [(1280, 1600), (1280, 1600)]
    assert ax.get_xlim() == (-0.5, 4999.5)
    layer = ax.images[1].get_array()
    assert layer[480, 640, 3] > 0 and layer[480, 1280, 3] == 0  # pixels (1500, 2000), (1500, 4000)


def test_clicks_are_drawn_at_their_positions(image):
    ax = draw_clicks(image, [Point(3, 4, True), Point(20, 30, False), Point(5, 6, True)])
    assert ax.collections[0].get_offsets().tolist() == [[4, 3], [6, 5]]
    assert ax.collections[2].get_offsets().tolist() == [[30, 20]]


def test_the_threshold_contour_runs_between_the_pixels():
    probability = np.zeros((20, 20), np.float32)
    probability[:, 10:] = 1
    ax = draw_probability(None, probability)
    line = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(line[:, 0], 9.5)


def test_a_probability_without_an_object_has_no_contour(image):
    assert not draw_probability(image, np.zeros((30, 40))).collections


def test_a_probability_of_zero_is_transparent(image):
    ax = draw_probability(image, np.zeros((30, 40)))
    np.testing.assert_array_equal(pixels(ax), pixels(draw_image(image)))


def test_grey_image_is_drawn():
    assert draw_image(np.zeros((8, 9), np.uint8)).images[0].get_array().shape == (8, 9, 3)


def test_one_pixel_image_is_drawn():
    ax = draw_instances(np.zeros((1, 1, 3), np.uint8), Instances(np.ones((1, 1, 1), bool)))
    draw_probability(None, np.ones((1, 1)), ax)
    assert pixels(ax).size


def test_grid_has_rows_of_at_most_columns():
    axes = axes_grid(5, columns=3, titles=['a', 'b'])
    assert axes.shape == (5,)
    assert {ax.get_subplotspec().get_geometry()[:2] for ax in axes} == {(2, 3)}
    assert [ax.get_title() for ax in axes] == ['a', 'b', '', '', '']


def test_gallery_draws_images_and_instances(image, instances):
    axes = draw_gallery([image, (image, instances)], columns=2, labels=False)
    assert [len(ax.images) for ax in axes] == [1, 2]


def test_gallery_of_nothing_is_empty():
    assert len(draw_gallery([])) == 0
