"""Ctrl-C and SIGTERM in a process of its own: a clean end, a snapshot, and no process left behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from chainer_seg import training
from chainer_seg.errors import FolderInUseError
from chainer_seg.training import interrupt

from .toys import Net, assert_same_run, build

SCRIPT = '''
import sys, time
sys.path[:0] = {path!r}
import chainer_seg
from toys import build, add_noise
from chainer_seg import training
from chainer_seg.errors import FolderInUseError
from chainer_seg.training import interrupt

def slow(example, rng):
    time.sleep({seconds})
    return add_noise(example, rng)

trainer = build({out!r}, transform=slow, iterations=2000, workers={workers}, log_every=4)
trainer.extend(lambda t: print('iteration', flush=True), name='tell', trigger=(1, 'iteration'))
try:
    training.train(trainer)
except KeyboardInterrupt as interrupt:
    sys.exit(getattr(interrupt, 'code', 130))
'''


def start(out, workers, seconds=0.002):
    here = pathlib.Path(__file__).parent
    script = SCRIPT.format(path=[str(here), str(here.parents[1])], out=str(out), workers=workers,
                           seconds=seconds)
    # A session of its own, so that a signal to the group reaches its workers as Ctrl-C does.
    process = subprocess.Popen(
        [sys.executable, '-c', script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True)
    for _ in range(3):
        assert process.stdout.readline() == 'iteration\n', process.stderr.read()
    return process


def group_is_gone(process):
    for _ in range(100):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize('number, status, text', [
    (signal.SIGINT, 130, 'press Ctrl-C again'), (signal.SIGTERM, 143, 'a second SIGTERM')])
@pytest.mark.parametrize('workers', [0, 2])
def test_a_signal_saves_and_the_run_resumes_exactly(tmp_path, workers, number, status, text):
    process = start(tmp_path / 'run', workers)
    os.killpg(process.pid, number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == status
    assert text in message
    assert 'Resume it with resume="auto"' in message
    assert 'Traceback' not in message
    assert group_is_gone(process)

    iteration = training.find_snapshots(tmp_path / 'run')[0][0]
    settings = {'iterations': iteration + 10}
    parts = build(tmp_path / 'run', Net(seed=4), resume='auto', **settings)
    whole = build(tmp_path / 'whole', **settings)
    training.train(parts)
    training.train(whole)
    assert_same_run(parts, whole)


@pytest.mark.parametrize('number, status', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_stops_immediately(tmp_path, number, status):
    process = start(tmp_path / 'run', workers=2, seconds=0.2)
    os.killpg(process.pid, number)
    assert 'Finishing this iteration' in process.stderr.readline()
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == status
    assert group_is_gone(process)
    assert training.find_snapshots(tmp_path / 'run') == []


def test_workers_exit_after_their_trainer_was_killed(tmp_path):
    process = start(tmp_path / 'run', workers=3)
    process.kill()
    process.communicate(timeout=60)
    assert group_is_gone(process)


def test_a_killed_run_unlocks_its_folder_while_its_workers_live(tmp_path):
    process = start(tmp_path / 'run', workers=2, seconds=0.2)
    process.kill()
    process.wait()
    training.train(build(tmp_path / 'run', resume='auto', iterations=1))
    process.communicate(timeout=60)


def test_second_training_in_the_same_folder_is_rejected(tmp_path):
    process = start(tmp_path / 'run', workers=0)
    with pytest.raises(FolderInUseError, match=f'process {process.pid}.* is writing to'):
        training.train(build(tmp_path / 'run', overwrite=True))
    process.kill()
    process.communicate(timeout=60)


def test_sigterm_is_not_handled_in_a_notebook_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(interrupt, 'in_notebook', lambda: True)
    before = signal.getsignal(signal.SIGTERM)
    with interrupt.Interruption():
        assert signal.getsignal(signal.SIGTERM) is before
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler


def test_training_in_a_thread_does_not_handle_signals(tmp_path):
    import threading
    results = []
    thread = threading.Thread(target=lambda: results.append(training.train(build(tmp_path))))
    thread.start()
    thread.join()
    assert results[0].iteration == 20
