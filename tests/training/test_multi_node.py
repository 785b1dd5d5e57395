"""Two ranks of an MPI job train as one process does with the batch of both, and none of them hangs."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import time
import types

import numpy as np
import pytest

from chainer_seg import training
from chainer_seg.errors import TrainingError
from chainer_seg.loss_share import share, shared_between_ranks
from chainer_seg.training import multi_node
from tests.training.multi_node_job import RANKS, SYSTEMS, train_system
from tests.training.toys import build

ROOT = pathlib.Path(__file__).resolve().parents[2]
MPIEXEC = shutil.which(
    'mpiexec', path=f'{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}')
needs_mpi = [pytest.mark.slow, pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec('mpi4py') is None,
    reason='needs mpi4py and mpiexec, as the wheels mpi4py and mpich bring them')]


def start(name, folder, seconds=120):
    """Runs a function of multi_node_job.py on two ranks."""
    return subprocess.run(
        [MPIEXEC, '-n', str(RANKS), sys.executable, '-m', 'tests.training.multi_node_job', name, str(folder)],
        cwd=ROOT, timeout=seconds, capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'})


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The folder of what two ranks have trained with batches of 2."""
    folder = tmp_path_factory.mktemp('ranks')
    result = start('systems', folder, 300)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.parametrize('name', SYSTEMS)
class TestEquality:
    pytestmark = needs_mpi

    def test_two_ranks_equal_one_process_with_the_batch_of_both(self, trained, tmp_path, name):
        train_system(name, tmp_path, 2 * RANKS)
        found, expected = (np.load(folder / name / 'model.npz') for folder in (trained, tmp_path))
        assert set(found.files) == set(expected.files)
        for array in found.files:
            if found[array].dtype.kind == 'f':
                np.testing.assert_allclose(found[array], expected[array], rtol=1e-4, atol=2e-6, err_msg=array)
        found, expected = (training.read_log(folder / name) for folder in (trained, tmp_path))
        for line, other in zip(found, expected, strict=True):
            assert line.pop('elapsed_time') and other.pop('elapsed_time')
            assert line == pytest.approx(other, rel=1e-4, abs=1e-5, nan_ok=True)


class TestJobs:
    pytestmark = needs_mpi

    def test_a_resumed_run_is_that_of_no_interruption_and_bad_batches_are_skipped_by_all(self, tmp_path):
        result = start('toys', tmp_path)
        assert result.returncode == 0, result.stderr
        # The outputs of ranks may share a line.
        assert all(f'rank {rank} is done' in result.stdout for rank in range(RANKS))
        with pytest.raises(TrainingError, match='training with 2 ranks, and this one has 1; resume it with '
                                                'mpiexec -n 2'):
            build(tmp_path / 'whole', batch_size=2, resume='auto')

    def test_a_killed_rank_ends_the_job(self, tmp_path):
        started = time.monotonic()
        assert start('killed', tmp_path).returncode != 0
        assert time.monotonic() - started < 10 + 10  # of which the start takes up to 10

    def test_an_error_of_one_rank_ends_all_with_one_sentence(self, tmp_path):
        result = start('failing', tmp_path)
        assert result.returncode == 2
        assert result.stderr.count('error on rank 1: image 2 is unreadable; replace it.') == 1

    def test_a_crash_of_one_rank_ends_all_with_its_traceback(self, tmp_path):
        result = start('crashing', tmp_path)
        assert result.returncode == 1
        assert 'Rank 1 failed and ends the job' in result.stderr
        assert 'IndexError: list index out of range' in result.stderr

    def test_sigterm_at_one_rank_saves_and_ends_all_with_143(self, tmp_path):
        result = start('terminated', tmp_path)
        assert result.returncode == 143, result.stderr
        (iteration, _), *_ = training.find_snapshots(tmp_path / 'out')
        assert iteration in (3, 4)

    def test_mpiexec_of_another_mpi_is_told(self):
        result = subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', 'import chainer_seg; '
             'from chainer_seg.training.multi_node import connect; connect("naive")'],
            cwd=ROOT, timeout=60, capture_output=True, text=True,
            env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMPI_COMM_WORLD_SIZE': '2'})
        assert 'mpiexec started 2 processes, but each of them finds itself alone' in result.stderr


def test_several_processes_without_a_communicator_are_told(monkeypatch):
    monkeypatch.setenv('PMI_SIZE', '3')
    with pytest.raises(TrainingError, match='mpiexec started 3 processes.*add --communicator naive'):
        multi_node.connect.__wrapped__(None)


def test_a_missing_mpi4py_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mpi4py', None)
    with pytest.raises(TrainingError, match=r'needs mpi4py and an MPI library.*install the "mpi" extra'):
        multi_node.connect.__wrapped__('naive')


@pytest.fixture
def two_gpus(monkeypatch):
    """A machine with two GPUs."""
    def get_device(name):
        return types.SimpleNamespace(name=name, xp=np if name == 'cpu' else 'cupy')
    monkeypatch.setattr(multi_node, 'get_device', get_device)
    monkeypatch.setattr(multi_node, 'gpu_count', lambda: 2)
    ranks = multi_node.Ranks()
    ranks.local_rank, ranks.local_size = 1, 2
    return ranks


@pytest.mark.parametrize('communicator, device', [('naive', 'cpu'), ('pure_nccl', 1), (None, None)])
def test_every_rank_has_a_device_of_its_own(two_gpus, communicator, device):
    assert multi_node.rank_device(None, communicator, two_gpus).name == device


@pytest.mark.parametrize('name, communicator, message', [
    ('0', 'naive', 'is for CPUs, and the device is 0'),
    ('cpu', 'pure_nccl', 'is for GPUs, and the device is the CPU'),
    ('0', 'flat', '--device 0 would be the GPU of all 2 ranks')])
def test_a_device_that_does_not_fit_the_communicator_is_told(two_gpus, name, communicator, message):
    with pytest.raises(TrainingError, match=message):
        multi_node.rank_device(name, communicator, two_gpus)


def test_the_share_is_the_count_over_its_mean():
    assert share(3) == 1
    with shared_between_ranks(lambda count: (count + 5) / 2):
        assert share(3) == 3 / 4
    with shared_between_ranks(lambda count: 0.0):
        assert share(0) == 1


@pytest.mark.parametrize('rule, factor', [('none', 1), ('linear', 4), ('sqrt', 2)])
def test_the_learning_rate_is_scaled_by_the_rule(tmp_path, monkeypatch, rule, factor):
    ranks = multi_node.Ranks()
    ranks.size = 4
    monkeypatch.setattr('chainer_seg.training.assembly.connect', lambda communicator: ranks)
    trainer = build(tmp_path, lr=0.01, lr_scaling=rule)
    assert trainer.updater._learning_rate.apply(0) == pytest.approx(0.01 * factor)


def test_streams_of_two_ranks_have_each_example_once():
    streams = [training.ExampleStream(range(6), 1, seed=3, workers=0, rank=rank, ranks=2)
               for rank in range(2)]
    one = training.ExampleStream(range(6), 2, seed=3, workers=0)
    for _ in range(9):
        assert [sample for stream in streams for sample in stream.next()] == one.next()
