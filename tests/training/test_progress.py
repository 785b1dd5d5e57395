"""What a person sees of a run: lines, a bar, a live curve."""

import re

import pytest

from chainer_seg import training
from chainer_seg.training.progress import format_time, resolve_kind

from .toys import build


def test_lines_show_the_iteration_and_the_time_left(tmp_path, capfd):
    training.train(build(tmp_path, progress='lines', evaluator=None))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 5
    assert re.match(r'iteration 4/20, 0:\d\d left: lr 0.05, loss [\d.]+', lines[0])


def test_the_bar_shows_the_latest_values(tmp_path, capfd):
    pytest.importorskip('tqdm')
    training.train(build(tmp_path, progress='terminal'))
    text = capfd.readouterr().err
    assert '20/20' in text
    assert 'validation/norm' in text


def test_the_bar_of_a_notebook_is_text_that_is_saved_with_it(tmp_path, capfd):
    pytest.importorskip('tqdm')
    training.train(build(tmp_path, progress='notebook', live_curve=False))
    output = capfd.readouterr()
    assert '20/20' in output.out and output.err == ''


def test_progress_none_prints_nothing(tmp_path, capfd):
    training.train(build(tmp_path))
    output = capfd.readouterr()
    assert output.out == output.err == ''


def test_auto_prints_lines_without_a_terminal():
    assert resolve_kind('auto') == 'lines'


def test_an_unknown_kind_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='progress must be one of'):
        build(tmp_path, progress='loud')


@pytest.mark.parametrize('seconds, text', [(0, '0:00'), (61.4, '1:01'), (3671, '1:01:11')])
def test_time_is_formatted_in_hours_minutes_and_seconds(seconds, text):
    assert format_time(seconds) == text


class Handle:
    def __init__(self):
        self.images = []

    def update(self, figure):
        self.images.append(figure._repr_png_())


@pytest.mark.parametrize('seconds, least', [(0, 5), (1000, 2)])
def test_the_live_curve_respects_its_minimum_interval(tmp_path, seconds, least):
    pytest.importorskip('IPython')
    handle = Handle()

    def display(figure, display_id):
        handle.update(figure)
        return handle
    trainer = build(tmp_path)
    trainer.extend(training.LiveCurve(trainer.log, seconds=seconds, display=display))
    training.train(trainer)
    assert all(data.startswith(b'\x89PNG') for data in handle.images)
    assert len(handle.images) == (8 if seconds == 0 else least)
