"""Which files a run leaves, and what a full disk does to them."""

import errno

import numpy as np
import pytest

from chainer_seg import training
from chainer_seg.errors import DiskFullError, TrainingError

from tests.folders import names_in
from .toys import Net, build


def test_the_latest_snapshots_are_kept(tmp_path):
    training.train(build(tmp_path, snapshot_every=4, keep_last=2))
    assert names_in(tmp_path) == [
        'log.jsonl', 'snapshot_iter_00000016.npz', 'snapshot_iter_00000020.npz']


def test_snapshots_are_read_without_pickle(tmp_path):
    net = Net()
    result = training.train(build(tmp_path, net))
    with np.load(result.snapshot, allow_pickle=False) as snapshot:
        assert all(snapshot[name].dtype != object for name in snapshot.files)
        np.testing.assert_array_equal(snapshot['updater/model:main/conv/W'], net.conv.W.array)


@pytest.mark.parametrize('mode, best_iteration', [('max', 15), ('min', 10)])
def test_the_best_model_is_selected_by_its_metric(tmp_path, mode, best_iteration):
    values, weights = iter([3, 1, 7, 2]), {}
    net = Net()

    def evaluate(model):
        value = next(values)
        weights[value] = model.conv.W.array.copy()
        return {'miou': value}
    saved = []
    result = training.train(build(
        tmp_path, net, evaluator=evaluate, best_metric=('validation/miou', mode),
        model_to_save=net, save_model=lambda path, model: saved.append(path.name)))
    assert result.best_value == {'max': 7, 'min': 1}[mode]
    with np.load(tmp_path / 'snapshot_best.npz') as snapshot:
        assert snapshot['updater/iteration'] == best_iteration
        np.testing.assert_array_equal(
            snapshot['updater/model:main/conv/W'], weights[result.best_value])
    assert saved[0] == 'model_best.npz' and saved[-1] == 'model.npz'


def test_an_unknown_best_metric_is_an_error_that_lists_the_reported_ones(tmp_path):
    with pytest.raises(TrainingError, match='did not report \'validation/iou\'.*it reported validation/norm'):
        training.train(build(tmp_path, best_metric=('validation/iou', 'max')))


def test_a_link_that_is_not_a_model_is_not_saved_as_a_model_file(tmp_path):
    net = Net()
    result = training.train(build(tmp_path, net, model_to_save=net.conv,
                                  evaluator=lambda model: {'size': model.W.size}))
    assert result.model is None
    assert result.log[-1]['validation/size'] == net.conv.W.size


def test_a_full_disk_is_an_error_and_keeps_the_previous_snapshot(tmp_path, monkeypatch):
    trainer = build(tmp_path, snapshot_every=8)
    savez = np.savez

    def savez_on_a_full_disk(file, **arrays):
        if arrays['updater/iteration'] > 8:
            file.write(b'half a file')
            raise OSError(errno.ENOSPC, 'No space left on device')
        savez(file, **arrays)
    monkeypatch.setattr(np, 'savez', savez_on_a_full_disk)
    with pytest.raises(DiskFullError, match='snapshot_iter_00000016.npz.*disk is full'):
        training.train(trainer)
    assert names_in(tmp_path) == ['log.jsonl', 'snapshot_iter_00000008.npz']
    assert build(tmp_path, resume='auto').updater.iteration == 8


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(DiskFullError, match='could not be written'):
        training.train(build(tmp_path / 'file' / 'run'))
