"""A minute of damaged files for all readers together, and that the harness sees what goes wrong."""

import os
import random
import signal
import time

import numpy as np
import pytest

from chainer_seg.errors import UserError
from tests.fuzz import pool
from tests.fuzz.__main__ import ALL, report
from tests.fuzz.damage import mutated
from tests.fuzz.readers import made
from tests.fuzz.worker import make_input

SHARE = 60 / len(ALL)  # Seconds for each reader; a slow machine tries less.


@pytest.mark.parametrize('entry', ALL, ids=lambda entry: entry[0].replace(' ', '_'))
def test_damaged_files_are_read_or_are_one_sentence(entry, tmp_path):
    with made([entry]) as readers:
        figures = pool.run(readers, seconds=SHARE, folder=tmp_path)
    assert not figures[entry[0]].others, report(figures)


@pytest.mark.parametrize('entry', ALL, ids=lambda entry: entry[0].replace(' ', '_'))
def test_good_files_are_read(entry, tmp_path):
    with made([entry]) as [reader]:
        reader.prepare(tmp_path / 'good')
        outcomes = []
        for path, _, _ in reader.seeds:
            try:
                reader.read(tmp_path / 'good', path)
                outcomes.append(True)
            except UserError:  # Some good files are of kinds that are refused.
                outcomes.append(False)
    assert any(outcomes)


def test_damage_is_the_same_for_the_same_number():
    with made(ALL[:1]) as [reader]:
        some = [make_input(reader, number) for number in range(50)]
        assert some == [make_input(reader, number) for number in range(50)]
        assert len(set(some)) > 40


@pytest.mark.parametrize('kind', ['json', 'json lines', 'toml', 'text', 'npy', 'zip', 'png', 'bytes'])
def test_damage_of_damage_is_bytes(kind):
    for number in range(200):
        rng = random.Random(number)
        assert isinstance(mutated(rng.randbytes(rng.choice((0, 1, 50))), kind, rng), bytes)


def fake(read):
    def write(folder):
        (folder / 'a.txt').write_text('3 4\n')
    return 'fake', write, lambda folder, path: read((folder / path).read_bytes()), {'a.txt': 'text'}


def outcome(read, inputs=40, **options):
    with made([fake(read)]) as readers:
        return pool.run(readers, inputs=inputs, **options)['fake']


def raise_it(error):
    raise error


def fail_sometimes(action):
    """Reads the good file; does something bad with every other one."""
    return lambda data: None if data == b'3 4\n' else action()


def test_values_and_user_errors_are_no_failures():
    figures = outcome(fail_sometimes(lambda: raise_it(UserError('It is damaged.'))))
    assert not figures.others and figures.values + figures.errors == figures.inputs >= 40
    assert figures.errors > 20


def test_another_exception_is_a_failure_with_its_place(tmp_path):
    figures = outcome(fail_sometimes(lambda: raise_it(KeyError('x'))), folder=tmp_path)
    [(key, count)] = figures.failures.items()
    assert key.startswith('KeyError in ') and count > 20
    number = figures.examples[key][0]
    assert 'KeyError' in (tmp_path / f'fake-{number}.about').read_text()
    assert len(list(tmp_path.glob('*'))) <= 6


def test_a_dead_process_is_a_failure_and_the_rest_goes_on():
    figures = outcome(fail_sometimes(lambda: os.kill(os.getpid(), signal.SIGSEGV)), inputs=10)
    assert figures.failures['the process died (SIGSEGV)'] >= 8 and figures.inputs >= 10


def test_an_input_that_takes_too_long_is_a_failure(monkeypatch):
    monkeypatch.setattr(pool, 'SECONDS', 0.3)

    def hang():
        while True:
            pass

    figures = outcome(fail_sometimes(hang), inputs=3)
    assert figures.failures and all('took more than' in key for key in figures.failures)


def test_waiting_for_a_slow_machine_is_no_failure(monkeypatch):
    monkeypatch.setattr(pool, 'SECONDS', 0.3)
    figures = outcome(fail_sometimes(lambda: time.sleep(1)), inputs=2)
    assert not figures.others


def test_more_than_two_gigabytes_are_a_failure():
    figures = outcome(fail_sometimes(lambda: np.ones(3 << 30, np.uint8)), inputs=5)
    assert any('MemoryError' in key for key in figures.failures)


def test_readers_share_the_time():
    def slow(data):
        time.sleep(0.02)

    quick_entry, slow_entry = fake(len), ('slow', *fake(slow)[1:])
    with made([quick_entry, slow_entry]) as readers:
        figures = pool.run(readers, seconds=6)
    times = [figures[name].seconds for name in ('fake', 'slow')]
    assert min(times) > 0.25 * max(times) and figures['fake'].inputs > figures['slow'].inputs
