"""Images of a data set's figures: the right numbers are drawn."""

import numpy as np

from chainer_seg.datasets import Anchors, DatasetStatistics
from chainer_seg.visualization import draw_statistics


def statistics_of(count, classes):
    boxes = np.tile(np.array([[0, 0, 10, 20]], np.float32), (count, 1))
    return DatasetStatistics(
        tuple(f'class {number}' for number in range(classes)), np.array([[100, 100]] * 3), 0,
        np.zeros(count, int), np.arange(count) % 2, boxes, np.full(count, 200, np.float32))


def test_classes_counts_sizes_and_anchors_are_drawn():
    axes = draw_statistics(statistics_of(5, 2), Anchors((10.0, 40.0), (1.0,), 0.5, 0.5), 100)
    assert [bar.get_height() for bar in axes[0].patches] == [3, 2]
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ['class 0', 'class 1']
    # Two images have no object and one has five.
    assert [bar.get_height() for bar in axes[1].patches] == [2, 0, 0, 0, 0, 1]
    assert [line.get_xdata()[0] for line in axes[2].lines] == [10, 40]
    assert [line.get_xdata()[0] for line in axes[3].lines] == [1]
    for ax in axes[2:]:
        assert sum(bar.get_height() for bar in ax.patches) == 5


def test_many_classes_are_truncated_and_reported():
    axes = draw_statistics(statistics_of(4, 50))
    assert len(axes[0].patches) == 30 and '20 rarer' in axes[0].get_title()


def test_statistics_without_objects_are_drawn():
    axes = draw_statistics(statistics_of(0, 2))
    assert len(axes) == 4
    axes[0].figure.canvas.draw()
