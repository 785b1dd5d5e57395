"""PyTorch's files: tensors as PyTorch itself saved them (data/), their types, windows and sharing."""

import argparse
import collections
import contextlib
import io
import os
import pathlib
import pickle
import struct
import tracemalloc
import types
import zipfile

import numpy as np
import pytest

from chainer_seg.errors import WeightFileError
from converters.formats import pytorch, stored_zip

DATA = pathlib.Path(__file__).parent / 'data'
BOTH = pytest.mark.parametrize('ending', ['', '_stream'])
NUMBERS = np.arange(6).reshape(2, 3) - 1.5

MODELS = ('yolact_base', 'yolact_darknet53', 'yolact_plus_resnet50', 'yolact_resnet50',
          'yolact_resnet50_pascal')


@pytest.mark.parametrize('name', MODELS)
def test_names_shapes_and_types_are_those_of_the_lists(shared_data, name):
    folder = shared_data / 'formats' / 'pytorch'
    lines = (folder / 'names' / f'{name}_small.txt').read_text().splitlines()
    arrays = pytorch.read(folder / f'{name}_1_10.pth')
    assert [[key, 'x'.join(map(str, array.shape)) or 'scalar', str(array.dtype)]
            for key, array in arrays.items()] == [line.split('\t') for line in lines]


def test_the_stream_holds_the_same_as_the_archive(shared_data):
    folder = shared_data / 'formats' / 'pytorch'
    archive = pytorch.read(folder / 'yolact_resnet50_pascal_1_10.pth')
    stream = pytorch.read(folder / 'yolact_resnet50_pascal_legacy.pth')
    assert list(archive) == list(stream)
    for name, array in archive.items():
        np.testing.assert_array_equal(array, stream[name], strict=True)
        assert not array.flags.writeable


@BOTH
@pytest.mark.parametrize('dtype', [
    'float64', 'float32', 'float16', 'int64', 'int32', 'int16', 'int8', 'complex64', 'complex128'])
def test_every_type_has_the_numbers_that_were_saved(ending, dtype):
    array = pytorch.read(DATA / f'types{ending}.pth')[dtype]
    np.testing.assert_array_equal(array, NUMBERS.astype(dtype), strict=True)


@BOTH
def test_types_that_numpy_lacks_or_that_have_no_sign(ending):
    arrays = pytorch.read(DATA / f'types{ending}.pth')
    np.testing.assert_array_equal(arrays['bfloat16'], NUMBERS.astype('f4'), strict=True)
    np.testing.assert_array_equal(arrays['uint8'], np.array([[1, 0, 0], [1, 2, 3]], 'u1'), strict=True)
    np.testing.assert_array_equal(arrays['bool'], np.ones((2, 3), bool), strict=True)


@pytest.mark.parametrize('name', ['shared', 'shared_stream', 'protocol_4'])
def test_views_of_one_storage_share_its_memory(name):
    tree = pytorch.read(DATA / f'{name}.pth')
    arrays, base = tree.pop('state_dict'), np.arange(24, dtype='f4').reshape(4, 6)
    assert tree == {'epoch': 7, 'rate': .25, 'best': None, 'done': True, 'sizes': [(4, 6), (1, 2)],
                    'name': 'naïve'}
    for key, expected in (
            ('base', base), ('again', base), ('part', base[1:3, 1::2]), ('transposed', base.T),
            ('expanded', np.full((2, 3), 5, 'f4')), ('empty', np.zeros((0, 3), 'f4')),
            ('scalar', np.array(23, 'f4')), ('parameter', base[2])):
        np.testing.assert_array_equal(arrays[key], expected, strict=True)
        assert key == 'empty' or np.shares_memory(arrays[key], arrays['base'])


@BOTH
def test_a_state_dict_keeps_its_order(ending):
    arrays = pytorch.read(DATA / f'state_dict{ending}.pth')
    assert list(arrays) == ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    assert arrays['running_mean'].tolist() == [0, 1, 2] and arrays['num_batches_tracked'].shape == ()


@BOTH
def test_a_module_saved_whole_is_refused_by_the_name_of_its_class(ending):
    with pytest.raises(WeightFileError, match='it requests torch.nn.modules.linear.Linear, which is not '
                                              "needed .*; if you .* save the model's state_dict"):
        pytorch.read(DATA / f'module{ending}.pth')


def change_zip(path, out, change=lambda name, content: content, **options):
    """Writes an archive again, each entry as ``change`` gives it; None leaves it out."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, 'w', **options) as target:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                target.writestr(name, content)
    return out


def test_numbers_of_a_big_endian_machine_are_turned(tmp_path):
    types = {index: dtype.replace('bfloat16', 'u2') for index, dtype in enumerate(
        ('f8', 'f4', 'f2', 'bfloat16', 'i8', 'i4', 'i2', 'i1', 'u1', '?', 'c8', 'c16'))}

    def turn(name, content):
        key = name.rpartition('/data/')[2]
        return np.frombuffer(content, types[int(key)]).byteswap().tobytes() if key.isdigit() else content

    big = change_zip(DATA / 'types.pth', tmp_path / 'big.pth', turn)
    with zipfile.ZipFile(big, 'a') as archive:
        archive.writestr('types/byteorder', 'big')
    expected, arrays = pytorch.read(DATA / 'types.pth'), pytorch.read(big)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])


def record(value=None, storages=(), order=None, folder='m'):
    """The bytes of an archive as torch.save writes it, with any object and any storages."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr(f'{folder}/data.pkl', value if isinstance(value, bytes) else written(value))
        if order is not None:
            archive.writestr(f'{folder}/byteorder', order)
        for key, content in storages:
            archive.writestr(f'{folder}/data/{key}', content)
    return file.getvalue()


class Written:
    """Pickled, it is a call of a function of the name that is given."""

    def __init__(self, name, *arguments):
        self.name, self.arguments = name, arguments


class Persistent(tuple):
    """Pickled, it is a persistent id."""


def written(value):
    """A pickle of protocol 2, made by hand: Python's own must be able to import what it names."""
    return b'\x80\x02' + code(value) + b'.'


def code(value):
    if isinstance(value, Persistent):
        return code(tuple(value)) + b'Q'
    if isinstance(value, Written):
        module, _, name = value.name.rpartition('.')
        text = f'c{module}\n{name}\n'.encode()
        return text + code(value.arguments) + b'R' if value.arguments else text
    if isinstance(value, dict):
        return b'}(' + b''.join(code(key) + code(item) for key, item in value.items()) + b'u'
    if isinstance(value, tuple):
        return b'(' + b''.join(map(code, value)) + b't'
    return pickle.dumps(value, 2)[2:-1].replace(b'q\x00', b'')


def tensor(offset=0, shape=(2, 3), strides=(3, 1), key='0', kind='Float', count=6, more=()):
    storage = Persistent(('storage', Written(f'torch.{kind}Storage'), key, 'cpu', count, *more))
    return Written('torch._utils._rebuild_tensor_v2', storage, offset, shape, strides, False,
                   Written('collections.OrderedDict', ()))


STORAGE = ('0', np.arange(6, dtype='f4').tobytes())


def read_bytes(folder, data):
    path = folder / 'made.pth'
    path.write_bytes(data)
    return pytorch.read(path)


def test_a_made_archive_is_read(tmp_path):
    array, = read_bytes(tmp_path, record({'w': tensor()}, [STORAGE])).values()
    np.testing.assert_array_equal(array, np.arange(6, dtype='f4').reshape(2, 3), strict=True)


def test_types_without_storages_of_their_own(tmp_path):
    storage = Persistent(('storage', Written('torch.storage.UntypedStorage'), '0', 'cpu', 24))
    value = Written('torch._utils._rebuild_tensor_v3', storage, 1, (2,), (2,), False,
                    Written('collections.OrderedDict', ()), Written('torch.uint32'))
    array = read_bytes(tmp_path, record(value, [('0', np.arange(6, dtype='u4').tobytes())]))
    np.testing.assert_array_equal(array, np.array([1, 3], 'u4'), strict=True)


@pytest.mark.parametrize('changed, problem', [
    ({'shape': (3, 3)}, 'reaches to element 9 of a storage of 6'),
    ({'strides': (4, 1)}, 'reaches to element 7 of a storage of 6'),
    ({'offset': 1}, 'reaches to element 7 of a storage of 6'),
    ({'strides': (1 << 62, 1)}, 'of a storage of 6'), ({'offset': -1}, 'its offset is -1'),
    ({'strides': (-3, 1)}, r'strides are \(-3, 1\)'), ({'strides': (1,)}, r'strides are \(1,\)'),
    ({'shape': (-2, 3)}, 'an impossible shape'), ({'shape': (2., 3)}, 'an impossible shape'),
    ({'shape': (1 << 40, 1 << 40), 'strides': (0, 0)}, 'more elements than the file has bytes for'),
    ({'offset': 'x'}, 'impossible strides'), ({'strides': None}, 'must be an iterable'),
    ({'count': 7}, 'storage 0 has 24 bytes instead of 28'), ({'count': -6}, 'impossible key or size'),
    ({'count': 1 << 62}, 'impossible key or size'), ({'kind': 'Double'}, '24 bytes instead of 48'),
    ({'kind': 'QInt8'}, 'requests torch.QInt8Storage'), ({'key': '1'}, 'no entry m/data/1'),
    ({'key': '../data.pkl'}, 'no entry m/data/../data.pkl'), ({'key': 0}, 'impossible key or size'),
    ({'more': (1, 2)}, 'not a storage')])
def test_an_inconsistent_tensor_is_an_error(tmp_path, changed, problem):
    with pytest.raises(WeightFileError, match=problem) as caught:
        read_bytes(tmp_path, record({'w': tensor(**changed)}, [STORAGE]))
    assert 'made.pth' in str(caught.value)


@pytest.mark.parametrize('name', [
    'os.system', 'builtins.eval', 'torch.load', 'torch.jit.load', 'torch.storage._load_from_bytes',
    'torch._utils._rebuild_qtensor', 'torch.nn.modules.conv.Conv2d', 'numpy.load', 'pathlib.Path',
    'argparse.ArgumentParser', 'builtins.getattr', 'functools.partial'])
def test_every_other_name_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    data = record({'w': tensor(), 'x': Written(name, 'touch ran')}, [STORAGE])
    stream = stream_of({'x': Written(name, 'touch ran')}, {})
    for content in (data, stream):
        with pytest.raises(WeightFileError, match=f'is refused: at byte .* it requests {name}, which'):
            read_bytes(tmp_path, content)
    assert os.listdir(tmp_path) == ['made.pth']


@pytest.mark.parametrize('value', [
    Persistent(('module', 1, 'x', 'y')), Persistent(('storage',)), Persistent(()),
    Persistent(('storage', 1, '0', 'cpu', 6)), Persistent(('storage', Written('torch._utils.'
                '_rebuild_tensor'), '0', 'cpu', 6))])
def test_every_other_persistent_id_is_an_error(tmp_path, value):
    with pytest.raises(WeightFileError, match='not a storage|unknown type'):
        read_bytes(tmp_path, record({'x': value}, [STORAGE]))


def stream_of(value, storages, keys=None, head=(0x1950a86a20f9469cfc6c, 1001)):
    """The older stream of any object; ``storages`` maps keys to counts and bytes."""
    info = {'protocol_version': 1001, 'little_endian': True}
    pickles = [*(pickle.dumps(part, 2) for part in (*head, info)), written(value),
               pickle.dumps(list(storages) if keys is None else keys, 2)]
    return b''.join(pickles) + b''.join(
        struct.pack('<q', count) + content for count, content in storages.values())


def test_a_made_stream_is_read_with_parts_of_storages(tmp_path):
    content = {'0': (6, np.arange(6, dtype='f4').tobytes())}
    part = tensor(shape=(2,), strides=(2,), more=(('1', 3, 3),))
    tree = read_bytes(tmp_path, stream_of({'whole': tensor(more=(None,)), 'part': part}, content))
    assert tree['whole'].tolist() == [[0, 1, 2], [3, 4, 5]] and tree['part'].tolist() == [3, 5]


@pytest.mark.parametrize('options, problem', [
    ({'head': (5, 1001)}, 'the magic number of torch.save was expected'),
    ({'head': (0x1950a86a20f9469cfc6c, 1000)}, 'version 1001 of its format was expected'),
    ({'keys': ['1']}, 'the keys of the storages was expected'), ({'keys': ['0', '0']}, 'the keys of'),
    ({'keys': [1]}, 'the keys of'), ({'keys': '0'}, 'the keys of'), ({'keys': []}, 'the keys of'),
    ({'storages': {'0': (5, bytes(24))}}, 'a storage of 6 elements was expected, but its size is 5'),
    ({'storages': {'0': (1 << 62, bytes(24))}}, 'its size is 4611686018427387904'),
    ({'storages': {'0': (6, bytes(23))}}, 'the file has 23 bytes left'),
    ({'storages': {'0': (6, bytes(25))}}, 'the end of the file was expected, but 1 bytes follow'),
    ({'value': {'w': tensor(more=(('1', 4, 3),))}}, 'beyond the one that it is a part of'),
    ({'value': {'w': tensor(more=(('1', -1, 3),))}}, 'beyond the one that it is a part of')])
def test_an_inconsistent_stream_is_an_error(tmp_path, options, problem):
    made = {'value': {'w': tensor(more=(None,))}, 'storages': {'0': (6, bytes(24))}, **options}
    data = stream_of(**made)
    with pytest.raises(WeightFileError, match=problem):
        (tmp_path / 'made.pth').write_bytes(data)
        pytorch._read_stream(memoryview(data), tmp_path / 'made.pth')


def test_an_entry_that_does_not_match_its_checksum_is_an_error(tmp_path):
    data = bytearray(record({'w': tensor()}, [STORAGE]))
    at = data.index(STORAGE[1])
    data[at + 5] ^= 1
    with pytest.raises(WeightFileError, match=rf'entry m/data/0 at byte {at} has a wrong checksum'):
        read_bytes(tmp_path, bytes(data))


def test_compressed_entries_are_refused_before_they_take_memory(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
        value = {'w': tensor(count=25_000_000, shape=(5,), strides=(1,))}
        archive.writestr('m/data.pkl', written(value))
        archive.writestr('m/data/0', bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(WeightFileError, match='m/data.pkl is compressed or encrypted'):
            read_bytes(tmp_path, file.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_entries_that_overlap_are_an_error(tmp_path):
    """Many entries of the same bytes would make a small file large."""
    data = record({}, [STORAGE])
    (tmp_path / 'made.pth').write_bytes(data)
    archive = stored_zip.StoredZip(memoryview(data), tmp_path / 'made.pth')
    with pytest.raises(WeightFileError, match='should have 24 bytes, but they are not all there'):
        for _ in range(len(data) // 24 + 1):
            archive.read('m/data/0')


def test_a_directory_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_zip, '_LONGEST_READ', 200)
    with pytest.raises(WeightFileError, match='the directory .* but: it is longer than 200 bytes'):
        read_bytes(tmp_path, record({}, [(str(key), b'') for key in range(50)]))


@pytest.mark.parametrize('data, problem', [
    (b'PK\3\4 and no more', 'the directory of a zip archive was expected at its end'),
    (record(b'\x80\x02}.x'), r'made.pth \(m/data.pkl\) .* the end of the file was expected'),
    (record({}, order='middle'), "its entry byteorder is b'middle'"),
    (record({}, folder='a/b'), 'a zip archive without the data.pkl of torch.save')])
def test_another_archive_is_reported_in_one_sentence(tmp_path, data, problem):
    with pytest.raises(WeightFileError, match=problem):
        read_bytes(tmp_path, data)


def test_numpys_archives_and_programs_are_reported_in_one_sentence(tmp_path):
    np.savez(tmp_path / 'a.npz', a=np.zeros(3))
    with pytest.raises(WeightFileError, match='is a .npz of NumPy arrays, which is not supported'):
        pytorch.read(tmp_path / 'a.npz')
    with zipfile.ZipFile(tmp_path / 'b.pth', 'w') as archive:
        archive.writestr('m/data.pkl', written({}))
        archive.writestr('m/constants.pkl', written({}))
    with pytest.raises(WeightFileError, match='is a TorchScript program'):
        pytorch.read(tmp_path / 'b.pth')


def test_plain_objects_may_be_saved_too(tmp_path):
    (tmp_path / 'a.pth').write_bytes(record({'epoch': 3}))
    assert pytorch.read(tmp_path / 'a.pth') == {'epoch': 3}
    value = Written('collections.OrderedDict', (('a', 1),))
    assert read_bytes(tmp_path, record(value)) == collections.OrderedDict(a=1)


def test_reading_takes_no_memory_for_the_weights(tmp_path):
    numbers = np.arange(5_000_000, dtype='f4')
    value = {str(key): tensor(key=str(key), shape=(5_000_000,), strides=(1,), count=5_000_000)
             for key in range(2)}
    path = tmp_path / 'large.pth'
    path.write_bytes(record(value, [(str(key), numbers.tobytes()) for key in range(2)]))
    tracemalloc.start()
    try:
        tree = pytorch.read(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert tree['1'][-1] == 4_999_999


@pytest.mark.parametrize('protocol', [2, 4])
def test_plain_objects_of_training_programs_are_plain_values(tmp_path, protocol):
    counts = collections.defaultdict(list, a=[1, 2])
    value = {'args': argparse.Namespace(lr=0.1, names=['a']), 'milestones': collections.Counter({30: 1}),
             'counts': counts, 'best': np.float64(71.5),
             'rng': np.arange(4, dtype=np.uint32), 'seen': {3}, 'out': pathlib.PurePosixPath('runs/a'),
             'again': counts, 'space': types.SimpleNamespace(x=1)}
    (tmp_path / 'a.pth').write_bytes(archive_of(pickle.dumps(value, protocol)))
    found = pytorch.read(tmp_path / 'a.pth')
    assert found['args'] == {'lr': 0.1, 'names': ['a']} and found['milestones'] == {30: 1}
    assert found['counts'] == {'a': [1, 2]} and found['again'] is found['counts']
    assert found['best'] == 71.5 and found['rng'].tolist() == [0, 1, 2, 3] and found['seen'] == [3]
    assert found['out'] == 'runs/a' and found['space'] == {'x': 1}


def archive_of(data):
    """The archive that torch.save makes of a pickle without tensors."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('m/data.pkl', data)
        archive.writestr('m/version', '3\n')
    return file.getvalue()


@pytest.mark.parametrize('function, arguments', [
    ('argparse.Namespace', ('x',)), ('collections.Counter', ([1],)),
    ('collections.Counter', ({(1,): 2},)),
    ('builtins.set', (5,)), ('pathlib.PosixPath', (3,)), ('collections.defaultdict', (1, 2)),
    ('torch.device', ({},))])
def test_plain_objects_of_a_wrong_form_are_an_error_or_nothing(tmp_path, function, arguments):
    (tmp_path / 'a.pth').write_bytes(record({'x': Written(function, *arguments)}))
    with contextlib.suppress(WeightFileError):
        assert pytorch.read(tmp_path / 'a.pth') == {'x': ''}
