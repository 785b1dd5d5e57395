"""caffe-tensorflow's .npy files: every pickle protocol, Python 2's too, and nothing but arrays."""

import io
import os
import pathlib
import pickle

import numpy as np
import pytest

import converters
from chainer_seg.errors import WeightFileError
from converters.formats import find_format, kaffe

DATA = pathlib.Path(__file__).parent / 'data' / 'tensorflow'


def npy(value, protocol=4, version=(1, 0), **header):
    """The bytes of an .npy file of objects."""
    file = io.BytesIO()
    description = {'descr': '|O', 'fortran_order': False, 'shape': (), **header}
    if version == (1, 0):
        np.lib.format.write_array_header_1_0(file, description)
    else:
        np.lib.format.write_array_header_2_0(file, description)
    return file.getvalue() + (value if isinstance(value, bytes) else pickle.dumps(value, protocol))


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'layers.npy'


@pytest.mark.parametrize('name', ['kaffe_python2.npy', 'kaffe_python3.npy'])
def test_files_of_both_pythons_hold_the_layers(name):
    assert find_format(DATA / name).name == 'kaffe'
    tree = converters.read(DATA / name)
    assert tree.keys() == {'conv1', 'bn_conv1', 'fc1000'}
    weights = np.arange(54, dtype='f4').reshape(3, 2, 3, 3).transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(tree['conv1']['weights'], weights, strict=True)
    np.testing.assert_array_equal(tree['conv1']['biases'], np.float32([1, 2, 3]), strict=True)
    np.testing.assert_array_equal(tree['bn_conv1']['mean'], np.float32([[[[.5, 1, 2]]]]), strict=True)
    np.testing.assert_array_equal(tree['fc1000']['weights'],
                                  np.arange(20, dtype='f4').reshape(5, 4).T, strict=True)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('version', [(1, 0), (2, 0)])
def test_every_protocol_is_understood(path, protocol, version):
    weights = np.arange(600., dtype='f4').reshape(5, 5, 4, 6).transpose(2, 0, 3, 1)
    layers = {'conv1': {'weights': weights}}
    path.write_bytes(npy(np.array(layers, object), protocol, version))
    found = converters.read(path)['conv1']['weights']
    np.testing.assert_array_equal(found, weights)
    assert not found.flags.writeable


def test_numpy_reads_the_same(path):
    for name in ('kaffe_python2.npy', 'kaffe_python3.npy'):
        expected = np.load(DATA / name, allow_pickle=True, encoding='latin1').item()
        for layer, arrays in converters.read(DATA / name).items():
            assert arrays.keys() == expected[layer].keys()
            assert all(np.array_equal(array, expected[layer][key]) for key, array in arrays.items())


class Malice:
    def __reduce__(self):
        return os.system, ('touch the-pickle-was-run',)


@pytest.mark.parametrize('value', [Malice(), {'conv1': Malice()}, {'a': {'b': [Malice()]}}, print])
def test_anything_but_arrays_is_refused_and_not_run(path, monkeypatch, value):
    monkeypatch.chdir(path.parent)
    for wrapped in (value, np.array(value, object)):
        path.write_bytes(npy(wrapped))
        with pytest.raises(WeightFileError, match=r'layers\.npy is refused: at byte \d+ it requests'):
            converters.read(path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('content, problem', [
    (npy(np.array([1, 2], object), shape=(2,)), 'contains a list, expected a dict of layers'),
    (npy(np.array({}, object)), 'contains a dict, expected'), (npy(b''), 'an opcode was expected'),
    (npy(np.array({'a': np.zeros(99)}, object))[:-9], 'damaged or truncated: at byte'),
    (npy(np.array({'a': 1}, object)) + b'x', 'the end of the file was expected, but 1 bytes follow'),
    (b'\x93NUMPY\1\0', 'the header of an .npy file was expected'),
    (b'\x93NUMPY\7\0\x10\0{}', 'the header of an .npy file was expected'),
    (b'\x93NUMPY\1\0\x10\0' + b'(' * 16, 'the header of an .npy file was expected'),
    (b'\x93NUMPY\1\0\xff\xff' + b' ' * 70000, 'the header of an .npy file was expected')])
def test_a_file_of_something_else_is_one_error(path, content, problem):
    path.write_bytes(content)
    with pytest.raises(WeightFileError, match=problem) as caught:
        kaffe.read(path)
    assert 'layers.npy' in str(caught.value) and '\n' not in str(caught.value)


def test_a_single_array_is_described_by_its_type_and_shape(path):
    np.save(path, np.zeros((3, 4), 'f4'))
    with pytest.raises(WeightFileError, match=r'contains one array, <f4 of the shape \(3, 4\), expected'):
        converters.read(path)
