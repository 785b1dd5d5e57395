"""Kept results: what a run leaves, however it ends, what the next one makes of it, and what is refused."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zlib

import msgspec
import pytest

from chainer_seg.errors import DatasetError, DiskFullError, FolderInUseError, ImageError, UserError
from chainer_seg.jobs import Results
from tests.folders import kept, names_in

SETTINGS = {'model': 'abc', 'scales': (1, 0.5), 'crf': None}
ROW = list[int | float]


def square(number):
    return [number ** 2, number / 3]


def fill(folder, numbers=range(4), compute=square, settings=SETTINGS, **options):
    """The rows of a run."""
    with Results(folder, settings, ROW, **options) as results:
        return dict(results.rows(numbers, compute, progress=False))


def fails_at(place, error):
    def compute(number):
        if number == place:
            raise error
        return square(number)
    return compute


def never(number):
    raise AssertionError(f'image {number} was computed')


def test_rows_are_those_computed_and_are_kept(tmp_path):
    expected = {number: square(number) for number in range(4)}
    assert fill(tmp_path / 'a') == expected
    settings, rows = kept(tmp_path / 'a' / 'results.sqlite')
    assert rows == expected and settings == {'model': 'abc', 'scales': [1, 0.5], 'crf': None}


def test_the_next_run_computes_the_rest_in_the_order_of_the_images(tmp_path):
    fill(tmp_path, (1, 3))
    computed = []

    def compute(number):
        computed.append(number)
        return square(number)
    assert list(fill(tmp_path, compute=compute).items()) == [
        (number, square(number)) for number in range(4)]
    assert computed == [0, 2]


def test_without_a_folder_nothing_is_kept_and_rows_are_as_computed():
    row = object()
    assert fill(None, range(2), lambda number: row) == {0: row, 1: row}


def test_each_row_is_kept_before_the_next_is_computed(tmp_path):
    seen = []

    def compute(number):
        copy = tmp_path / f'copy {number}'
        shutil.copytree(tmp_path / 'out', copy)
        seen.append(set(kept(copy / 'results.sqlite')[1]))
        return square(number)
    fill(tmp_path / 'out', compute=compute)
    assert seen == [set(), {0}, {0, 1}, {0, 1, 2}]


@pytest.mark.parametrize('interrupt', [KeyboardInterrupt, SystemExit])
def test_an_interrupted_run_keeps_what_is_done(tmp_path, interrupt):
    with pytest.raises(interrupt):
        fill(tmp_path, compute=fails_at(2, interrupt()))
    assert kept(tmp_path / 'results.sqlite')[1] == {0: square(0), 1: square(1)}


def test_an_interrupted_run_says_how_far_it_got(tmp_path):
    with pytest.raises(KeyboardInterrupt, match='^2 of 4 images are done; the same command resumes$'):
        fill(tmp_path, compute=fails_at(2, KeyboardInterrupt()))


def test_images_that_cannot_be_used_are_passed_over_and_computed_by_the_next_run(tmp_path):
    errors, error = {}, ImageError('The image is damaged.')
    with Results(tmp_path, SETTINGS, ROW) as results:
        found = dict(results.rows(range(4), fails_at(2, error), progress=False,
                                  on_error=errors.__setitem__))
    assert list(found) == [0, 1, 3] and errors == {2: error}
    assert fill(tmp_path, compute=lambda number: [number]) == {
        number: [2] if number == 2 else square(number) for number in range(4)}


def test_the_bar_counts_what_is_left(tmp_path, capsys):
    fill(tmp_path, range(3))
    with Results(tmp_path, SETTINGS, ROW) as results:
        list(results.rows(range(4), square, title='squaring'))
    assert 'squaring' in (text := capsys.readouterr().err) and '75%' in text and '4/4' in text


def test_forgotten_rows_are_computed_again(tmp_path):
    fill(tmp_path)
    with Results(tmp_path, SETTINGS, ROW) as results:
        results.forget([1, 2])
        assert results.done == {0, 3}
        found = dict(results.rows(range(4), lambda number: [number], progress=False))
    assert found == {0: square(0), 1: [1], 2: [2], 3: square(3)}


def test_other_settings_are_refused_or_start_over(tmp_path):
    fill(tmp_path)
    (tmp_path / 'a.json').write_text('old')
    (tmp_path / 'mine.json').write_text('mine')
    other, files = {**SETTINGS, 'crf': 'deeplab'}, {'files': lambda: [tmp_path / 'a.json']}
    with pytest.raises(DatasetError, match='results of other settings .crf is None there and deeplab here'):
        fill(tmp_path, settings=other, **files)
    assert fill(tmp_path, (7,), settings=other, overwrite=True, **files) == {7: square(7)}
    assert kept(tmp_path / 'results.sqlite')[1] == {7: square(7)}
    assert not (tmp_path / 'a.json').exists() and (tmp_path / 'mine.json').exists()


def test_long_settings_are_quoted_in_short(tmp_path):
    fill(tmp_path, settings={'a': 'x\n' * 10_000})
    with pytest.raises(DatasetError, match='other settings') as caught:
        fill(tmp_path, settings={'a': 1})
    assert len(str(caught.value)) < 600 and '\n' not in str(caught.value)


def test_settings_are_written_as_json(tmp_path):
    with Results(tmp_path, SETTINGS, ROW) as results:
        results.write_settings()
    assert json.loads((tmp_path / 'settings.json').read_text()) == {
        'model': 'abc', 'scales': [1, 0.5], 'crf': None}


def test_scratch_results_vanish_when_the_work_is_done(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, compute=fails_at(2, KeyboardInterrupt()), scratch=True)
    assert fill(tmp_path, range(2), never, scratch=True) == {0: square(0), 1: square(1)}
    assert not list(tmp_path.iterdir())


def test_scratch_results_of_other_settings_are_discarded(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path, compute=fails_at(2, KeyboardInterrupt()), scratch=True)
    assert fill(tmp_path, range(1), lambda number: [7], {'model': 'b'}, scratch=True) == {0: [7]}


@pytest.mark.parametrize('name', ['a.json', 'journal.jsonl', 'journal-000001.jsonl'])
def test_results_of_an_earlier_version_are_refused_or_replaced(tmp_path, name):
    (tmp_path / name).write_text('{}')
    files = {'files': lambda: [tmp_path / 'a.json']}
    with pytest.raises(DatasetError, match='holds results without results.sqlite, such as those of an '
                                           'earlier version, which cannot be resumed'):
        fill(tmp_path, **files)
    assert names_in(tmp_path) == [name]
    fill(tmp_path, overwrite=True, **files)
    assert names_in(tmp_path) == ['results.sqlite']


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / 'a').write_text('')
    with pytest.raises(DatasetError, match='is a file; name a folder'):
        fill(tmp_path / 'a')


def test_temporary_files_of_killed_runs_are_removed(tmp_path):
    (tmp_path / '.segm-x7k2.unfinished.json').write_text('[')
    fill(tmp_path)
    assert names_in(tmp_path) == ['results.sqlite']


def test_two_runs_in_one_folder_are_refused(tmp_path):
    def compute(number):
        with pytest.raises(FolderInUseError, match=f'Another run is writing to {tmp_path}; wait'):
            fill(tmp_path, overwrite=number == 1)
        return square(number)
    fill(tmp_path, range(2), compute)
    assert len(fill(tmp_path, range(2), never)) == 2


HOLD = '''
import sys, time
from chainer_seg.jobs import Results
with Results(sys.argv[1], {'model': 'abc', 'scales': [1, 0.5], 'crf': None}, list[int | float]) as results:
    for number, row in results.rows(range(2), lambda number: [number], progress=False):
        pass
    print('holding', flush=True)
    time.sleep(60)
'''


@pytest.mark.skipif(os.name == 'nt', reason='there is no SIGKILL there')
def test_a_killed_run_leaves_its_rows_and_no_lock(tmp_path):
    with subprocess.Popen([sys.executable, '-c', HOLD, tmp_path], stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout.readline() == 'holding\n'
        with pytest.raises(FolderInUseError):
            fill(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert fill(tmp_path, range(3), fails_at(0, AssertionError())) == {0: [0], 1: [1], 2: square(2)}


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path):
    resource = pytest.importorskip('resource')
    limits, done = resource.getrlimit(resource.RLIMIT_FSIZE), []

    def compute(number):
        done.append(number)
        return [number] * 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(DiskFullError, match='results.sqlite could not be written: the disk is full'):
            fill(tmp_path, range(10_000), compute)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    *finished, last = done
    assert len(finished) > 3
    again = fill(tmp_path, done, lambda number: [number])
    assert again == {**{number: [number] * 20_000 for number in finished}, last: [last]}


def test_a_folder_in_the_place_of_the_file_is_one_sentence(tmp_path):
    (tmp_path / 'results.sqlite').mkdir()
    with pytest.raises(DiskFullError, match='results.sqlite could not be written'):
        fill(tmp_path)


@pytest.mark.parametrize('content', [
    b'text' * 500, b'SQLite format 3\0' + bytes(4080), b'SQLite format 3\0' + b'\xff' * 4080])
def test_another_file_is_one_sentence_and_is_left_alone(tmp_path, content):
    path = tmp_path / 'results.sqlite'
    path.write_bytes(content)
    for overwrite in (False, True):
        with pytest.raises(UserError, match='results.sqlite cannot be used, because .*; remove it, or'):
            fill(tmp_path, overwrite=overwrite)
        assert path.read_bytes() == content


@pytest.mark.parametrize('statement', [
    'CREATE TABLE mine (a)', 'DROP TABLE settings', 'CREATE VIEW results2 AS SELECT 1',
    "ALTER TABLE results ADD COLUMN more TEXT DEFAULT ''"])
def test_a_database_of_other_tables_is_refused(tmp_path, statement):
    fill(tmp_path)
    change(tmp_path, statement)
    with pytest.raises(UserError, match='cannot be used, because its tables are others'):
        fill(tmp_path, overwrite=True)


def change(folder, statement, *arguments):
    database = sqlite3.connect(folder / 'results.sqlite')
    with database:
        database.execute(statement, arguments)
    database.close()


def packed(value):
    return zlib.compress(msgspec.msgpack.encode(value))


@pytest.mark.parametrize('value', [
    b'', b'x', 3, 'text', packed([1, 2])[:-1], packed({'a': 1}), packed(['text']), zlib.compress(b'\xc1'),
    zlib.compress(b'\x91' * 100_000), zlib.compress(bytes(1 << 29))])
def test_a_damaged_row_is_one_sentence(tmp_path, value):
    fill(tmp_path)
    change(tmp_path, 'UPDATE results SET value = ? WHERE number = 2', value)
    with pytest.raises(UserError, match='what it has of image 3 is damaged'):
        fill(tmp_path)


@pytest.mark.parametrize('value', ['{', '[' * 9999, b'\xff'])
def test_damaged_settings_are_one_sentence(tmp_path, value):
    fill(tmp_path)
    change(tmp_path, "UPDATE settings SET value = ? WHERE name = 'model'", value)
    with pytest.raises(UserError, match='its settings cannot be read'):
        fill(tmp_path)


def test_an_error_in_a_kept_row_is_not_taken_for_one_in_an_image(tmp_path):
    fill(tmp_path)
    change(tmp_path, 'UPDATE results SET value = ? WHERE number = 2', b'')
    with Results(tmp_path, SETTINGS, ROW) as results, pytest.raises(UserError, match='damaged'):
        list(results.rows(range(4), never, progress=False, on_error=lambda number, error: None))
