"""Damaged files of TensorFlow and kaffe: a value or the one error, whatever was changed."""

import collections
import pathlib
import shutil
import struct
import time

import google_crc32c
import numpy as np
import pytest

import converters
from chainer_seg.errors import UserError, WeightFileError
from converters import trees
from converters.formats import kaffe, tensorflow
from tests.converters.formats import tensorflow_writer
from tests.converters.formats.test_damage import changed

DATA = pathlib.Path(__file__).parent / 'data' / 'tensorflow'
VERSION_1 = ['types_v1.ckpt', 'training_v1.ckpt', 'click_v1.ckpt']
INDEXES = ['types.index', 'training.index', 'packed.index', 'semantic.index']
KAFFE = ['kaffe_python2.npy', 'kaffe_python3.npy']
LONGEST = 30  # Seconds that a single file may take, on a busy machine.


@pytest.fixture
def outcome(tmp_path):
    """A function that reads a changed copy of a file: whether there is a value, or the error."""
    shutil.copytree(DATA, tmp_path / 'genuine')
    for shard in range(3):
        name = f'data-0000{shard}-of-00003'
        shutil.copy(DATA / f'training.{name}', tmp_path / 'genuine' / f'packed.{name}')

    def read(name, data, module=tensorflow, index=None):
        path = tmp_path / 'genuine' / name
        path.write_bytes(data)
        begin = time.monotonic()
        try:
            tree = module.read(path.with_name(index or name))
            for array in trees.named_arrays(tree).values():
                array.sum()
            return 'value'
        except WeightFileError as error:
            assert path.stem.split('.')[0] in str(error) and '\n' not in str(error)
            return 'error'
        finally:
            assert time.monotonic() - begin < LONGEST

    with np.errstate(all='ignore'):
        yield read


def with_checksums(data):
    """The bytes of a table with right checksums, so that its content is read."""
    data, at = bytearray(data), 0
    places = _handles(data[-48:], 2)
    content = data[places[1][0]:sum(places[1])]
    while at < len(content) - 8 and content[at] == 0:
        handle = at + 3 + content[at + 1]
        places += _handles(content[handle:], 1)
        at = handle + content[at + 2]
    for begin, size in places:
        if begin + size + 5 <= len(data) - 48:
            checksum = google_crc32c.value(bytes(data[begin:begin + size + 1]))
            checksum = ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
            data[begin + size + 1:begin + size + 5] = struct.pack('<I', checksum)
    return bytes(data)


def _handles(data, count):
    numbers, value, shift = [], 0, 0
    for byte in data:
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            numbers, value, shift = [*numbers, value], 0, 0
    return list(zip(numbers[::2], numbers[1::2]))[:count]


def test_genuine_tables_already_have_the_right_checksums():
    for name in (*VERSION_1, *INDEXES):
        assert with_checksums((DATA / name).read_bytes()) == (DATA / name).read_bytes()


@pytest.mark.parametrize('name', VERSION_1 + INDEXES)
def test_a_table_cut_anywhere_is_an_error(outcome, name):
    data = (DATA / name).read_bytes()
    sizes = range(1, len(data), max(len(data) // 60, 1))
    assert {outcome(name, data[:size]) for size in sizes} == {'error'}
    print(f'{name}: {len(sizes)} cut files, each an error')


@pytest.mark.parametrize('name', VERSION_1 + INDEXES)
def test_a_changed_table_is_an_error_by_its_checksums(outcome, name, rng):
    data, counts = (DATA / name).read_bytes(), collections.Counter()
    for _ in range(60):
        counts[outcome(name, changed(data, rng, len(data)))] += 1
    # What is changed in the padding of the footer, or not at all, matters to nobody.
    assert counts['error'] >= 50
    print(f'{name}: {dict(counts)}')


@pytest.mark.parametrize('name', VERSION_1 + INDEXES)
def test_a_changed_table_with_right_checksums_gives_a_value_or_the_error(outcome, name, rng):
    data, counts = (DATA / name).read_bytes(), collections.Counter()
    places = np.concatenate([np.arange(min(len(data), 2000)), np.arange(len(data) - 300, len(data))])
    places = places[(places >= 0) & (places < len(data) - 48)]
    for _ in range(150):
        counts[outcome(name, with_checksums(changed(data, rng, places)))] += 1
    assert sum(counts.values()) == 150 and counts['error'] > 20
    print(f'{name}: {dict(counts)}')


@pytest.mark.parametrize('name', ['training.data-00001-of-00003', 'types.data-00000-of-00001'])
def test_a_changed_shard_is_an_error_by_its_checksums(outcome, name, rng):
    data, counts = (DATA / name).read_bytes(), collections.Counter()
    for _ in range(40):
        damaged = changed(data, rng, len(data))
        found = outcome(name, damaged, index=f'{name.split(".")[0]}.index')
        counts[found] += 1
        assert found == ('value' if damaged == data else 'error')
    assert counts['error'] > 30
    print(f'{name}: {dict(counts)}')


@pytest.mark.parametrize('name', KAFFE)
def test_a_changed_dict_of_layers_gives_a_value_or_the_error(outcome, name, rng):
    data, counts = (DATA / name).read_bytes(), collections.Counter()
    for size in range(1, len(data), 17):
        assert outcome(name, data[:size], kaffe) == 'error'
    for _ in range(300):
        counts[outcome(name, changed(data, rng, len(data)), kaffe)] += 1
    assert sum(counts.values()) == 300 and min(counts.values()) > 20
    print(f'{name}: {dict(counts)}')


def test_made_up_tables_are_errors(outcome, rng):
    for size in range(1, 200, 7):
        content = rng.bytes(size)
        assert outcome('types_v1.ckpt', tensorflow_writer.table([(b'', content)])) == 'error'
        assert outcome('types_v1.ckpt', content + tensorflow_writer.MAGIC) == 'error'


@pytest.mark.slow
@pytest.mark.parametrize('name', ['click_v1.ckpt', 'semantic.index'])
def test_a_changed_network_gives_a_model_or_the_error(tmp_path, name, rng):
    for file in DATA.glob(name.split('.')[0] + '*'):
        shutil.copy(file, tmp_path)
    data, counts = (DATA / name).read_bytes(), collections.Counter()
    for _ in range(12):
        (tmp_path / name).write_bytes(with_checksums(changed(data, rng, 4000)))
        try:
            with np.errstate(all='ignore'):
                assert converters.convert(tmp_path / name).count_params() > 0
            counts['model'] += 1
        except UserError as error:
            assert '\n' not in str(error)
            counts['error'] += 1
    assert sum(counts.values()) == 12
    print(f'{name}: {dict(counts)}')
