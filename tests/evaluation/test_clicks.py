import time

import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.datasets import ExampleList
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import (
    ClickFigures,
    click_ious,
    evaluate_clicks,
    next_click,
    number_of_clicks,
)


def box_mask(size, top, left, bottom, right):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_the_first_click_is_in_the_middle_of_the_object():
    truth = box_mask((40, 60), 10, 20, 21, 31)
    click = next_click(np.zeros_like(truth), truth)
    assert (click.y, click.x, click.positive) == (15, 25, True)


def test_the_next_click_is_in_the_largest_wrong_region():
    truth = box_mask((40, 60), 0, 0, 20, 20)
    excess = box_mask((40, 60), 25, 30, 40, 59)
    missed_part = box_mask((40, 60), 0, 0, 20, 9)
    click = next_click((truth & ~missed_part) | excess, truth)
    assert not click.positive and excess[int(click.y), int(click.x)]
    click = next_click(truth & ~missed_part, truth)
    assert click.positive and missed_part[int(click.y), int(click.x)]


def test_one_larger_region_precedes_two_smaller_ones():
    truth = box_mask((40, 60), 0, 0, 10, 10) | box_mask((40, 60), 0, 20, 10, 30)
    excess = box_mask((40, 60), 20, 0, 31, 10)
    assert not next_click(excess, truth).positive


def test_the_middle_is_far_from_the_image_edge():
    truth = np.ones((21, 41), bool)
    click = next_click(np.zeros_like(truth), truth)
    assert click.y == 10 and 10 <= click.x <= 30


def test_a_correct_mask_needs_no_click():
    truth = box_mask((40, 60), 10, 20, 21, 31)
    assert next_click(truth, truth) is None


class DiscModel:
    """Takes discs around positive clicks for the object, less those around negative ones."""

    def __init__(self, radius):
        self.radius = radius

    def session(self, image):
        return DiscSession(image.shape[:2], self.radius)


class DiscSession:
    def __init__(self, size, radius):
        self.rows, self.columns = np.mgrid[:size[0], :size[1]]
        self.mask, self.radius = np.zeros(size, bool), radius

    def add(self, click):
        disc = (self.rows - click.y) ** 2 + (self.columns - click.x) ** 2 <= self.radius ** 2
        self.mask = self.mask | disc if click.positive else self.mask & ~disc

    def reset(self):
        self.mask = np.zeros_like(self.mask)


def test_ious_are_computed_after_each_click():
    truth = box_mask((40, 60), 0, 0, 3, 3)
    ious = click_ious(DiscModel(1), np.zeros((40, 60, 3), np.uint8), truth, 1)
    # The click is at (1, 1): a disc of radius 1 is 5 of the 9 pixels.
    assert ious.tolist() == [pytest.approx(5 / 9)]


def test_the_iou_remains_1_for_a_correct_mask():
    truth = np.zeros((9, 9), bool)
    truth[4, 4] = True
    assert click_ious(DiscModel(0.5), np.zeros((9, 9, 3), np.uint8), truth, 4).tolist() == [1] * 4


def dataset_of(*instances):
    return [(np.zeros(each.image_size + (3,), np.uint8), each) for each in instances]


def test_one_session_serves_all_objects_of_an_image_and_each_begins_without_clicks():
    class Counting(DiscModel):
        sessions = 0

        def session(self, image):
            self.sessions += 1
            return super().session(image)

    masks = np.stack([box_mask((40, 60), 5, 5, 15, 15), box_mask((40, 60), 20, 30, 30, 40)])
    model, dataset = Counting(5), dataset_of(Instances(masks), Instances(masks[::-1]))
    figures = number_of_clicks(model, dataset, cap=3, least_area=1)
    alone = [click_ious(DiscModel(5), image, mask, 3, 0.9) for image, instances in dataset
             for mask in instances.masks]
    np.testing.assert_array_equal(figures.ious, alone)
    assert model.sessions == 2 and len(figures.ious) == 4


def test_crowds_and_small_objects_are_excluded_from_the_mean():
    masks = np.stack([box_mask((40, 60), 0, 0, 3, 3), box_mask((40, 60), 10, 10, 13, 13),
                      box_mask((40, 60), 20, 20, 40, 60), box_mask((40, 60), 5, 40, 6, 41)])
    dataset = dataset_of(Instances(masks, crowds=[False, False, True, False]),
                         Instances.empty(40, 60))
    figures = evaluate_clicks(DiscModel(1), dataset, clicks=(1, 2), least_area=9)
    assert figures['objects'] == 2 and figures['iou@1'] == pytest.approx(5 / 9)
    assert figures['iou@2'] > figures['iou@1']


def test_max_objects_limits_the_objects():
    masks = np.stack([box_mask((40, 60), 4 * i, 0, 4 * i + 3, 3) for i in range(5)])
    figures = evaluate_clicks(DiscModel(1), dataset_of(Instances(masks)), (1,), least_area=1,
                              max_objects=2)
    assert figures['objects'] == 2


def test_a_data_set_without_objects_is_an_error():
    with pytest.raises(DatasetError, match='no object of at least 1024 pixels'):
        evaluate_clicks(DiscModel(1), dataset_of(Instances.empty(40, 60)))


def test_clicks_needed_count_until_the_threshold_or_the_cap():
    figures = ClickFigures(np.array([[0.5, 0.8, 0.9], [0.85, 0.7, 0.9], [0.1, 0.2, 0.3]]))
    assert figures.clicks_needed(0.8).tolist() == [2, 1, 3]
    assert figures.noc(0.8) == 2 and figures.failures(0.8) == 1
    assert figures.clicks_needed(0.9).tolist() == [3, 3, 3] and figures.failures(0.9) == 1
    assert figures.failures(0.95) == 3
    np.testing.assert_allclose(figures.mean_ious, [1.45 / 3, 1.7 / 3, 0.7])


def test_the_summary_names_each_figure():
    summary = ClickFigures(np.array([[0.5, 0.8, 0.9]])).summary((0.8, 0.85), clicks=(1, 3))
    assert summary == {'noc@80': 2, 'failures@80': 0, 'noc@85': 3, 'failures@85': 0,
                       'iou@1': 0.5, 'iou@3': 0.9, 'objects': 1}


def test_the_simulated_user_stops_at_the_highest_threshold():
    truth = box_mask((40, 60), 5, 5, 12, 12)
    every = number_of_clicks(DiscModel(2), dataset_of(Instances(truth[None])), (), 20,
                             least_area=1).ious[0]
    stopped = number_of_clicks(DiscModel(2), dataset_of(Instances(truth[None])), (0.4, 0.6), 20,
                               least_area=1).ious[0]
    count = int(np.argmax(every >= 0.6)) + 1
    assert 1 < count < 20 and every[-1] > 0.6
    assert stopped.tolist() == [*every[:count], *[every[count - 1]] * (20 - count)]


class DeafSession:
    """Finds the same whatever is clicked, and keeps the clicks."""

    def __init__(self, size):
        self.mask, self.clicks = box_mask(size, 0, 0, 1, 1), []

    def add(self, click):
        self.clicks.append(click)

    def reset(self):
        self.clicks = []


class DeafModel:
    def session(self, image):
        self.last = DeafSession(image.shape[:2])
        return self.last


def test_the_simulated_user_clicks_elsewhere_after_a_click_without_effect():
    truth = box_mask((40, 60), 10, 20, 21, 31)
    model = DeafModel()
    click_ious(model, np.zeros((40, 60, 3), np.uint8), truth, 5)
    assert len(set(model.last.clicks)) == 5


def test_the_simulated_user_stops_when_every_wrong_pixel_was_clicked():
    truth = box_mask((9, 9), 4, 4, 5, 6)
    model = DeafModel()
    ious = click_ious(model, np.zeros((9, 9, 3), np.uint8), truth, 6)
    assert len(model.last.clicks) == 3 and ious.tolist() == [0] * 6


def test_the_time_of_a_click_is_measured_in_the_session(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, 'perf_counter', lambda: now[0])

    class SlowSession(DeafSession):
        def add(self, click):
            now[0] += 2

    class SlowModel:
        def session(self, image):
            now[0] += 100  # not of a click
            return SlowSession(image.shape[:2])

    figures = number_of_clicks(SlowModel(), dataset_of(Instances(box_mask((9, 9), 2, 2, 6, 6)[None])),
                               cap=3, least_area=1)
    assert figures.seconds_per_click == 2


def test_void_pixels_are_ignored_in_the_iou():
    image, truth = np.zeros((40, 60, 3), np.uint8), box_mask((40, 60), 0, 0, 3, 3)
    corner = box_mask((40, 60), 0, 0, 1, 1)
    # The disc around (1, 1) has 5 of the 8 pixels that are left.
    assert click_ious(DiscModel(1), image, truth, 1, void=corner).tolist() == [pytest.approx(5 / 8)]
    # A larger one has all 9, and 2 outside.
    assert click_ious(DiscModel(2), image, truth, 1).tolist() == [pytest.approx(9 / 11)]
    assert click_ious(DiscModel(2), image, truth, 1, void=~truth).tolist() == [1]


def test_the_simulated_user_does_not_click_void_pixels():
    truth = box_mask((40, 60), 10, 10, 21, 21)
    model = DeafModel()
    void = box_mask((40, 60), 0, 0, 1, 1)  # all that the model wrongly takes for the object
    click_ious(model, np.zeros((40, 60, 3), np.uint8), truth, 5, void=void)
    assert all(click.positive for click in model.last.clicks)
    void = box_mask((40, 60), 10, 10, 21, 16)
    click_ious(model, np.zeros((40, 60, 3), np.uint8), truth, 5, void=void)
    assert not any(void[int(click.y), int(click.x)] for click in model.last.clicks)


class VoidDataset(ExampleList):
    """Images and objects in memory, with pixels that are ignored."""

    def read_void(self, number):
        return self.voids[number]


@pytest.fixture
def pets():
    """A cat of 3 x 3 pixels and a dog of 9 x 9 in one image, a cat of 5 x 5 in another."""
    dataset = VoidDataset(dataset_of(
        Instances(np.stack([box_mask((40, 60), 0, 0, 3, 3), box_mask((40, 60), 20, 20, 29, 29)]),
                  labels=[0, 1]),
        Instances(box_mask((40, 60), 4, 4, 9, 9)[None], labels=[0])), ('cat', 'dog'))
    dataset.voids = [np.zeros((40, 60), bool)] * 2
    return dataset


def test_void_may_be_given_per_image_or_per_object(pets):
    plain = number_of_clicks(DiscModel(1), pets, cap=1, least_area=1).ious[:, 0]
    np.testing.assert_allclose(plain, [5 / 9, 5 / 81, 5 / 25])
    corner = box_mask((40, 60), 0, 0, 1, 1) | box_mask((40, 60), 20, 20, 21, 21)
    pets.voids[0] = corner
    np.testing.assert_allclose(number_of_clicks(DiscModel(1), pets, cap=1, least_area=1).ious[:, 0],
                               [5 / 8, 5 / 80, 5 / 25])
    pets.voids[0] = np.stack([np.zeros_like(corner), corner])
    np.testing.assert_allclose(number_of_clicks(DiscModel(1), pets, cap=1, least_area=1).ious[:, 0],
                               [5 / 9, 5 / 80, 5 / 25])


def test_classes_can_be_selected_and_have_separate_figures(pets):
    figures = number_of_clicks(DiscModel(1), pets, cap=1, least_area=1)
    assert figures.labels.tolist() == [0, 1, 0]
    by_class = figures.by_class()
    assert list(by_class) == ['cat', 'dog']
    np.testing.assert_allclose(by_class['cat'].ious[:, 0], [5 / 9, 5 / 25])
    dogs = number_of_clicks(DiscModel(1), pets, cap=1, least_area=1, labels=(1,))
    np.testing.assert_array_equal(dogs.ious, by_class['dog'].ious)


def test_only_chosen_objects_are_clicked_on(pets):
    chosen = number_of_clicks(DiscModel(1), pets, cap=1, least_area=1, chosen={1: [0], 0: [1]})
    np.testing.assert_allclose(chosen.ious[:, 0], [5 / 81, 5 / 25])
