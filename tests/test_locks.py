"""One run writes to a folder at a time, and removes what killed runs left there."""

import multiprocessing
import os
import socket
import subprocess
import sys
import textwrap

import pytest

from chainer_seg import files, locks
from chainer_seg.errors import DatasetError, DiskFullError, FolderInUseError
from chainer_seg.files import atomic_write
from chainer_seg.locks import is_empty, remove_unfinished, sole_writer


@pytest.fixture
def elsewhere(repository):
    """``elsewhere(code)``: a process that runs code and then waits, and what it printed first."""
    processes = []

    def start(code):
        process = subprocess.Popen(
            [sys.executable, '-c', textwrap.dedent(code)], cwd=repository, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def holder(folder):
    return f'''
        from chainer_seg.locks import sole_writer
        with sole_writer({str(folder)!r}):
            print('ready', flush=True)
            input()
        '''


def writer(path):
    return f'''
        from chainer_seg.files import atomic_write
        with atomic_write({str(path)!r}) as temporary:
            temporary.write_text('half')
            print(temporary, flush=True)
            input()
        '''


def test_the_folder_is_created_and_empty_afterwards(tmp_path):
    with sole_writer(tmp_path / 'deep' / 'out') as folder:
        assert folder.is_dir() and is_empty(folder)
    assert list(folder.iterdir()) == []


def test_another_run_is_rejected_with_the_folder_and_the_process(elsewhere, tmp_path):
    process, _ = elsewhere(holder(tmp_path))
    sentence = fr'Another run \(process {process.pid}\) is writing to {tmp_path}; wait until it ends'
    with pytest.raises(FolderInUseError, match=sentence), sole_writer(tmp_path):
        pass
    process.communicate('\n')
    with sole_writer(tmp_path):
        pass


def test_a_killed_run_unlocks_its_folder(elsewhere, tmp_path):
    process, _ = elsewhere(holder(tmp_path))
    process.kill()
    process.wait()
    with sole_writer(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_on_another_machine_is_named_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, 'gethostname', lambda: 'there')
    with sole_writer(tmp_path):
        monkeypatch.setattr(socket, 'gethostname', lambda: 'here')
        with pytest.raises(FolderInUseError, match=f'process {os.getpid()} on there'), \
                sole_writer(tmp_path):
            pass


def test_an_error_unlocks_the_folder(tmp_path):
    with pytest.raises(RuntimeError), sole_writer(tmp_path):
        raise RuntimeError
    with sole_writer(tmp_path):
        pass


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(DiskFullError, match='in each other'), sole_writer(tmp_path / 'out'):
        pass


def test_folders_on_file_systems_without_locks_are_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, 'lock', lambda file: None)
    with sole_writer(tmp_path), sole_writer(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='nothing forks here')
def test_a_forked_process_keeps_no_lock(tmp_path):
    context = multiprocessing.get_context('fork')
    event = context.Event()
    with sole_writer(tmp_path):
        child = context.Process(target=event.wait)
        child.start()
    try:
        with sole_writer(tmp_path):
            pass
    finally:
        event.set()
        child.join()


def test_the_lock_stays_with_the_parent_of_a_forked_process(tmp_path):
    with sole_writer(tmp_path):
        child = multiprocessing.get_context('fork').Process(target=int)
        child.start()
        child.join()
        with pytest.raises(FolderInUseError), sole_writer(tmp_path):
            pass


def test_what_a_killed_run_left_is_removed_by_the_next_writer_of_the_folder(
        elsewhere, tmp_path, monkeypatch):
    process, temporary = elsewhere(writer(tmp_path / 'a.txt'))
    assert [str(path) for path in tmp_path.iterdir()] == [temporary]
    process.kill()
    process.wait()
    monkeypatch.setattr(files, '_cleaned', set())
    with atomic_write(tmp_path / 'b.txt') as mine:
        mine.write_text('b')
    assert [path.name for path in tmp_path.iterdir()] == ['b.txt']


def test_what_is_being_written_stays(elsewhere, tmp_path):
    process, temporary = elsewhere(writer(tmp_path / 'a.txt'))
    with sole_writer(tmp_path):
        pass
    remove_unfinished(tmp_path)
    assert os.path.exists(temporary)
    process.communicate('\n')
    assert (tmp_path / 'a.txt').read_text() == 'half'


def test_files_of_the_user_stay(tmp_path):
    names = {'.hidden.png', '.a-12345678.png', 'a.unfinished.png', '.a'}
    for name in names:
        (tmp_path / name).touch()
    with sole_writer(tmp_path):
        assert not is_empty(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == names


def test_folder_in_use_is_handled_where_other_faults_of_folders_are():
    assert issubclass(FolderInUseError, DatasetError)
