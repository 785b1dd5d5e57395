"""Checkpoints of TensorFlow: every type, slices, shards, packed tables, and what a user may name."""

import pathlib
import re
import shutil
import struct
import tracemalloc

import numpy as np
import pytest

import converters
from chainer_seg.errors import WeightFileError
from converters.formats import locate, tensorflow
from converters.formats.sorted_table import SortedTable
from converters.formats.tensorflow_slices import Part, joined, slice_key
from tests.converters.formats import tensorflow_writer
from tests.converters.formats.test_caffe import field, varint

DATA = pathlib.Path(__file__).parent / 'data' / 'tensorflow'
TYPES = ('float32', 'float64', 'int32', 'uint8', 'int16', 'int8', 'complex64', 'int64', 'uint16',
         'complex128', 'half')


@pytest.fixture
def genuine(tmp_path):
    """A copy of the checkpoints, so that files can be renamed, changed and removed."""
    return pathlib.Path(shutil.copytree(DATA, tmp_path / 'genuine'))


@pytest.mark.parametrize('name, types', [
    ('types_v1.ckpt', TYPES), ('types.index', (*TYPES, 'uint32', 'uint64'))])
def test_numbers_of_every_type_are_those_that_were_saved(name, types):
    tree = converters.read(DATA / name)
    for kind in types:
        dtype = np.dtype('float16' if kind == 'half' else kind)
        expected = (np.arange(6).reshape(2, 3) - 1).astype(dtype)
        np.testing.assert_array_equal(tree[kind], expected, strict=True)
    np.testing.assert_array_equal(tree['bool'], [[False, True, False], [True, False, True]], strict=True)
    np.testing.assert_array_equal(tree['scalar'], np.float32(2.5).reshape(()), strict=True)
    np.testing.assert_array_equal(tree['empty'], np.zeros((0, 3), 'f4'), strict=True)
    assert tree['strings'] == [b'one', b'', b'\xff\0', b'four']


def test_bfloat16_becomes_float32():
    found = converters.read(DATA / 'types.index')['bfloat16']
    np.testing.assert_array_equal(found, np.arange(6, dtype='f4').reshape(2, 3) - 1, strict=True)


@pytest.mark.parametrize('name', [
    'training_v1.ckpt', 'training.index', 'shards_v1.ckpt-00000-of-00003',
    'shards_v1.ckpt-00002-of-00003'])
def test_variables_in_slices_are_joined(name):
    tree = converters.read(DATA / name)
    np.testing.assert_array_equal(tree['rows/weights'], np.arange(600, dtype='f4').reshape(300, 2),
                                  strict=True)
    np.testing.assert_array_equal(tree['table'], (np.arange(9000) % 251).astype('u1'), strict=True)
    assert tree['global_step'].dtype == np.int64 and tree['global_step'] == 1
    np.testing.assert_array_equal(tree['conv1/weights/Momentum'], np.ones((3, 3, 2, 2), 'f4'))
    assert tree.keys() == {
        'conv1/weights', 'conv1/weights/Momentum', 'conv1/biases', 'conv1/biases/Adam',
        'conv1/biases/Adam_1', 'beta1_power', 'beta2_power', 'rows/weights', 'table', 'global_step'}


def test_an_index_whose_blocks_are_packed_is_that_which_was_packed(genuine):
    for shard in range(3):
        (genuine / f'training.data-0000{shard}-of-00003').rename(
            genuine / f'packed.data-0000{shard}-of-00003')
    packed, plain = converters.read(genuine / 'packed.index'), converters.read(DATA / 'training.index')
    assert packed.keys() == plain.keys()
    for name, array in plain.items():
        np.testing.assert_array_equal(packed[name], array, strict=True)


def test_arrays_are_read_only_views_on_the_file():
    for name in ('types_v1.ckpt', 'types.index'):
        for kind in ('float32', 'float64', 'complex64'):
            array = converters.read(DATA / name)[kind]
            assert not array.flags.writeable and not array.flags.owndata


@pytest.mark.parametrize('dtype', ['<', '>'])
def test_files_of_machines_with_the_other_order_of_bytes(tmp_path, dtype):
    arrays = {'a': np.arange(6, dtype='f4').reshape(2, 3), 'b': np.float32(7).reshape(())}
    tensorflow_writer.write_version_2(tmp_path / 'x', arrays, dtype)
    tree = converters.read(tmp_path / 'x')
    assert all(np.array_equal(tree[name], array) for name, array in arrays.items())


# Slices.

@pytest.mark.parametrize('number, code', [  # By hand after ordered_code.cc.
    (0, '80'), (1, '81'), (-1, '7f'), (63, 'bf'), (-64, '40'), (64, 'c040'), (-65, '3fbf'),
    (300, 'c12c'), (8191, 'dfff'), (8192, 'e02000'), (0x424242, 'f0424242'), (-0x800, '3800'),
    (2 ** 47, 'fe800000000000'), (2 ** 48, 'ff01000000000000'), (2 ** 55, 'ff8080000000000000'),
    (2 ** 62, 'ffc04000000000000000')])
def test_keys_of_slices_are_in_the_order_of_numbers(number, code):
    key = slice_key(b'a\0b', [(number, 5)])
    assert key.hex() == '0061' + '00ff' + '62' + '0001' + '0101' + code + '85'


def test_a_variable_needs_slices_that_fill_it_and_do_not_overlap():
    values = np.arange(12).reshape(3, 4)
    parts = [Part((0, 0), values[:2, :3]), Part((2, 0), values[2:]), Part((0, 3), values[:2, 3:])]
    np.testing.assert_array_equal(joined(parts, (3, 4)), values)
    with pytest.raises(ValueError, match='2 slices that do not fill'):
        joined(parts[:2], (3, 4))
    with pytest.raises(ValueError, match='overlapping slices'):
        joined([Part((0, 0), values[:2]), Part((1, 0), values[:1])], (3, 4))


# What a user may name.

@pytest.mark.parametrize('name, found', [
    ('training', 'training.index'), ('training.index', 'training.index'),
    ('training.data-00001-of-00003', 'training.index'), ('click_v1.ckpt', 'click_v1.ckpt'),
    ('shards_v1.ckpt', 'shards_v1.ckpt-00000-of-00003'),
    ('shards_v1.ckpt-?????-of-00003', 'shards_v1.ckpt-00000-of-00003'), ('other.t7', 'other.t7')])
def test_a_checkpoint_is_found_by_any_of_its_files(name, found):
    assert locate(DATA / name) == DATA / found


@pytest.mark.parametrize('line, found', [
    ('model_checkpoint_path: "training"', 'training.index'),
    ('all_model_checkpoint_paths: "a"\nmodel_checkpoint_path: "/old/place/training"', 'training.index'),
    ("model_checkpoint_path: 'click_v1.ckpt'", 'click_v1.ckpt'),
    ('model_checkpoint_path: "shards_v1.ckpt-?????-of-00003"', 'shards_v1.ckpt-00000-of-00003')])
def test_the_newest_checkpoint_of_a_folder_is_that_which_its_text_file_names(genuine, line, found):
    (genuine / 'checkpoint').write_text(f'{line}\n')
    assert locate(genuine / 'checkpoint') == locate(genuine) == genuine / found


@pytest.mark.parametrize('name', ['/elsewhere/training', '../secret/training', 'a/../../training',
                                  r'C:\\runs\\training', '//server/training'])
def test_a_text_file_does_not_lead_out_of_its_folder(genuine, tmp_path, caplog, name):
    for folder in (tmp_path / 'secret', tmp_path.parent):
        folder.mkdir(exist_ok=True)
    (genuine / 'checkpoint').write_text(f'model_checkpoint_path: "{name}"\n')
    assert locate(genuine) == genuine / 'training.index'
    assert 'outside its folder; reading training.index in it instead' in caplog.text


@pytest.mark.parametrize('name', ['/etc/passwd', '../outside', '..', '', '.', 'a' * 300, r'a\0b'])
def test_a_text_file_that_names_what_is_not_in_its_folder_is_an_error(genuine, name):
    (genuine.parent / 'outside').write_bytes(b'\0\0\2\x0a\0')
    (genuine / 'checkpoint').write_text(f'model_checkpoint_path: "{name}"\n')
    with pytest.raises(WeightFileError, match='give the checkpoint itself') as caught:
        locate(genuine)
    assert len(str(caught.value)) < 400


def test_the_variables_of_a_saved_model_are_a_checkpoint(genuine):
    (genuine / 'saved_model.pb').write_bytes(b'\x08\1\x12')
    with pytest.raises(WeightFileError, match='is a SavedModel without variables'):
        locate(genuine)
    (genuine / 'variables').mkdir()
    for file in genuine.glob('semantic.[di]*'):
        file.rename(genuine / 'variables' / file.name.replace('semantic', 'variables'))
    assert len(converters.read(genuine)) == 123
    with pytest.raises(WeightFileError, match='is a TensorFlow graph, .*; give the folder of the SavedModel'):
        converters.read(genuine / 'saved_model.pb')


@pytest.mark.parametrize('name, content, problem', [
    ('training.meta', b'\x0a\5', r'is the graph of a checkpoint and contains no weights; give training '),
    ('frozen.pb', b'\x0a\x20', r'is a TensorFlow graph, .*; save its variables with tf.train.Saver'),
    ('frozen.pbtxt', b'node {', 'is a TensorFlow graph'), ('checkpoint', b'x: "y"', 'does not name'),
    ('checkpoint', b'model_checkpoint_path: "gone"', 'names the checkpoint gone, which is neither'),
    ('checkpoint', rb'model_checkpoint_path: "\N"', 'names a checkpoint in an invalid form'),
    ('a.data-00000-of-00001', b'', r'contains values of a checkpoint, but not their names; copy a\.index'),
    ('x.ckpt-00001-of-00002', b'\0\0\2\x0a\0', r'is a shard of a checkpoint of which .*00000-of-00002')])
def test_another_file_is_reported_in_one_sentence(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightFileError, match=problem) as caught:
        converters.read(tmp_path / name)
    assert name in str(caught.value) and '\n' not in str(caught.value)


# Damage.

def test_a_missing_shard_is_named(genuine):
    (genuine / 'training.data-00001-of-00003').unlink()
    with pytest.raises(WeightFileError, match=r'training\.index is the index of a checkpoint whose '
                       r'values lie in .*training\.data-00001-of-00003, which is missing'):
        converters.read(genuine / 'training')


def test_a_shard_cut_short_or_changed_is_named_with_the_place(genuine):
    path = genuine / 'training.data-00001-of-00003'
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(WeightFileError, match=r'data-00001-of-00003 is damaged .* at byte \d+ \d+ bytes '
                       r'of values were expected, but the file has 11687 in all'):
        converters.read(genuine / 'training')
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(WeightFileError, match=r'data-00001-of-00003 .* but their checksum is wrong'):
        converters.read(genuine / 'training')


def test_a_slice_that_is_listed_and_missing_is_an_error(tmp_path):
    entry = field(1, 1) + field(2, tensorflow_writer.shape_message((4,))) + field(
        7, field(1, field(1, 0) + field(2, 2))) + field(7, field(1, field(1, 2) + field(2, 2)))
    (tmp_path / 'a.index').write_bytes(tensorflow_writer.table([(b'', field(1, 1)), (b'v', entry)]))
    with pytest.raises(WeightFileError, match=r"a variable of the shape \(4,\), 'v' was expected, but "
                                              r'there are no slices from \(0,\)'):
        converters.read(tmp_path / 'a')


def entry(shape=(2,), offset=0, size=8, kind=1, shard=0, more=b''):
    return (field(1, kind) + field(2, tensorflow_writer.shape_message(shape)) + field(3, shard)
            + field(4, offset) + field(5, size) + b'\x35' + tensorflow_writer.masked(bytes(8)) + more)


@pytest.mark.parametrize('entries, problem', [
    ([(b'v', entry())], 'the header of a checkpoint was expected'),
    ([(b'', b''), (b'v', entry())], 'the number of shards was expected, but it is 0'),
    ([(b'', field(1, 1) + field(3, field(2, 2))), (b'v', entry())], 'a checkpoint of version 2'),
    ([(b'', field(1, 1)), (b'v', entry((3,)))], r'there are 8 bytes for a float32 array of the shape'),
    ([(b'', field(1, 1)), (b'v', entry((2 ** 40, 2 ** 40)))], '8 bytes for a float32 array'),
    ([(b'', field(1, 1)), (b'v', entry((1,) * 33))], 'at most 32 dimensions'),
    ([(b'', field(1, 1)), (b'v', entry((2 ** 63,)))], 'a side of an array was expected'),
    ([(b'', field(1, 1)), (b'v', entry(shard=1))], 'only 1 shards and not shard 1'),
    ([(b'', field(1, 1)), (b'v', entry(offset=2 ** 63))], 'at byte 9223372036854775808 8 bytes'),
    ([(b'', field(1, 1)), (b'v', entry(size=2 ** 63))], '9223372036854775808 bytes of values'),
    ([(b'', field(1, 1)), (b'v', entry()), (b'w', entry())], '8 bytes of values were expected'),
    ([(b'', field(1, 1)), (b'v', entry()), (b'a', entry())], 'the keys are not in order'),
    ([(b'', field(1, 1)), (b'v', entry(kind=7))], 'bytes for strings of|does not end')])
def test_an_inconsistent_index_is_an_error(tmp_path, entries, problem):
    (tmp_path / 'a.index').write_bytes(tensorflow_writer.table(entries))
    (tmp_path / 'a.data-00000-of-00001').write_bytes(bytes(8))
    with pytest.raises(WeightFileError, match=problem):
        tensorflow.read(tmp_path / 'a.index')


@pytest.mark.parametrize('old, new, problem', [
    (field(5, bytes(8)), field(5, bytes(6)) + b'\x08\0', 'there are 6 bytes for a float32 array'),
    (b'\x18\1', b'\x18\x63', "a type of numbers was expected, but 'v' is of type 99"),
    (field(1, b'v') + field(2, field(1, b'')), field(1, b'w') + field(2, field(1, b'')),
     "it is of 'w', which is not listed")])
def test_an_inconsistent_checkpoint_of_version_1_is_an_error(tmp_path, monkeypatch, old, new, problem):
    def changed(entries, **options):
        return original([(key, value.replace(old, new)) for key, value in entries], **options)

    original = tensorflow_writer.table
    monkeypatch.setattr(tensorflow_writer, 'table', changed)
    (tmp_path / 'a').write_bytes(tensorflow_writer.version_1({'v': np.zeros(2)}))
    with pytest.raises(WeightFileError, match=rf'at byte \d+ .*{problem}'):
        tensorflow.read(tmp_path / 'a')


def stored(content, kind=b'\0'):
    """A table of one block of data."""
    data = content + kind + tensorflow_writer.masked(content + kind)
    index = tensorflow_writer.block([(b'', varint(0) + varint(len(content)))]) + b'\0'
    footer = varint(0) * 2 + varint(len(data)) + varint(len(index) - 1)
    return data + index + tensorflow_writer.masked(index) + footer.ljust(40, b'\0') + (
        tensorflow_writer.MAGIC)


@pytest.mark.parametrize('data, problem', [
    (stored(b'\0\0\2\x0a\0', b'\2'), 'has the compression 2'),
    (stored(b'\0\0'), 'a block of keys and values'),
    (stored(b'\0\0\2\x0a\0' + struct.pack('<I', 9)), 'a block of keys and values'),
    (stored(b'\1\0\2\x0a\0' + struct.pack('<2I', 0, 1)), 'a key and its value'),
    (stored(b'\0\0\x7f\x0a\0' + struct.pack('<2I', 0, 1)), 'a key and its value'),
    (stored(b'\xff\xff\xff\xff\x0f', b'\1'), 'at most 67108864 bytes of Snappy .* there are 4294967295'),
    (stored(b'\0\0\2\x0a\0' + struct.pack('<2I', 0, 1))[:-1], 'the end of a table'),
    (b'\0\0\2\x0a\0', 'at byte 0 the end of a table')])
def test_an_inconsistent_table_is_an_error(tmp_path, data, problem):
    (tmp_path / 'a').write_bytes(data)
    with pytest.raises(WeightFileError, match=problem) as caught:
        tensorflow.read(tmp_path / 'a')
    assert re.search(r'at byte \d+', str(caught.value))


def test_a_compressed_block_is_decompressed():
    # By hand: a size of 17 bytes, a literal of 6, a copy of 3 from 2 bytes before, and a literal of 8.
    data = b'\x11' + b'\x14\0\1\5kab' + b'\x0a\2\0' + b'\x1c' + struct.pack('<2I', 0, 1)
    (key, value, at), = SortedTable(memoryview(stored(data, b'\1')), 'a')
    assert (key, bytes(value), at) == (b'k', b'ababa', 0)


@pytest.mark.parametrize('data', [
    b'', b'\x90\x4e', b'\4\x0cabc', b'\3\xf4\2', b'\5\4ab\x0a\2',
    b'\5\4ab\x0a\3\0', b'\5\4ab\x0a\0\0', b'\2\x0cabcd', b'\5\x0cabcd'])
def test_a_damaged_compressed_block_is_an_error(data):
    with pytest.raises(WeightFileError, match='at byte 0 a block compressed with Snappy was expected'):
        list(SortedTable(memoryview(stored(data, b'\1')), 'a'))


def test_reading_takes_no_memory_for_the_weights(tmp_path):
    arrays = {str(number): np.zeros(5_000_000, 'f4') for number in range(2)}
    (tmp_path / 'v1').write_bytes(tensorflow_writer.version_1(arrays))
    tensorflow_writer.write_version_2(tmp_path / 'v2', arrays)
    for name in ('v1', 'v2'):
        tracemalloc.start()
        try:
            tree = converters.read(tmp_path / name)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()
        assert [array.shape for array in tree.values()] == [(5_000_000,)] * 2
