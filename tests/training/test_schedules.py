"""Schedules: factors compared with arithmetic by hand."""

import pytest

from chainer_seg.training import Constant, Cosine, Poly, Steps, WarmUp


def test_the_constant_schedule_is_1():
    assert Constant()(7, 10) == 1


def test_poly_is_a_power_of_the_remaining_share():
    assert Poly(0.9)(0, 100) == 1
    assert Poly(2)(50, 100) == 0.25
    assert Poly(0.9)(100, 100) == 0
    assert Poly(1, minimum=0.1)(95, 100) == 0.1


def test_steps_are_at_iterations_or_at_fractions_of_the_run():
    schedule = Steps((60, 0.9), factor=0.5)
    assert [schedule(i, 100) for i in (59, 60, 89, 90)] == [1, 0.5, 0.5, 0.25]


def test_cosine_falls_from_one_to_the_minimum():
    schedule = Cosine(minimum=0.2)
    assert [schedule(i, 100) for i in (0, 50, 100)] == pytest.approx([1, 0.6, 0.2])


def test_warm_up_rises_linearly_over_another_schedule():
    schedule = WarmUp(10, then=Steps((50,)), start=0.1)
    assert [schedule(i, 100) for i in (0, 5, 10, 49, 50)] == pytest.approx(
        [0.1, 0.55, 1, 1, 0.1])


def test_schedules_multiply():
    assert (Poly(1) * Steps((50,)))(50, 100) == pytest.approx(0.05)
