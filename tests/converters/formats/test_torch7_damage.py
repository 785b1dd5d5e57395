"""Damaged Torch7 files: one clear error, no hang, no memory, whatever was cut, flipped or made up."""

import os
import struct
import tracemalloc

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import converters
from chainer_seg.errors import WeightFileError
from converters.formats import torch7, torch7_writer
from converters.formats.torch7_values import Function, Object, Storage, Table, Tensor
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / 'formats' / 'torch7'
MODEL = FOLDER / 'models' / 'deepmask_tiny.t7'

# Objects of a few values cost more than their bytes in a file; this much is no sign of a lie.
OBJECTS_COST = 400_000

FUZZ = hypothesis.settings(deadline=None, suppress_health_check=list(hypothesis.HealthCheck))


def sample():
    """A value with every kind of object in it."""
    flat = np.arange(12, dtype=np.float32)
    table = Table({'name': 'x', 2: True, True: 'y', 'flat': flat, 'view': flat[2:8].reshape(2, 3),
                   'long': np.arange(3), 'bytes': np.arange(4, dtype=np.uint8),
                   'object': Object('nn.Linear', Table({'weight': np.ones((2, 2))})),
                   'function': Function(b'\x1bLJ code', Table({1: 2.5})),
                   'hash': Object('tds.Hash', Table({'cat': 1})),
                   'vec': Object('tds.Vec', Table({1: 2.5, 2: 'x'}))})
    table['self'] = table
    return table


@pytest.fixture(params=[False, True], ids=['binary', 'ascii'])
def intact(request, tmp_path):
    """The bytes of a file with every kind of object."""
    torch7_writer.write(tmp_path / 'intact.t7', sample(), ascii=request.param)
    return (tmp_path / 'intact.t7').read_bytes()


def read_bytes(folder, data):
    path = folder / 'damaged.t7'
    path.write_bytes(data)
    return torch7.read(path)


def outcome(folder, data):
    """True where data was read, False where it gave the one error; every other error passes through.

    Reading must not cost more than twice the file, apart from the objects themselves.
    """
    tracemalloc.start()
    try:
        read_bytes(folder, data)
        return True
    except WeightFileError as error:
        assert 'damaged.t7' in str(error)
        return False
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2 * len(data) + OBJECTS_COST


def test_a_binary_file_cut_anywhere_is_an_error_with_the_place(tmp_path):
    torch7_writer.write(tmp_path / 'intact.t7', sample())
    data = (tmp_path / 'intact.t7').read_bytes()
    for size in range(4, len(data)):
        with pytest.raises(WeightFileError, match=r'damaged.t7 is damaged or truncated: at byte \d+ .* '
                                                  r'was expected, but'):
            read_bytes(tmp_path, data[:size])


@pytest.mark.parametrize('path', sorted((FOLDER / 'formats').glob('*.t7')), ids=lambda path: path.name)
def test_a_genuine_file_cut_anywhere_is_an_error(path, tmp_path):
    copy = tmp_path / 'damaged.t7'
    copy.write_bytes(path.read_bytes())
    size = path.stat().st_size
    for kept in range(size - 1, 0, -1 - size // 600):
        os.truncate(copy, kept)
        with pytest.raises(WeightFileError, match='damaged.t7'):
            torch7.read(copy)


def test_whatever_byte_is_changed_there_is_a_value_or_the_error(tmp_path, intact, rng):
    outcomes = set()
    for at in range(len(intact)):
        changed = bytearray(intact)
        changed[at] ^= int(rng.integers(1, 256))
        outcomes.add(outcome(tmp_path, bytes(changed)))
    assert outcomes == {True, False}


@pytest.mark.parametrize('lie', [-1, 1 << 20, (1 << 31) - 1, -(1 << 31), (1 << 62) + 1, -(1 << 63)])
def test_no_length_is_believed(tmp_path, lie):
    """Every third place of a binary file in turn holds a number that no length there can have."""
    torch7_writer.write(tmp_path / 'intact.t7', sample())
    data = (tmp_path / 'intact.t7').read_bytes()
    form = '<i' if -(1 << 31) <= lie < 1 << 31 else '<q'
    width = struct.calcsize(form)
    for at in range(4, len(data) - width, 3):
        outcome(tmp_path, data[:at] + struct.pack(form, lie) + data[at + width:])


def test_no_length_in_an_ascii_file_is_believed(tmp_path):
    torch7_writer.write(tmp_path / 'intact.t7', sample(), ascii=True)
    lines = (tmp_path / 'intact.t7').read_bytes().split(b'\n')
    for number in range(1, len(lines)):
        for lie in (b'-1', b'2147483647', b'4611686018427387905', b'9' * 19, b'1_0', b'1e9', b'nan'):
            outcome(tmp_path, b'\n'.join([*lines[:number], lie, *lines[number + 1:]]))


@FUZZ
@hypothesis.given(st.data())
def test_a_model_file_with_changed_bytes_gives_a_value_or_the_error(tmp_path_factory, data):
    if not MODEL.exists():
        pytest.skip('the Torch7 files of ../shared/data are not here')
    changed = bytearray(MODEL.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(4, len(changed) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp('fuzz') / 'damaged.t7'
    path.write_bytes(changed)
    try:
        assert converters.convert(path).count_params() > 0
    except WeightFileError as error:
        assert str(path) in str(error)


@FUZZ
@hypothesis.given(st.binary(max_size=200), st.integers(0, 8))
def test_made_up_bytes_give_a_value_or_the_error(tmp_path_factory, data, tag):
    folder = tmp_path_factory.mktemp('fuzz')
    outcome(folder, bytes([tag, 0, 0, 0]) + data)
    outcome(folder, b'%d\n' % tag + data)


def nested(depth):
    """A binary file of tables in tables, the innermost empty."""
    levels = b''.join(struct.pack('<iiiid', 3, index, 1, 1, 1.0) for index in range(1, depth))
    return levels + struct.pack('<iii', 3, depth, 0)


def test_nesting_may_be_deeper_than_python_recurses(tmp_path):
    value, depth = read_bytes(tmp_path, nested(4000)), 0
    while value:
        value, depth = value[1], depth + 1
    assert depth == 3999


def test_a_deeply_nested_value_is_written_back(tmp_path):
    value = read_bytes(tmp_path, nested(4000))
    torch7_writer.write(tmp_path / 'again.t7', value)
    assert (tmp_path / 'again.t7').read_bytes() == nested(4000)


def test_endless_nesting_is_an_error(tmp_path):
    with pytest.raises(WeightFileError, match='5000 others are open around it'):
        read_bytes(tmp_path, nested(1_000_000))


def test_bytes_behind_the_value_are_an_error(tmp_path):
    with pytest.raises(WeightFileError, match='end of the file was expected, but 3 bytes follow'):
        read_bytes(tmp_path, struct.pack('<id', 1, 2.5) + b'abc')
    with pytest.raises(WeightFileError, match='end of the file'):
        read_bytes(tmp_path, b'1\n2.5\nabc')


def tensor(**changed):
    """A tensor that fits its storage of six values, apart from what is changed."""
    fields = {'storage': Storage('torch.FloatStorage', np.arange(6, dtype=np.float32)),
              'offset': 0, 'shape': (2, 3), 'strides': (3, 1), **changed}
    return Tensor('torch.FloatTensor', **fields)


@pytest.mark.parametrize('ascii', [False, True])
@pytest.mark.parametrize('changed, problem', [
    ({'shape': (3, 3)}, 'reaches to element 9 of a storage of 6'),
    ({'strides': (4, 1)}, 'reaches to element 7 of a storage of 6'),
    ({'strides': (1 << 62, 1)}, 'of a storage of 6'),
    ({'offset': 1}, 'reaches to element 7 of a storage of 6'),
    ({'offset': -1}, 'its offset is -1'),
    ({'strides': (-3, 1)}, 'strides are (-3, 1)'),
    ({'shape': (-2, 3)}, 'shape is (-2, 3)'),
    ({'shape': (1 << 40, 1 << 40), 'strides': (0, 0)}, 'is too large for an array'),
    ({'shape': (0, 3)}, 'shape is (0, 3)'),
    ({'storage': None}, 'of a storage of 0'),
    ({'storage': 'text'}, "its storage is 'text'"),
    ({'storage': Storage('torch.DoubleStorage', np.zeros(6))}, 'lies in a torch.DoubleStorage'),
    ({'shape': (1,) * 33, 'strides': (1,) * 33}, '0 to 32 dimensions'),
])
def test_a_tensor_outside_its_storage_is_an_error(tmp_path, ascii, changed, problem):
    torch7_writer.write(tmp_path / 'a.t7', tensor(**changed), ascii=ascii)
    with pytest.raises(WeightFileError) as caught:
        torch7.read(tmp_path / 'a.t7')
    assert problem in str(caught.value) and 'byte' in str(caught.value)


def test_an_expanded_tensor_is_a_view_that_takes_no_memory(tmp_path):
    torch7_writer.write(tmp_path / 'a.t7', tensor(shape=(1 << 40, 6), strides=(0, 1)))
    assert torch7.read(tmp_path / 'a.t7').array[1 << 39].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_tensor_that_is_its_own_storage_is_an_error(tmp_path):
    knot = tensor()
    knot.storage = knot
    torch7_writer.write(tmp_path / 'a.t7', knot)
    with pytest.raises(WeightFileError, match='its storage is <torch.FloatTensor'):
        torch7.read(tmp_path / 'a.t7')


@pytest.mark.parametrize('data, expected', [
    (struct.pack('<iiiii', 3, 1, 1, 0, 0), 'the key of a table was expected, but there is nil'),
    (struct.pack('<ii', 5, 2), 'a boolean, 0 or 1, was expected, but there is 2'),
    (struct.pack('<iiiii', 3, 1, 1, 9, 0), 'a type number from 0 to 8 was expected, but there is 9'),
    (struct.pack('<iii', 3, 1, -1), 'the length of a table was expected, but there is -1'),
    (b'1\ntwo\n', "a number was expected, but there is b'two'"),
    (b'1\n2.5', "a number was expected, but there is b'2.5'"),
    (b'2\n3\nabc', 'a line feed after bytes was expected, but there is none'),
    (b'2\n5\nabc', 'a string was expected, but its length is 5 and the file has 3 bytes left'),
])
def test_the_error_says_what_was_expected(tmp_path, data, expected):
    with pytest.raises(WeightFileError, match=expected):
        read_bytes(tmp_path, data)
