"""Prediction on many inputs: which are done again, and what is left behind."""

import os
import pathlib

import pytest

from chainer_seg.errors import FolderInUseError, ImageError
from chainer_seg.jobs import Input, image_inputs, predict
from chainer_seg.locks import sole_writer
from tests.folders import names_in


class Saver:
    """Writes result files, remembers of which inputs, and fails at one of them."""

    def __init__(self, error=None, at=None):
        self.saved, self.error, self.at = [], error, at

    def __call__(self, each):
        if self.error is not None and each.source.name == self.at:
            raise self.error
        self.saved.append(each.source.name)
        each.overlay.write_bytes(b'image')
        each.results.write_text(str(each.image_id))


@pytest.fixture
def inputs(tmp_path):
    """Three images in a folder, with results in another one."""
    paths = [tmp_path / 'in' / f'{number}.png' for number in (5, 6, 7)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'image')
    return image_inputs(paths, tmp_path / 'out')


def run(inputs, save, settings=None, **options):
    predict(inputs, save, settings or {'model': 'a'}, progress=False, **options)
    return save.saved


RESULTS = sorted(f'{number}{ending}' for number in (5, 6, 7) for ending in ('.json', '_overlay.png'))


def test_each_input_has_its_results_and_nothing_else_is_left(inputs, tmp_path):
    assert run(inputs, Saver()) == ['5.png', '6.png', '7.png']
    assert names_in(tmp_path / 'out') == RESULTS
    assert (tmp_path / 'out' / '6.json').read_text() == '6'


def interrupt(inputs):
    with pytest.raises(KeyboardInterrupt, match='2 of 3 images are done; the same command resumes'):
        run(inputs, Saver(KeyboardInterrupt(), '7.png'))


def test_an_interrupted_run_resumes(inputs, tmp_path):
    interrupt(inputs)
    assert 'unfinished.sqlite' in names_in(tmp_path / 'out')
    assert run(inputs, Saver()) == ['7.png']
    assert names_in(tmp_path / 'out') == RESULTS


def test_a_finished_run_is_done_again(inputs):
    run(inputs, Saver())
    assert run(inputs, Saver()) == ['5.png', '6.png', '7.png']


def test_other_settings_start_over(inputs):
    interrupt(inputs)
    assert run(inputs, Saver(), {'model': 'b'}) == ['5.png', '6.png', '7.png']


def test_changed_images_start_over(inputs):
    interrupt(inputs)
    os.utime(inputs[0].source, (1, 1))
    assert run(inputs, Saver()) == ['5.png', '6.png', '7.png']


def test_removed_results_are_written_again(inputs):
    interrupt(inputs)
    inputs[1].results.unlink()
    assert run(inputs, Saver()) == ['6.png', '7.png']


def test_images_that_cannot_be_used_are_passed_over(inputs, tmp_path):
    inputs[0].source.unlink()
    errors, error = {}, ImageError('There is no image 5.png.')
    assert run(inputs, Saver(error, '5.png'), on_error=errors.__setitem__) == ['6.png', '7.png']
    assert errors == {0: error} and 'unfinished.sqlite' not in names_in(tmp_path / 'out')


def test_a_single_file_keeps_nothing_and_may_go_to_a_folder_in_use(inputs, tmp_path):
    with sole_writer(tmp_path / 'out'):
        assert run(inputs[:1], Saver()) == ['5.png']
        with pytest.raises(FolderInUseError):
            run(inputs[:1], Saver(), folders=[tmp_path / 'out'])


def test_what_a_camera_showed_is_never_done(inputs, tmp_path):
    camera = Input(0, True, tmp_path / 'out' / 'camera0.mp4', tmp_path / 'out' / 'camera0.json')
    seen = []

    def save(each):
        seen.append(each.source)
        each.results.write_text('')
        if isinstance(each.source, pathlib.Path):
            raise KeyboardInterrupt('9 frames are there')
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt, match='9 frames are there; 1 of 2 images are done'):
            predict([camera, inputs[0]], save, {}, progress=False)
    assert seen == [0, inputs[0].source] * 2
