"""The training dashboard from Python's side: a tiny run is started, paused, stopped, resumed; and errors."""

import signal
import time

import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.array_files import ArrayFile  # noqa: E402
from chainer_seg.errors import TrainingError, UserError  # noqa: E402
from chainer_seg.model_file import load_model  # noqa: E402
from chainer_seg.models.deeplab import DeepLab  # noqa: E402
from chainer_seg.recipes import DeepLabRecipe  # noqa: E402
from chainer_seg.recipes.deeplab import SemanticData  # noqa: E402
from chainer_seg.training import build_trainer, read_log  # noqa: E402
from chainer_seg.widgets import TrainingDashboard  # noqa: E402

from .controls import controls  # noqa: E402

DATA = SemanticData('plain-shapes', size=(32, 32), val_n=2)


def make(out, iterations=6, **changes):
    """A dashboard of a run that takes a second once its process has started."""
    recipe = DeepLabRecipe().replace(**{
        'blocks': [1, 1, 1, 1], 'width': 4, 'pyramid': [1, 2], 'crop': [33, 33], 'iterations': iterations,
        'batch_size': 2, 'warm_up': 0, 'snapshot_every': 2, **changes})
    return TrainingDashboard(recipe, DATA, out=out, workers=0, device='cpu', log_every=1)


def wait_for(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def arrays(path):
    with ArrayFile(path) as file:
        return {name: file.read(name) for name in file.headers if name.startswith('updater/')}


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A run from its start to its end."""
    dashboard = make(tmp_path_factory.mktemp('run'))
    controls(dashboard, 'Button')['Start'].click()
    dashboard.wait()
    return dashboard


def test_a_run_is_shown_to_its_end(finished):
    assert finished.state == 'finished'
    assert finished.message.startswith('Finished after 6 iterations; saved in')
    assert [line['iteration'] for line in finished.lines] == [1, 2, 3, 4, 5, 6]
    assert finished._progress.value == 1 and '6, 0:00 left, learning rate' in finished._about.value
    assert finished.snapshot().shape[2] == 3 and finished._samples.data[:2] == b'\xff\xd8'
    buttons = controls(finished, 'Button')
    assert buttons['Pause'].disabled and not buttons['Start'].disabled


def test_the_result_is_that_of_the_run(finished):
    result = finished.result
    assert (result.iteration, result.best_metric) == (6, 'validation/miou')
    assert result.best_value == max(line.get('validation/miou', 0) for line in result.log)
    assert isinstance(load_model(result.best_model), DeepLab)


def test_a_stopped_run_resumes_exactly(finished, tmp_path):
    dashboard = make(tmp_path)
    dashboard.start()
    wait_for(lambda: dashboard.lines)
    result = dashboard.stop()
    assert dashboard.state == 'stopped' and 0 < result.iteration <= 6
    again = make(tmp_path)  # as after a restart of the kernel
    again.resume()
    assert again.wait().iteration == 6
    expected, found = arrays(finished.result.snapshot), arrays(again.result.snapshot)
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_a_paused_run_stands_still_and_an_interrupt_stops_it(tmp_path, monkeypatch):
    dashboard = make(tmp_path, iterations=100000)
    dashboard.start()
    with pytest.raises(TrainingError, match='A run is in progress'):
        dashboard._launch()
    wait_for(lambda: dashboard.lines)
    dashboard.pause()
    time.sleep(1)
    lines = len(read_log(dashboard.out))
    assert dashboard.state == 'paused' and dashboard._process.memory > 0
    time.sleep(1)
    assert len(read_log(dashboard.out)) == lines
    dashboard.resume()
    wait_for(lambda: len(dashboard.lines) > lines)
    join = dashboard._follower.join

    def interrupted(timeout=None):
        if timeout is not None:
            signal.raise_signal(signal.SIGINT)
        join(timeout)

    monkeypatch.setattr(dashboard._follower, 'join', interrupted)
    result = dashboard.wait()
    assert dashboard.state == 'stopped' and result is dashboard.result and result.iteration > lines


def test_a_loss_that_is_not_finite_ends_in_a_sentence(tmp_path):
    dashboard = make(tmp_path, iterations=100, lr=1e12, optimizer='momentum', snapshot_every=100)
    dashboard.start()
    with pytest.raises(TrainingError, match='consecutive batches were not finite'):
        dashboard.wait()
    assert dashboard.state == 'failed' and dashboard.result is not None


def test_a_folder_that_cannot_be_used_is_refused(finished, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='could not be written'):
        make(tmp_path / 'file').start()
    other = make(finished.out)
    controls(other, 'Button')['Start'].click()
    assert other.state == 'ready' and 'already contains a training run; press Resume' in other.message
    with pytest.raises(TrainingError, match='contains no snapshot to resume from; press Start'):
        make(tmp_path / 'nothing').resume()


def test_values_that_are_not_allowed_are_refused(tmp_path):
    dashboard = make(tmp_path)
    controls(dashboard, 'IntText')['batch_size'].value = 0
    with pytest.raises(TrainingError, match='batch_size'):
        dashboard.start()
    assert 'batch_size' in dashboard.message and dashboard.state == 'ready'


def test_controls_become_the_command_line(tmp_path):
    dashboard = make(tmp_path)
    controls(dashboard, 'Text')['size'].value = '[48, 64]'
    assert dashboard.command == (
        f'chainer-seg train deeplab --recipe {tmp_path}/recipe.toml --out {tmp_path} --dataset plain-shapes '
        f'--size 48x64 --val-n 2 --device cpu --workers 0 --log-every 1')
    dashboard.recipe = dashboard.recipe.replace(lr=0.5)
    assert controls(dashboard, 'FloatText')['lr'].value == 0.5


def test_resume_in_the_wrong_place_is_one_sentence(tmp_path):
    recipe = DeepLabRecipe()
    with pytest.raises(TrainingError, match='resume is not an option of the dashboard; press Resume'):
        TrainingDashboard(recipe, resume=True)
    with pytest.raises(TrainingError, match='resume must be "auto" or the path of a snapshot, got True'):
        recipe.trainer([], resume=True)
    with pytest.raises(TrainingError, match='A run has no option .restart.; it has out, seed'):
        recipe.trainer([], restart=True)
    with pytest.raises(TrainingError, match='A training has no setting .restart.'):
        build_trainer(None, [], restart=True)
