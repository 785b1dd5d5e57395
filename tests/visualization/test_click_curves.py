"""Curves of click segmentation: the numbers that are drawn, computed by hand."""

import numpy as np
import pytest

from chainer_seg.visualization import (
    NotebookFigure, draw_click_comparison, draw_click_curves, draw_iou_curves, draw_noc_curves,
    draw_success_curves)

IOUS = {'one': np.array([[0.5, 0.8, 0.9], [0.85, 0.7, 0.9], [0.1, 0.2, 0.3]]),
        'two': np.array([[0.95, 0.95, 0.95]])}


def line(ax, name):
    return next(each for each in ax.lines if each.get_label() == name)


def test_iou_curve_is_the_mean_after_each_click():
    ax = draw_iou_curves(IOUS, thresholds=(0.85,))
    np.testing.assert_allclose(line(ax, 'one').get_ydata(), [1.45 / 3, 1.7 / 3, 0.7])
    assert line(ax, 'one').get_xdata().tolist() == [1, 2, 3]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ['one', 'two']


def test_the_noc_curve_counts_clicks_until_the_target_or_the_cap():
    ax = draw_noc_curves(IOUS)
    curve = line(ax, 'one')
    clicks = dict(zip(np.round(curve.get_xdata(), 2), curve.get_ydata()))
    assert clicks[0.5] == pytest.approx((1 + 1 + 3) / 3)  # reached at once, at once, never
    assert clicks[0.8] == pytest.approx((2 + 1 + 3) / 3)
    assert clicks[0.88] == pytest.approx((3 + 3 + 3) / 3)
    assert (line(ax, 'two').get_ydata() == 1).all()


def test_success_curve_is_the_share_of_objects_that_have_reached_the_target():
    ax = draw_success_curves(IOUS, 0.8)
    np.testing.assert_allclose(line(ax, 'one').get_ydata(), [1 / 3, 2 / 3, 2 / 3])  # once reached, for good
    np.testing.assert_allclose(line(ax, 'two').get_ydata(), [1, 1, 1])


def test_refinements_of_a_method_share_its_colour_and_not_its_dashes():
    ax = draw_iou_curves({'a': IOUS['one'], 'a, graphcut': IOUS['one'], 'b': IOUS['two']})
    plain, refined, other = (line(ax, name) for name in ('a', 'a, graphcut', 'b'))
    assert plain.get_color() == refined.get_color() != other.get_color()
    assert plain.get_linestyle() == other.get_linestyle() != refined.get_linestyle()


@pytest.mark.parametrize('thresholds', [(0.9,), (0.8, 0.9), (0.8, 0.85, 0.9)])
def test_a_comparison_has_a_curve_of_successes_for_each_threshold_and_one_legend(thresholds):
    axes = draw_click_comparison(IOUS, thresholds)
    assert len(axes) == 2 + len(thresholds) and all(ax.axison for ax in axes)
    assert [ax.get_ylabel() for ax in axes[2:]] == [
        f'share of objects with IoU ≥ {100 * threshold:g} %' for threshold in thresholds]
    figure = axes[0].figure
    legends = [legend for legend in (*figure.legends, *(ax.get_legend() for ax in figure.axes)) if legend]
    assert [[text.get_text() for text in legend.get_texts()] for legend in legends] == [['one', 'two']]


def test_both_curves_are_axes_of_one_figure_with_ticks():
    axes = draw_click_curves(IOUS, thresholds=(0.8, 0.9))
    assert len(axes) == 2 and isinstance(axes[0].figure, NotebookFigure)
    assert axes[0].figure is axes[1].figure and all(ax.axison for ax in axes)


def test_one_click_is_enough_for_both():
    axes = draw_click_curves({'once': np.array([[0.6]])})
    assert (line(axes[1], 'once').get_ydata() == 1).all()
