"""Pickles taken apart: plain values as Python gives them; whatever else a pickle asks for is refused."""

import collections
import os
import pickle
import subprocess
import time
import tracemalloc

import numpy as np
import pytest

from chainer_seg.errors import WeightFileError
from converters.formats import detectron, pickled_arrays, pickles
from converters.formats.pickle_values import ordered_dict
from converters.formats.pickles import Machine

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
NAMES = {'collections.OrderedDict': ordered_dict}

MARKER = 'the-pickle-was-run'


def load(data, names=NAMES):
    return Machine(data, 'file.pkl', names).load_last()


class Call:
    """Pickled, it is a call of a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder in which nothing may appear."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('value', [
    None, True, False, 0, 255, 65535, -1, 2 ** 31, -2 ** 40, 2 ** 100, 1.5, -0.0, 'text',
    'naïve \n"\'\\', '\U0001f600', 'x' * 300, (), (1,), (1, 2), (1, 2, 3), tuple(range(9)), [],
    [1], [1, [2, ['three']]], {}, {'a': 1}, {'a': {'b': (1, 2)}, 3: None, 2.5: [], True: 'yes', None: 0},
    collections.OrderedDict(b=1, a=2)], ids=repr)
def test_plain_values_are_those_of_python(protocol, value):
    read = load(pickle.dumps(value, protocol))
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_what_is_referred_to_twice_is_one_object(protocol):
    shared = ['shared']
    cycle = {'a': shared, 'b': shared}
    cycle['self'] = cycle
    read = load(pickle.dumps(cycle, protocol))
    assert read['a'] is read['b'] and read['self'] is read


def test_strings_of_python_2_are_latin_1_text_and_long_ones_bytes():
    assert load(b'U\x03a\xe9\n.') == 'aé\n'
    assert load(b"S'a\\xe9\\n'\n.") == 'aé\n'
    assert bytes(load(b'T\x02\0\0\0a\xe9.')) == b'a\xe9'


@pytest.mark.parametrize('protocol', PROTOCOLS)
@pytest.mark.parametrize('function, arguments', [
    (os.system, (f'touch {MARKER}',)), (eval, (f'open("{MARKER}", "w")',)),
    (exec, (f'open("{MARKER}", "w")',)), (open, (MARKER, 'w')), (os.mkdir, (MARKER,)),
    (subprocess.call, (['touch', MARKER],)), (getattr, (os, 'system')), (__import__, ('os',)),
    (collections.Counter, ())], ids=lambda value: getattr(value, '__name__', ''))
def test_every_other_name_is_refused_by_its_name(folder, protocol, function, arguments):
    try:
        data = pickle.dumps(Call(function, *arguments), protocol)
    except TypeError:  # Modules cannot be pickled; the name alone will do.
        data = pickle.dumps(function, protocol)
    for hidden in (data, pickle.dumps({'blobs': {'conv1_w': Call(function)}}, protocol)):
        (folder / 'file.pkl').write_bytes(hidden)
        with pytest.raises(WeightFileError, match=rf'requests \w+\.{function.__name__}, which') as caught:
            detectron.read(folder / 'file.pkl')
        assert 'nothing in it was run' in str(caught.value)


@pytest.mark.parametrize('data, name', [
    (b'cos\nsystem\n(S"touch X"\ntR.', 'os.system'),
    (b'(S"touch X"\nios\nsystem\n.', 'os.system'),  # INST
    (b'(cos\nsystem\nS"touch X"\no.', 'os.system'),  # OBJ
    (b'\x80\x02cos\nsystem\nX\x07\0\0\0touch X\x85\x81.', 'os.system'),  # NEWOBJ
    (b'\x80\x04cos\nsystem\nX\x07\0\0\0touch X\x85}\x92.', 'os.system'),  # NEWOBJ_EX
    (b'\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x07touch X\x85R.', 'os.system'),  # STACK_GLOBAL
    (b'\x80\x04\x8c\x08builtins\x8c\x0bgetattr.foo\x93.', 'builtins.getattr.foo'),
    # A name that is put together from the memo, and a call in the arguments of a call.
    (b'\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93.', 'os.system'),
    (b'ccollections\nOrderedDict\n(cos\nsystem\n(S"touch X"\ntRtR.', 'os.system'),
    (b'c__builtin__\neval\n.', '__builtin__.eval'), (b'cnumpy\nload\n.', 'numpy.load'),
    (b'c os\nsystem\n.', 'os.system'), (b'c\xff\n\x00\n.', r"'�\.\\x00'")])
def test_no_encoding_of_a_name_evades_the_check(data, name):
    with pytest.raises(WeightFileError, match=rf'refused: at byte \d+ it requests {name}, which'):
        load(data)


@pytest.mark.parametrize('data, what', [
    (b'Pid\n.', 'an object that lies outside the pickle'),
    (b'X\x02\0\0\0idQ.', 'an object that lies outside the pickle'),
    (b'\x80\x02\x82\x01.', 'extension registry'), (b'\x80\x02\x83\x01\0.', 'extension registry'),
    (b'\x80\x02\x84\x01\0\0\0.', 'extension registry'),
    (b'}}b.', 'a state for a dict'), (b']}b.', 'a state for a list'), (b'K\x01}b.', 'a state for a int'),
    (b'ccollections\nOrderedDict\n}b.', 'a state for a function'),
    (b'K\x01)R.', 'a call of a int'), (b'X\x06\0\0\0system)R.', 'a call of a str'),
    (b'ccollections\nOrderedDict\n]R.', 'a call of a function')])
def test_every_other_operation_is_refused(data, what):
    with pytest.raises(WeightFileError, match=f'it requests .*{what}, which is not needed'):
        load(data)


def test_attributes_of_an_ordered_dict_are_ignored():
    value = load(b'ccollections\nOrderedDict\n)R}X\x06\0\0\0updateX\x01\0\0\0xsb.')
    assert value == {} and not vars(value)


@pytest.mark.parametrize('data, problem', [
    (b'', 'an opcode was expected, but it has 1 bytes and the file has 0 left'),
    (b'K', 'a number was expected'), (b'X\xff\xff\xff\x7fabc.', 'it has 2147483647 bytes and the file'),
    (b'X\xff\xff\xff\xffabc.', 'it has 4294967295 bytes and the file has 4 left'),
    (b'\x8e' + b'\xff' * 8 + b'abc.', 'it has 18446744073709551615 bytes'),
    (b'\x8b\xff\xff\xff\x7fabc.', 'it has 2147483647 bytes'),
    (b'\x8a\xff' + b'\0' * 255 + b'.', '255 bytes'),
    (b'I' + b'9' * 5000 + b'\n.', 'its end is missing'), (b'I12', 'its end is missing'),
    (b'Ione\n.', 'invalid literal for int'), (b'F1.2.3\n.', 'could not convert string'),
    (b'Sabc\n.', 'a quoted string was expected'), (b'\xee.', r"an opcode of a pickle was expected"),
    (b'.', '0 values are left over'), (b'NN.', '2 values are left over'), (b'N.N', '1 bytes follow'),
    (b'(.', 'a value before it was expected'), (b't.', 'a mark before it was expected'),
    (b'0.', 'a value before it'), (b'h\x05.', 'nothing is in its place 5'),
    (b'\x85.', 'a value before it'), (b'a.', 'a value before it'),
    (b'Na.', 'a list before it was expected, but there is a NoneType'),
    (b'](NNe(NNu.', 'a dict before it was expected, but there is a list'),
    (b'}(Nu.', 'keys and values in pairs'), (b'}]Ns.', 'a key of a dict is a list'),
    (b'})Ns.', 'a key of a dict is a tuple'),
    (b'}\x8a\x10' + b'\x7f' * 16 + b'Ns.', 'a key of a dict is a int'),
    (b'X\x01\0\0\0\xff.', "can't decode byte"), (b'NN\x93.', 'the text of a name')])
def test_a_damaged_pickle_is_one_error_with_the_place(data, problem):
    with pytest.raises(WeightFileError, match=rf'truncated: at byte \d+ .*({problem})'):
        load(data)


def test_an_unknown_protocol_is_named():
    with pytest.raises(WeightFileError, match='is a pickle of protocol 9, which is unknown'):
        load(b'\x80\x09N.')


def costs(data, names=NAMES):
    """The most memory in bytes, and the seconds, that reading took."""
    tracemalloc.start()
    begin = time.monotonic()
    try:
        load(data, names)
    except WeightFileError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak, time.monotonic() - begin


@pytest.mark.parametrize('data', [
    b'Nr\xff\xff\xff\xff.', b'Nr\xff\xff\xff\x0f.', b'Np99999999999\n.',  # a place far down the memo
    b'T\xff\xff\xff\x7f', b'\x96\xff\xff\xff\xff\xff\xff\x00\x00', b'\x8d' + b'\xff' * 7 + b'\0',
    b'\x95' + b'\xff' * 8 + b'N.'], ids=repr)
def test_no_length_takes_memory(data):
    assert costs(data)[0] < 100_000


@pytest.mark.parametrize('data', [
    b')' + b'2\x86' * 90 + b'.', b']' + b'q\x002ah\x00' * 90 + b'.',
    b'})' + b'2\x86' * 90 + b'Ns.', b'X\x01\0\0\0a' + b'2\x86' * 90 + b'.'], ids=repr)
def test_nests_that_double_at_every_level_cost_no_more_than_their_bytes(data):
    peak, seconds = costs(data)
    assert peak < 200_000 and seconds < 5


def test_deep_nests_need_no_deep_stack():
    value, depth = load(b']' * 100_000 + b'a' * 99_999 + b'.'), 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 99_999


def test_the_number_of_opcodes_is_limited(monkeypatch):
    monkeypatch.setattr(pickles, '_MOST_OPCODES', 1000)
    with pytest.raises(WeightFileError, match='it has more than 1000 opcodes'):
        load(b']' * 2000)


@pytest.mark.parametrize('protocol', range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('array', [
    np.arange(6, dtype='f4').reshape(2, 3), np.asfortranarray(np.arange(6.).reshape(2, 3)),
    np.arange(3, dtype='>i2'), np.array(2.5, 'f2'), np.zeros((0, 3), 'u1'), np.array([True, False]),
    np.float32(1.5), np.arange(100, dtype='i8'),
    np.arange(24, dtype='f4').reshape(2, 3, 4).transpose(1, 2, 0)], ids=repr)
def test_arrays_are_those_of_numpy(protocol, array):
    budget = pickled_arrays.Budget(10_000)
    names = pickled_arrays.numpy_names(budget)
    read = load(pickle.dumps([array, array], protocol), names)
    assert read[0] is read[1]
    np.testing.assert_array_equal(read[0], array, strict=True)
    assert budget.left == 16 * 10_000 - np.size(array)


@pytest.mark.parametrize('protocol', range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_array_of_objects_is_a_list_or_its_only_object(protocol):
    names = pickled_arrays.numpy_names(pickled_arrays.Budget(1000))
    layers = {'conv1': {'biases': np.ones(2, 'f4')}}
    alone = load(pickle.dumps(np.array(layers, object), protocol), names)
    np.testing.assert_array_equal(alone['conv1']['biases'], np.ones(2, 'f4'), strict=True)
    assert load(pickle.dumps(np.array([None, 'b', 3], object), protocol), names) == [None, 'b', 3]


@pytest.mark.parametrize('shape, values', [((), []), ((), [1, 2]), ((3,), [1, 2]), ((2, 1), [1, 2])])
def test_an_array_of_objects_with_a_wrong_shape_is_an_error(shape, values):
    names = pickled_arrays.numpy_names(pickled_arrays.Budget(1000))
    with pytest.raises(WeightFileError, match='an array of (one object|objects) has'):
        load(pickle.dumps(described_array(shape, 'O8', values), 3), names)


def described_array(shape=(2, 3), dtype='f4', data=bytes(24), code='<'):
    """Pickled, it is an array as NumPy writes it, with a state that may lie."""
    description = Call(np.dtype, dtype, 0, 1)
    description.reduced += ((3, code, None, None, None, -1, -1, 0),)
    array = Call(np.zeros(1).__reduce__()[0], np.ndarray, (0,), b'b')
    array.reduced += ((1, shape, description, False, data),)
    return array


@pytest.mark.parametrize('state, problem', [
    ({'shape': (2, 4)}, 'an array of 8 float32 has 24 bytes'),
    ({'shape': (2 ** 40, 2 ** 40)}, 'more elements than the file has bytes for'),
    ({'shape': (-2, -3)}, 'an impossible shape'), ({'shape': (2.0, 3)}, 'an impossible shape'),
    ({'shape': 6}, 'an impossible shape'), ({'shape': (1,) * 33}, 'an impossible shape'),
    ({'shape': (2 ** 62, 2 ** 62, 0), 'data': b''}, 'too big|Maximum'),
    ({'data': 5}, 'the values of an array are a int'), ({'dtype': 'O8'}, 'no list of them'),
    ({'dtype': 'V4'}, "type 'V4', which are not"), ({'dtype': 'S4'}, "type 'S4', which are not"),
    ({'code': 'x'}, 'no order of bytes')])
def test_an_array_with_a_wrong_description_is_an_error(state, problem):
    names = pickled_arrays.numpy_names(pickled_arrays.Budget(1000))
    honest = load(pickle.dumps(described_array(), 3), names)
    np.testing.assert_array_equal(honest, np.zeros((2, 3), 'f4'), strict=True)
    with pytest.raises(WeightFileError, match=problem):
        load(pickle.dumps(described_array(**state), 3), names)


@pytest.mark.parametrize('count, fits', [(10, True), (1000, False)])
def test_arrays_that_repeat_the_same_bytes_are_limited(count, fits):
    """A model made of them would take a multiple of the file's size."""
    shared = bytes(40_000)
    data = pickle.dumps([described_array((10_000,), data=shared) for _ in range(count)], 3)
    names = pickled_arrays.numpy_names(pickled_arrays.Budget(len(data)))
    if fits:
        assert len(load(data, names)) == count
    else:
        with pytest.raises(WeightFileError, match='more elements than the file has bytes for'):
            load(data, names)
