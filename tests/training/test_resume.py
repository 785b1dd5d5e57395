"""A run that is interrupted and continued is, bit by bit, the run that was not."""

import json

import chainer.links as L
import numpy as np
import pytest

from chainer_seg import training
from chainer_seg.errors import ImageError, TrainingError

from .toys import Net, Images, add_noise, assert_same_run, build, lasting_log


class Stop(Exception):
    pass


def stop_at(trainer, iteration):
    """Runs a trainer and presses Ctrl-C, so to say, in the given iteration."""
    def press(trainer):
        if trainer.updater.iteration == iteration:
            trainer.interruption.requested = True
    trainer.extend(press, name='press', trigger=(1, 'iteration'), priority=1000)
    with pytest.raises(KeyboardInterrupt):
        training.train(trainer)


@pytest.mark.parametrize('optimizer', ['momentum', 'adam'])
@pytest.mark.parametrize('iteration', [1, 10, 12])
def test_interrupted_run_equals_the_uninterrupted(tmp_path, optimizer, iteration):
    settings = {'optimizer': optimizer, 'lr': 0.01, 'schedule': training.Poly(),
                'best_metric': ('validation/norm', 'max')}
    whole = build(tmp_path / 'whole', **settings)
    training.train(whole)
    stop_at(build(tmp_path / 'parts', **settings), iteration)
    parts = build(tmp_path / 'parts', Net(seed=9), resume='auto', **settings)
    assert parts.updater.iteration == iteration
    training.train(parts)
    assert_same_run(parts, whole)
    assert parts.snapshots.best_value == whole.snapshots.best_value


@pytest.mark.parametrize('workers', [(0, 2), (2, 0), (1, 3)])
def test_the_number_of_workers_may_change(tmp_path, workers):
    whole = build(tmp_path / 'whole')
    training.train(whole)
    stop_at(build(tmp_path / 'parts', workers=workers[0]), 7)
    parts = build(tmp_path / 'parts', workers=workers[1], resume='auto')
    training.train(parts)
    assert_same_run(parts, whole)


@pytest.mark.parametrize('length', [10, 12])
def test_a_finished_run_can_be_extended(tmp_path, length):
    whole = build(tmp_path / 'whole')
    training.train(whole)
    training.train(build(tmp_path / 'parts', iterations=length))
    parts = build(tmp_path / 'parts', resume='auto')
    training.train(parts)
    assert_same_run(parts, whole)


def test_run_is_the_same_after_being_killed(tmp_path):
    # A kill leaves the newest periodic snapshot and a log that is ahead of it.
    def raise_stop(trainer):
        if trainer.updater.iteration == 18:
            raise Stop
    whole = build(tmp_path / 'whole')
    training.train(whole)
    killed = build(tmp_path / 'parts', snapshot_every=10)
    killed.snapshots.on_error = lambda *arguments: None
    killed.extend(raise_stop, name='kill', trigger=(1, 'iteration'), priority=1)
    with pytest.raises(Stop):
        training.train(killed)
    assert training.read_log(tmp_path / 'parts')[-1]['iteration'] == 16
    parts = build(tmp_path / 'parts', snapshot_every=10, resume='auto')
    assert parts.updater.iteration == 10
    training.train(parts)
    assert_same_run(parts, whole)


def test_the_log_contains_the_lines_of_both_parts_once(tmp_path):
    stop_at(build(tmp_path), 10)
    parts = build(tmp_path, resume='auto')
    training.train(parts)
    iterations = [line['iteration'] for line in training.read_log(tmp_path)]
    assert iterations == [4, 5, 8, 10, 12, 15, 16, 20]
    assert training.read_log(tmp_path) == parts.log.lines


def test_skipped_batches_in_a_row_are_counted_over_an_interruption(tmp_path):
    dataset = Images(4, poisoned=[0])
    stop_at(build(tmp_path, dataset=dataset, max_skipped=4), 3)
    with pytest.raises(TrainingError, match='iteration 4 because 4 consecutive batches'):
        training.train(build(tmp_path, dataset=dataset, max_skipped=4, resume='auto'))


def test_resume_from_a_path_into_another_folder(tmp_path):
    stop_at(build(tmp_path / 'first'), 10)
    path = tmp_path / 'first' / 'snapshot_iter_00000010.npz'
    whole, parts = build(tmp_path / 'whole'), build(tmp_path / 'second', resume=path)
    training.train(whole)
    training.train(parts)
    assert_same_run(parts, whole)
    assert lasting_log(parts)[0]['iteration'] == 4


def test_resuming_an_older_snapshot_removes_the_newer_ones(tmp_path):
    training.train(build(tmp_path, snapshot_every=5, keep_last=4))
    trainer = build(tmp_path, resume=tmp_path / 'snapshot_iter_00000010.npz', iterations=12)
    training.train(trainer)
    assert [iteration for iteration, _ in training.find_snapshots(tmp_path)] == [12, 10, 5]


def test_auto_starts_a_new_run_in_an_empty_folder(tmp_path):
    assert build(tmp_path / 'none', resume='auto').updater.iteration == 0


def test_auto_skips_a_truncated_snapshot(tmp_path, capfd):
    training.train(build(tmp_path, snapshot_every=10))
    newest = tmp_path / 'snapshot_iter_00000020.npz'
    newest.write_bytes(newest.read_bytes()[:-700])
    assert build(tmp_path, resume='auto').updater.iteration == 10
    assert 'snapshot_iter_00000020.npz is damaged' in capfd.readouterr().err


@pytest.mark.parametrize('content', [b'', b'PK', b'not a zip'])
def test_a_file_that_is_not_a_snapshot_is_an_error(tmp_path, content):
    path = tmp_path / 'snapshot_iter_00000020.npz'
    path.write_bytes(content)
    with pytest.raises(TrainingError, match='is damaged or not a training snapshot'):
        build(tmp_path, resume=path)


def test_a_snapshot_with_a_damaged_weight_is_an_error(tmp_path):
    net = Net()
    path = training.train(build(tmp_path, net)).snapshot
    weights = net.fc.W.array.tobytes()
    data = path.read_bytes()
    assert data.count(weights) == 1
    path.write_bytes(data.replace(weights, weights[:-1] + bytes([weights[-1] ^ 1])))
    with pytest.raises(TrainingError, match='is damaged or not a training snapshot'):
        build(tmp_path, resume=path)


def test_another_npz_file_is_an_error(tmp_path):
    np.savez(tmp_path / 'other.npz', a=np.arange(3))
    with pytest.raises(TrainingError, match='not a training snapshot'):
        build(tmp_path, resume=tmp_path / 'other.npz')


def test_pickled_arrays_are_never_unpickled(tmp_path):
    np.savez(tmp_path / 'other.npz', about=np.array([{}], object))
    with pytest.raises(TrainingError, match='not a training snapshot'):
        build(tmp_path, resume=tmp_path / 'other.npz')


def test_a_newer_format_is_an_error(tmp_path):
    about = json.dumps({'kind': 'chainer_seg training snapshot', 'format': 99}).encode()
    np.savez(tmp_path / 'new.npz', about=np.frombuffer(about, np.uint8))
    with pytest.raises(TrainingError, match='format 99'):
        build(tmp_path, resume=tmp_path / 'new.npz')


def test_a_missing_snapshot_is_an_error(tmp_path):
    with pytest.raises(TrainingError, match='There is no snapshot'):
        build(tmp_path, resume=tmp_path / 'absent.npz')


def test_a_snapshot_of_another_model_is_an_error(tmp_path):
    training.train(build(tmp_path))
    with pytest.raises(TrainingError, match='belongs to another model or optimizer'):
        build(tmp_path, Net(batch_norm=False), resume='auto')


def test_a_snapshot_of_another_optimizer_is_an_error(tmp_path):
    training.train(build(tmp_path, optimizer='adam', lr=1e-3))
    with pytest.raises(TrainingError, match='belongs to another model or optimizer'):
        build(tmp_path, optimizer='momentum', resume='auto')


def test_other_settings_are_reported(tmp_path, capfd):
    training.train(build(tmp_path, iterations=10))
    build(tmp_path, batch_size=2, resume='auto')
    assert 'batch_size was 4 and is 2' in capfd.readouterr().err


def test_a_folder_with_another_run_is_overwritten_only_on_request(tmp_path):
    training.train(build(tmp_path))
    with pytest.raises(TrainingError, match='already contains a training run'):
        build(tmp_path)
    training.train(build(tmp_path, overwrite=True, iterations=6))
    assert [iteration for iteration, _ in training.find_snapshots(tmp_path)] == [6]


def test_error_while_loading_saves_the_state_before_it(tmp_path, capfd):
    # Example 6 is broken; the run is resumed once it is repaired.
    whole = build(tmp_path / 'whole')
    training.train(whole)
    with pytest.raises(ImageError):
        training.train(build(tmp_path / 'parts', dataset=Images(13, broken=[6])))
    assert 'the run is saved in' in capfd.readouterr().err
    parts = build(tmp_path / 'parts', resume='auto')
    training.train(parts)
    assert_same_run(parts, whole)


def test_resuming_a_finished_run_does_nothing(tmp_path):
    training.train(build(tmp_path))
    trainer = build(tmp_path, resume='auto')
    result = training.train(trainer)
    assert result.iteration == 20
    assert result.snapshot == tmp_path / 'snapshot_iter_00000020.npz'


class LazyNet(Net):
    """Some shapes are known only after the first forward pass."""

    def __init__(self, seed=0):
        super().__init__(seed)
        del self.norm, self.fc
        with self.init_scope():
            self.norm = L.BatchNormalization(axis=(0, 2, 3))
            self.fc = L.Linear(None, 2)


def test_a_network_with_lazily_initialised_shapes_resumes_exactly(tmp_path):
    whole = build(tmp_path / 'whole', LazyNet())
    training.train(whole)
    stop_at(build(tmp_path / 'parts', LazyNet()), 10)
    parts = build(tmp_path / 'parts', LazyNet(), resume='auto')
    training.train(parts)
    assert_same_run(parts, whole)


def test_sub_batches_and_skipped_examples_resume_exactly(tmp_path):
    def some(example, rng):
        return None if rng.random() < 0.3 else add_noise(example, rng)
    settings = {'transform': some, 'sub_batches': 3}
    whole = build(tmp_path / 'whole', **settings)
    training.train(whole)
    stop_at(build(tmp_path / 'parts', **settings), 9)
    parts = build(tmp_path / 'parts', resume='auto', workers=2, **settings)
    training.train(parts)
    assert_same_run(parts, whole)


@pytest.mark.parametrize('changes', [
    {'updater/iteration': np.array(-3)}, {'updater/iteration': np.array([1, 2])},
    {'updater/iteration': np.array(float('nan'))}, {'updater/iteration': np.array(2.5)},
    {'updater/model:main/conv/W': np.zeros((4, 2, 3, 3), complex)},
    {'updater/first_trouble': np.array([255, 254], np.uint8)},
    {'extensions/log/state': np.frombuffer(b'{}', np.uint8)},
    {'extensions/log/state': np.frombuffer(b'[' * 9999, np.uint8)},
    {'extensions/log/state': np.frombuffer(
        b'{"lines": [3], "summary": {}, "skipped_before": 0}', np.uint8)},
    {'extensions/snapshots/best': np.frombuffer(b'["a", 3]', np.uint8)},
    {'about': np.frombuffer(b'3', np.uint8)}, {'about': np.frombuffer(b'{"kind": [1]}', np.uint8)},
    {'about': np.zeros((3, 3))}], ids=lambda changes: next(iter(changes)))
def test_a_modified_snapshot_is_an_error(tmp_path, changes):
    result = training.train(build(tmp_path))
    with np.load(result.snapshot) as file:
        arrays = dict(file)
    assert changes.keys() <= arrays.keys()
    np.savez(tmp_path / 'changed.npz', **{**arrays, **changes})
    with pytest.raises(TrainingError):
        build(tmp_path / 'on', resume=tmp_path / 'changed.npz')


def of_classes(*names):
    net = Net()
    net.class_names = names
    return {'net': net, 'model_to_save': net, 'evaluator': None}


@pytest.mark.parametrize('names, difference', [
    (('dog', 'cat'), "class 0 was 'cat' and is 'dog'"),
    (('cat', 'cow'), "class 1 was 'dog' and is 'cow'"),
    (('cat', 'dog', 'cow'), 'there were 2 classes and are 3'),
    ((), 'there were 2 classes and are 0')])
def test_a_snapshot_of_other_classes_is_not_resumed(tmp_path, names, difference):
    training.train(build(tmp_path, iterations=2, **of_classes('cat', 'dog')))
    with pytest.raises(TrainingError, match=f'has other classes than the data set: {difference}'):
        build(tmp_path, iterations=4, resume='auto', **of_classes(*names))


def test_a_snapshot_of_the_same_classes_is_resumed(tmp_path, capfd):
    training.train(build(tmp_path, iterations=2, **of_classes('cat', 'dog')))
    build(tmp_path, iterations=4, resume='auto', **of_classes('cat', 'dog'))
    assert 'class' not in ''.join(capfd.readouterr())


def test_an_older_snapshot_without_classes_is_resumed_with_one_warning(tmp_path, capfd):
    training.train(build(tmp_path, iterations=2, **of_classes('cat', 'dog')))
    path = tmp_path / 'snapshot_iter_00000002.npz'
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(arrays['about'].tobytes())
    del about['class_names']
    arrays['about'] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(path, **arrays)
    build(tmp_path, iterations=4, resume='auto', **of_classes('cat', 'dog'))
    assert ''.join(capfd.readouterr()).count('is an older snapshot without class names') == 1
