import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import click_ious, evaluate_clicks, next_click


def box_mask(size, top, left, bottom, right):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_first_click_is_in_the_middle_of_the_object():
    truth = box_mask((40, 60), 10, 20, 21, 31)
    click = next_click(np.zeros_like(truth), truth)
    assert (click.y, click.x, click.positive) == (15, 25, True)


def test_next_click_is_in_the_largest_wrong_region():
    truth = box_mask((40, 60), 0, 0, 20, 20)
    excess = box_mask((40, 60), 25, 30, 40, 59)
    missed_part = box_mask((40, 60), 0, 0, 20, 9)
    click = next_click((truth & ~missed_part) | excess, truth)
    assert not click.positive and excess[int(click.y), int(click.x)]
    click = next_click(truth & ~missed_part, truth)
    assert click.positive and missed_part[int(click.y), int(click.x)]


def test_two_small_regions_do_not_beat_one_larger():
    truth = box_mask((40, 60), 0, 0, 10, 10) | box_mask((40, 60), 0, 20, 10, 30)
    excess = box_mask((40, 60), 20, 0, 31, 10)
    assert not next_click(excess, truth).positive


def test_middle_is_far_from_the_rim_of_the_image():
    truth = np.ones((21, 41), bool)
    click = next_click(np.zeros_like(truth), truth)
    assert click.y == 10 and 10 <= click.x <= 30


def test_nothing_wrong_needs_no_click():
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


def test_ious_are_those_of_the_masks_after_each_click():
    truth = box_mask((40, 60), 0, 0, 3, 3)
    ious = click_ious(DiscModel(1), np.zeros((40, 60, 3), np.uint8), truth, 1)
    # The click is at (1, 1): a disc of radius 1 is 5 of the 9 pixels.
    assert ious.tolist() == [pytest.approx(5 / 9)]


def test_iou_stays_1_when_nothing_is_wrong():
    truth = np.zeros((9, 9), bool)
    truth[4, 4] = True
    assert click_ious(DiscModel(0.5), np.zeros((9, 9, 3), np.uint8), truth, 4).tolist() == [1] * 4


def dataset_of(*instances):
    return [(np.zeros(each.image_size + (3,), np.uint8), each) for each in instances]


def test_mean_over_objects_leaves_out_crowds_and_small_ones():
    masks = np.stack([box_mask((40, 60), 0, 0, 3, 3), box_mask((40, 60), 10, 10, 13, 13),
                      box_mask((40, 60), 20, 20, 40, 60), box_mask((40, 60), 5, 40, 6, 41)])
    dataset = dataset_of(Instances(masks, crowds=[False, False, True, False]),
                         Instances.empty(40, 60))
    figures = evaluate_clicks(DiscModel(1), dataset, clicks=(1, 2), least_area=9)
    assert figures['objects'] == 2 and figures['iou@1'] == pytest.approx(5 / 9)
    assert figures['iou@2'] > figures['iou@1']


def test_number_of_objects_can_be_limited():
    masks = np.stack([box_mask((40, 60), 4 * i, 0, 4 * i + 3, 3) for i in range(5)])
    figures = evaluate_clicks(DiscModel(1), dataset_of(Instances(masks)), (1,), least_area=1,
                              max_objects=2)
    assert figures['objects'] == 2


def test_data_set_without_objects_is_told():
    with pytest.raises(DatasetError, match='no object of at least 1024 pixels'):
        evaluate_clicks(DiscModel(1), dataset_of(Instances.empty(40, 60)))
