"""The log: one valid JSON line per interval, with means over it."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from chainer_seg import training
from chainer_seg.datasets.tfrecord_files import scan_records
from chainer_seg.errors import DatasetError, ModelError

from .toys import Net, build


def test_line_has_the_mean_of_its_interval(tmp_path):
    losses = []
    trainer = build(tmp_path, evaluator=None, log_every=5)
    trainer.extend(lambda t: losses.append(t.observation['main/loss']), name='spy',
                   trigger=(1, 'iteration'), priority=500)
    training.train(trainer)
    lines = training.read_log(tmp_path / 'log.jsonl')
    assert [line['iteration'] for line in lines] == [5, 10, 15, 20]
    assert lines[1]['loss'] == pytest.approx(np.mean(losses[5:10]))
    assert lines[1]['epoch'] == pytest.approx(40 / 13, abs=1e-3)
    assert {'lr', 'elapsed_time', 'accuracy'} <= lines[0].keys()


def test_end_of_the_run_is_logged_and_evaluated(tmp_path):
    result = training.train(build(tmp_path, iterations=7, log_every=5, evaluate_every=100))
    assert [line['iteration'] for line in result.log] == [5, 7]
    assert 'validation/norm' in result.log[-1]
    assert 'loss' in result.log[-1]


def test_lines_are_complete_while_training_runs(tmp_path):
    seen = []

    def read(trainer):
        text = (tmp_path / 'log.jsonl').read_text()
        seen.append([json.loads(line)['iteration'] for line in text.splitlines()])
    trainer = build(tmp_path, evaluator=None, iterations=8)
    trainer.extend(read, name='read', trigger=(1, 'iteration'), priority=1)
    training.train(trainer)
    assert seen == [[], [], [], [4], [4], [4], [4], [4, 8]]


def test_values_that_are_not_finite_are_null(tmp_path):
    training.train(build(tmp_path, evaluator=lambda model: {'miou': np.nan}))
    text = (tmp_path / 'log.jsonl').read_text()
    assert '"validation/miou": null' in text
    assert 'NaN' not in text


def test_a_log_truncated_by_a_kill_is_read(tmp_path):
    (tmp_path / 'log.jsonl').write_text('{"iteration": 1, "loss": 2.5}\n{"iteration": 2, "lo')
    assert training.read_log(tmp_path) == [{'iteration': 1, 'loss': 2.5}]


def test_a_missing_log_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match='There is no training log'):
        training.read_log(tmp_path)


def test_the_evaluator_runs_outside_training_mode(tmp_path):
    import chainer
    modes = []

    def evaluate(model):
        modes.append((chainer.config.train, chainer.config.enable_backprop))
        return {}
    training.train(build(tmp_path, evaluator=evaluate))
    assert modes == [(False, False)] * 4


def test_tensorboard_files_are_written(tmp_path):
    pytest.importorskip('tensorboardX')
    training.train(build(tmp_path, tensorboard=True))
    [events] = (tmp_path / 'tensorboard').iterdir()
    assert b'validation/norm' in events.read_bytes()


def test_tensorboard_has_an_image_of_each_validation(tmp_path):
    event_pb2 = pytest.importorskip('tensorboardX.proto.event_pb2')
    drawn = []

    def draw(model):
        drawn.append(model.conv.W.array.sum())
        return np.full((4, 6, 3), len(drawn), np.uint8)
    net = Net()
    training.train(build(tmp_path, net, tensorboard=True, draw_samples=draw, model_to_save=net))
    [path] = (tmp_path / 'tensorboard').iterdir()
    events = [event_pb2.Event.FromString(data) for _, data in scan_records(path)]
    images = {event.step: value.image.encoded_image_string for event in events
              for value in event.summary.value if value.tag == 'samples'}
    assert list(images) == [5, 10, 15, 20] and len(set(drawn)) == 4  # of the weights at that time
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(images[20]))), np.full((4, 6, 3), 4))


def test_a_diverged_model_has_no_image_but_goes_on(tmp_path, capfd):
    pytest.importorskip('tensorboardX')

    def draw(model):
        raise ModelError('The network gives values that are not finite.')
    net = Net()
    result = training.train(build(tmp_path, net, tensorboard=True, draw_samples=draw, model_to_save=net))
    assert result.iteration == 20 and 'no image of iteration 5' in capfd.readouterr().err


def test_missing_tensorboardx_is_reported(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, 'tensorboardX', None)
    assert training.train(build(tmp_path, tensorboard=True)).iteration == 20
    assert capfd.readouterr().err.count('tensorboardX is not installed') == 1


def test_plot_log_draws_the_losses_and_validations(tmp_path):
    from matplotlib.figure import Figure
    trainer = build(tmp_path, Net(batch_norm=False))
    result = training.train(trainer)
    for log in (tmp_path, tmp_path / 'log.jsonl', str(tmp_path), trainer, result, result.log):
        ax = training.plot_log(log, ax=Figure().subplots())
        curves = {line.get_label(): line for line in ax.lines}
        assert set(curves) == {'loss', 'accuracy', 'validation/norm'}
        assert list(curves['validation/norm'].get_xdata()) == [5, 10, 15, 20]
        expected = [line['loss'] for line in result.log if 'loss' in line]
        assert list(curves['loss'].get_ydata()) == expected


def test_plot_log_of_chosen_names(tmp_path):
    from matplotlib.figure import Figure
    lines = [{'iteration': 1, 'loss': 3.0, 'lr': 0.1}, {'iteration': 2, 'loss': None, 'lr': 0.2}]
    ax = training.plot_log(lines, ax=Figure().subplots(), names=['lr'])
    assert list(ax.lines[0].get_ydata()) == [0.1, 0.2]


def test_draw_log_separates_losses_metrics_and_learning_rate():
    lines = [{'iteration': 1, 'lr': 0.1, 'loss': 9.0, 'mask_loss': 4.0, 'iou': 0.1},
             {'iteration': 2, 'lr': 0.2, 'loss': 8.0, 'mask_loss': 3.0, 'iou': 0.2, 'validation/miou': 0.3}]
    drawn = {ax.get_title(): {line.get_label(): list(line.get_ydata()) for line in ax.lines}
             for ax in training.draw_log(lines).axes}
    assert drawn == {'losses': {'loss': [9.0, 8.0], 'mask_loss': [4.0, 3.0]},
                     'metrics': {'iou': [0.1, 0.2], 'validation/miou': [0.3]},
                     'learning rate': {'lr': [0.1, 0.2]}}


def test_draw_log_omits_what_the_log_lacks():
    figure = training.draw_log([{'iteration': 1, 'loss': 9.0, 'iou': None}])
    assert [ax.get_title() for ax in figure.axes] == ['losses']


@pytest.mark.parametrize('line', [
    '3', 'null', '{}', '{"iteration": "5"}', '{"iteration": 5, "loss": "low"}',
    '{"iteration": 5, "loss": [1]}',
    '{"iteration": null}', '{"iteration": 5', '[' * 5000, '{"iteration": 5, "\\ud800": 1}'])
def test_a_damaged_line_is_an_error_that_names_it(tmp_path, line):
    (tmp_path / 'log.jsonl').write_text(f'{{"iteration": 1, "loss": 2}}\n{line}\n')
    with pytest.raises(DatasetError, match='Line 2 of the training log'):
        training.read_log(tmp_path)


def test_a_binary_log_is_an_error(tmp_path):
    (tmp_path / 'log.jsonl').write_bytes(b'\xff\x00\x01\n')
    with pytest.raises(DatasetError, match='is not a text file'):
        training.read_log(tmp_path)
