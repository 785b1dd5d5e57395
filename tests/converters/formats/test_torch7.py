"""Torch7 files: read as Torch itself read them back, and written to the byte as Torch wrote them."""

import json
import math
import re
import tracemalloc

import numpy as np
import pytest

from chainer_seg.errors import WeightFileError
from converters.formats import torch7, torch7_writer
from converters.formats.torch7_values import Function, Object, Storage, Table, Tensor, readable
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / 'formats' / 'torch7'
FORMAT_FILES = sorted(path.name for path in (FOLDER / 'formats').glob('*.t7'))
MODEL_FILES = sorted(path.name for path in (FOLDER / 'models').glob('*.t7'))

if not FORMAT_FILES:
    pytestmark = pytest.mark.skip('the Torch7 files of ../shared/data are not here')

KINDS = {'table': Table, 'object': Object, 'tensor': Tensor, 'storage': Storage,
         'function': Function}


@pytest.fixture
def load():
    return lambda name: torch7.read(FOLDER / 'formats' / name)


def numbers(values):
    """Numbers of a description, in which those that JSON lacks are text."""
    return [float(value) for value in values]


class Comparison:
    """Compares values with the description of what Torch read back, objects by identity."""

    def __init__(self):
        self.by_id = {}

    def check(self, value, described):
        kind = described['kind']
        if kind == 'ref':
            assert value is self.by_id[described['id']]
        elif kind == 'nil':
            assert value is None
        elif kind == 'number':
            assert type(value) is float
            np.testing.assert_equal(value, float(described['value']))
        elif kind == 'boolean':
            assert value is described['value']
        elif kind == 'string':
            assert value.encode('latin-1').hex() == described['hex']
        else:
            assert isinstance(value, KINDS[kind])
            assert all(value is not other for other in self.by_id.values())
            self.by_id[described['id']] = value
            getattr(self, f'check_{kind}')(value, described)

    def check_function(self, value, described):
        assert value.code.startswith(b'\x1bLJ')  # as LuaJIT begins its bytecode

    def check_storage(self, value, described):
        assert value.class_name == described['type']
        np.testing.assert_equal(value.values.astype(float), numbers(described['values']))

    def check_tensor(self, value, described):
        assert value.class_name == described['type']
        assert value.shape == tuple(described['size'])
        assert value.strides == tuple(described['stride'])
        assert value.offset == described['storage_offset_1based'] - 1
        np.testing.assert_equal(
            np.asarray(value).astype(float).ravel(), numbers(described['values_row_major']))
        self.check(value.storage, described['storage'])
        if value.array.size:
            assert np.shares_memory(value.array, value.storage.values)

    def check_object(self, value, described):
        assert value.class_name == described['class']
        self.check_table(value.fields, described)

    def check_table(self, value, described):
        """Keys that are tables are compared by the kind alone: the order of items has no meaning."""
        assert len(value) == len(described['items'])
        for key, item in described['items']:
            self.check(value[self.key(value, key)], item)

    def key(self, table, described):
        kind = described['kind']
        if kind == 'number':
            return float(described['value'])
        if kind == 'string':
            return bytes.fromhex(described['hex']).decode('latin-1')
        if kind == 'boolean':
            return described['value']
        if kind == 'ref':
            return self.by_id[described['id']]
        found, = (key for key in table if isinstance(key, KINDS[kind]))
        self.check(found, described)
        return found


@pytest.mark.parametrize('name', [name for name in FORMAT_FILES if name != 'tensor_half.t7'])
def test_a_file_is_read_as_torch_reads_it(load, name):
    described = json.loads((FOLDER / 'formats' / name).with_suffix('.json').read_text())
    Comparison().check(load(name), described)


def test_a_half_tensor_is_read_as_torch_reads_it(load):
    half = load('tensor_half.t7')['h']
    described = json.loads((FOLDER / 'formats' / 'tensor_half.json').read_text())['h']
    assert half.class_name == described['type'] and half.array.dtype == np.float16
    assert half.shape == tuple(described['size'])
    np.testing.assert_allclose(half.array.ravel(), described['values_row_major'], rtol=1e-8)


@pytest.mark.parametrize('folder, name', [('formats', name) for name in FORMAT_FILES]
                         + [('models', name) for name in MODEL_FILES])
def test_a_file_is_written_back_byte_for_byte(folder, name, tmp_path):
    path = FOLDER / folder / name
    torch7_writer.write(tmp_path / 'again.t7', torch7.read(path), ascii='ascii' in name,
                        long_size=4 if 'long32' in name else 8)
    assert (tmp_path / 'again.t7').read_bytes() == path.read_bytes()


def by_indentation(lines):
    """Pairs of the path of a line, as a tuple of labels, and what stands behind the label."""
    path = []
    for line in lines:
        indent = (len(line) - len(line.lstrip())) // 2
        label, _, rest = line.strip().partition(': ')
        path[indent:] = [label]
        yield tuple(path[1:]), rest


def at_path(tree, path):
    for label in path:
        number = re.fullmatch(r'\[(\d+)\]', label)
        if number:
            tree = tree['modules'][int(number[1])]
        else:
            tree = tree[int(label) if label.isdigit() else label]
    return tree


@pytest.mark.parametrize('name', MODEL_FILES)
def test_a_model_file_has_the_tree_that_torch_printed(name):
    tree = torch7.read(FOLDER / 'models' / name)
    lines = (FOLDER / 'trees' / name).with_suffix('.txt').read_text().splitlines()
    compared = 0
    for path, rest in by_indentation(lines):
        value = at_path(tree, path)
        class_name = rest.split()[0].rstrip(':')
        assert (value.class_name if isinstance(value, Object) else 'table') == class_name
        for field, kind, shape in re.findall(r'(\w+)=(\w+Tensor)\[([\dx]+)\]', rest):
            assert value[field].class_name == f'torch.{kind}'
            assert 'x'.join(map(str, value[field].shape)) == shape
            compared += 1
        for field, number in re.findall(r'[ {](\w+)=(-?[\d.]+(?:e-\d+)?)(?=[ ,}]|$)', rest):
            key = int(field) if field.isdigit() else field
            assert value[key] == float(number)
            compared += 1
    assert compared > 600


def test_the_keys_true_and_1_are_different(load):
    table = load('strings.t7')
    assert table[1] == '' and table[True] == 'bool key' and len(table) == 9
    assert [key for key in table if key is True] == [True]


def test_an_object_without_a_header_is_read(load):
    assert load('class_without_version.t7').version is None


def test_functions_keep_their_code_and_what_they_close_over(load):
    function = load('function_legacy7.t7')['fn']
    assert function.tag == 7 and len(function.code) == 55
    assert function.upvalues[1] == 7 and function.upvalues[2][1] == 'upvalue'


def test_longs_of_four_bytes_are_found_out(load):
    x = load('long32.t7')['x']
    assert x.storage.values.dtype == np.int32 and x.array.tolist() == [1, 2, 3]


def test_tensors_of_one_storage_share_its_memory(load):
    for name in ('tensors_views.t7', 'tensors_views.ascii.t7'):
        views = load(name)
        assert views['row'].storage is views['column'].storage is views['storage']
        assert np.shares_memory(views['base'].array, views['row'].array)


def test_a_binary_file_costs_next_to_nothing_until_its_values_are_used(tmp_path):
    torch7_writer.write(tmp_path / 'a.t7', {'weight': np.ones((1000, 1000), np.float32)})
    tracemalloc.start()
    weight = torch7.read(tmp_path / 'a.t7')['weight']
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert weight.array.nbytes == 4_000_000 and peak < 100_000


def test_arrays_cannot_be_written_to(load):
    for name in ('flat_parameters.t7', 'flat_parameters.ascii.t7'):
        for value in load(name).values():
            tensor = value if isinstance(value, Tensor) else next(iter(value.values()))
            with pytest.raises(ValueError, match='read-only'):
                tensor.array[...] = 1


@pytest.mark.parametrize('ascii', [False, True])
def test_cuda_tensors_are_their_elements(tmp_path, ascii):
    values = {'torch.Cuda': '<f4', 'torch.CudaHalf': '<f2', 'torch.CudaDouble': '<f8',
              'torch.CudaLong': '<i8', 'torch.CudaByte': '<u1', 'torch.CudaInt': '<i4'}
    tree = {name: Tensor(f'{name}Tensor', Storage(f'{name}Storage', np.arange(6, dtype=dtype)), 1,
                         (2, 2), (3, 1)) for name, dtype in values.items()}
    torch7_writer.write(tmp_path / 'cuda.t7', tree, ascii=ascii)
    for name, tensor in torch7.read(tmp_path / 'cuda.t7').items():
        assert tensor.array.dtype == values[name]
        np.testing.assert_array_equal(tensor.array, [[1, 2], [4, 5]])


@pytest.mark.parametrize('options', [{}, {'ascii': True}, {'long_size': 4}])
def test_plain_values_are_written_and_read(tmp_path, rng, options):
    flat = rng.normal(size=24).astype(np.float32)
    matrix = flat[4:16].reshape(3, 4).T
    shared = {'x': [1.5, None, True, 'é'], 2: -math.inf}
    torch7_writer.write(tmp_path / 'a.t7', [matrix, shared, shared, flat, np.int64([])], **options)
    first, second, third, fourth, fifth = torch7.read(tmp_path / 'a.t7').sequence()
    np.testing.assert_array_equal(first, matrix)
    assert first.strides == (1, 4) and first.offset == 4 and first.storage is fourth.storage
    assert second is third and second[2] == -math.inf
    assert dict(second['x']) == {1: 1.5, 3: True, 4: 'é'}
    assert fifth.shape == () and fifth.array.dtype.kind == 'i'


def test_the_writer_refuses_what_torch_has_not(tmp_path):
    with pytest.raises(TypeError, match='set'):
        torch7_writer.write(tmp_path / 'a.t7', {'a': {1, 2}})
    with pytest.raises(TypeError, match='complex'):
        torch7_writer.write(tmp_path / 'a.t7', np.zeros(2, complex))
    assert list(tmp_path.iterdir()) == []


def test_text_is_readable(load):
    assert readable(load('top_string.t7')) == 'héllo \ufffd\x00\n end'


@pytest.mark.parametrize('start', [b'\x89PNG\r\n\x1a\n', b'PK\x03\x04aaaa', b'\x80\x02}q\x01',
                                   b'hello\n', b'9\n'])
def test_another_format_is_refused(tmp_path, start):
    (tmp_path / 'a.t7').write_bytes(start)
    with pytest.raises(WeightFileError, match='not a Torch7 file'):
        torch7.read(tmp_path / 'a.t7')
