"""read and convert: the format by the bytes, the network by the tree; what no one knows is named."""

import pickle
import zipfile

import chainer
import numpy as np
import pytest

import chainer_seg
import converters
from chainer_seg.errors import WeightFileError
from chainer_seg.model_file import save_model
from chainer_seg.models.classifier import ResNetClassifier
from converters.formats import FORMATS, find_format, torch7_writer
from converters.inspection import conversion_warnings, mapping_lines, tree_lines
from converters.weight_mapping import WeightMapping, Placement
from converters.torch_export import torch_tree
from tests.converters.torch_networks import module


@pytest.mark.parametrize('ascii', [False, True])
def test_the_format_is_recognised_from_the_bytes_whatever_the_name(tmp_path, ascii):
    torch7_writer.write(tmp_path / 'weights.caffemodel', {'a': 1}, ascii=ascii)
    assert find_format(tmp_path / 'weights.caffemodel').name == 'Torch7'
    assert converters.read(tmp_path / 'weights.caffemodel')['a'] == 1


def test_every_format_can_be_converted():
    assert {form.name for form in FORMATS} == converters.NETWORKS.keys()


@pytest.mark.parametrize('act', [converters.read, converters.convert])
def test_a_file_without_weights_is_reported_in_one_sentence(tmp_path, act):
    (tmp_path / 'text').write_text('Weights')
    (tmp_path / 'empty').touch()
    for path, sentence in (
            (tmp_path / 'text', "is a text file that begins with 'Weights', not a weight file"),
            (tmp_path / 'empty', 'is an empty file'), (tmp_path, 'is a folder'),
            (tmp_path / 'none', 'cannot be read: No such file')):
        with pytest.raises(WeightFileError, match=sentence) as caught:
            act(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize('tree, found', [
    (None, 'contains None'), ({'a': 1, 'b': 2}, r'contains a table of 2 \(a, b\)'), ({}, 'an empty table'),
    (module('nn.gModule'), 'contains nn.gModule'), (np.zeros((2, 3)), 'contains <torch.DoubleTensor 2x3>'),
    ({'model': module('nn.Sequential', module('nn.Tanh'))}, r'contains nn.Sequential \(nn.Tanh\)'),
    ({'model': module('nn.Sequential')}, 'contains nn.Sequential, which'),
    ({'model': 3}, r'contains a table of 1 \(model\)')])
def test_another_network_is_named(tmp_path, tree, found):
    torch7_writer.write(tmp_path / 'a.t7', tree)
    with pytest.raises(WeightFileError, match=found):
        converters.convert(tmp_path / 'a.t7')


def test_a_tree_is_printed_with_classes_shapes_types_and_sharing(tmp_path):
    flat = np.arange(20, dtype=np.float32)
    layer = module('nn.Linear', weight=flat[:12].reshape(3, 4).T, bias=flat[12:15], inplace=False)
    torch7_writer.write(tmp_path / 'a.t7', {
        'model': module('nn.Sequential', layer, layer, p=0.5), 'note': 'a' * 99,
        'half': np.float16([1])})
    assert list(tree_lines(converters.read(tmp_path / 'a.t7'))) == [
        f"table of 3 note='{'a' * 60}...'",
        '  half: torch.HalfTensor float16 1, storage 1 from 0 of 1',
        '  model: nn.Sequential p=0.5',
        '    1: nn.Linear inplace=False',
        '      bias: torch.FloatTensor float32 3, storage 2 from 12 of 20',
        '      weight: torch.FloatTensor float32 4x3 with strides 1x4, storage 2 from 0 of 20',
        '    2: the same as model[1]']


def test_a_cycle_is_printed_once(tmp_path):
    table = {}
    table['self'] = table
    torch7_writer.write(tmp_path / 'a.t7', table)
    assert list(tree_lines(converters.read(tmp_path / 'a.t7'))) == [
        'table of 1', '  self: the same as the root']


def test_plain_dicts_lists_and_arrays_are_printed_in_the_order_of_the_file():
    tree = {'layers': {'fc': {'type': 'InnerProduct', 'bottom': ['x'], 'top': [], 'blobs':
                              [np.zeros((2, 3)), np.zeros(2, 'f4')]}},
            'epoch': 5, 'rates': [0.5] * 9, 'pair': (1, [2.5]), 'raw': memoryview(b'abc')}
    assert list(tree_lines(tree)) == [
        'dict of 5 epoch=5',
        '  layers: dict of 1',
        "    fc: dict of 4 type='InnerProduct' bottom=['x'] top=[]",
        '      blobs: list of 2',
        '        0: float64 2x3',
        '        1: float32 2',
        '  rates: list of 9 ' + ' '.join(f'{number}=0.5' for number in range(9)),
        '  pair: list of 2 0=1 1=[2.5]',
        '  raw: 3 bytes']


@pytest.mark.parametrize('start, name', [
    (b'PK\3\4', 'PyTorch'), (pickle.dumps(0x1950a86a20f9469cfc6c, 2), 'PyTorch'),
    (pickle.dumps(0x1950a86a20f9469cfc6c, 4), 'PyTorch'), (pickle.dumps({'a': 1}, 2), 'Detectron'),
    (pickle.dumps({'a': 1}, 0), 'Detectron'), (pickle.dumps(print, 0), 'Detectron'),
    (pickle.dumps({'a': 1}, 5), 'Detectron'), (b'\x0a\x03net\xa2\x06', 'Caffe'), (b'\x12\x05', 'Caffe'),
    (b'# The network.\n\nname: "net"', 'Caffe'), (b'layer {\n  name: "a"', 'Caffe'),
    (b'\0\0\x25\x0a\x23\x0a', 'TensorFlow'), (b'\0\0\x8f\x02\x0a\x8c', 'TensorFlow'),
    (b'\0\0\6\x08\1\x1a', 'TensorFlow'), (b'\x80\1\x57\xfb\x80\x8b\x24\x75\x47\xdb', 'TensorFlow'),
    (b'\x93NUMPY\1\0', 'kaffe'),
    (b'\3\0\0\0\1\0\0\0', 'Torch7'), (b'4\n1\n3\nV 1\n', 'Torch7')], ids=repr)
def test_the_format_is_recognised_from_the_first_bytes(tmp_path, start, name):
    (tmp_path / 'weights').write_bytes(start)
    assert find_format(tmp_path / 'weights').name == name


def test_an_unknown_format_names_what_can_be_read(tmp_path):
    (tmp_path / 'a.bin').write_bytes(b'\xde\xad\xbe\xef\0\0\0\0')
    with pytest.raises(WeightFileError, match='supported formats: Torch7, PyTorch, TensorFlow, kaffe, '
                                              'Caffe, Detectron'):
        converters.read(tmp_path / 'a.bin')


@pytest.mark.parametrize('path, lines', [
    ('detectron/public_mask_c4_5.pkl', (
        'dict of 2', '  blobs: dict of 228', '    conv1_w: float32 4x3x7x7',
        '    RFCN: dict of 1 PS_GRID_SIZE=3')),
    ('pytorch/yolact_base_1_10.pth', (
        'dict of 660', '  backbone.layers.0.0.conv1.weight: float32 2x2x1x1',
        '  backbone.bn1.num_batches_tracked: int64 scalar')),
    ('caffe/resnet50_b4.caffemodel', (
        "dict of 2 name='ResNet-50 base 4'",
        "    conv1: dict of 6 type='Convolution' bottom=['data'] top=['conv1'] phase='TEST'",
        '      convolution_param: dict of 4 num_output=4 pad=[3] kernel_size=[7] stride=[2]',
        '        0: float32 4x3x7x7'))], ids=lambda value: value if isinstance(value, str) else '')
def test_every_format_is_printed(shared_data, path, lines):
    printed = list(tree_lines(converters.read(shared_data / 'formats' / path)))
    assert set(lines) <= set(printed)


def test_arrays_that_were_forgotten_are_named():
    arrays = {f'a{number}': np.zeros(2) for number in range(9)}
    mapping = WeightMapping('file', arrays)
    mapping.use(arrays['a0'])
    mapping.skip(arrays['a1'], 'left over')
    with pytest.raises(WeightFileError, match='no place for: a2, a3, a4, a5, a6, a7 and 1 more'):
        mapping.close(chainer.Chain())


def test_parameters_without_a_value_are_named():
    mapping, model = WeightMapping('file', {}), chainer.links.Linear(2, 3)
    mapping.put(model.b.array, 1)
    with pytest.raises(WeightFileError, match='it has no array for /W'):
        mapping.close(model)


def test_an_array_under_two_names_counts_once():
    array = np.zeros(2)
    mapping = WeightMapping('file', {'first': array, 'second': array})
    mapping.use(array)
    mapping.close(chainer.Chain())
    assert mapping.used == ['first'] and mapping.summary() == {'arrays_used': 1, 'arrays_skipped': {}}


def test_an_array_of_another_shape_is_refused():
    array, target = np.ones((2, 3)), np.zeros((2, 3, 1, 1))
    mapping = WeightMapping('file', {'w': array})
    with pytest.raises(WeightFileError, match=r'w has the shape \(2, 3\), expected \(2, 3, 1, 1\)'):
        mapping.fill(target, array)
    mapping.fill(target, array, shape=(2, 3))
    assert target.sum() == 6


def test_each_array_has_a_placement_in_the_model():
    class Net(chainer.Chain):
        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.fc = chainer.links.Linear(2, 3)
                self.norm = chainer.links.BatchNormalization(3)

    arrays = {'weight': np.ones((3, 2, 1, 1), np.float16), 'bias': np.ones(3), 'mean': np.ones(3)}
    model, mapping = Net(), WeightMapping('file', arrays)
    mapping.fill(model.fc.W.array, arrays['weight'], (3, 2, 1, 1))
    shifted = arrays['mean'] - arrays['bias']
    mapping.put(model.norm.avg_mean, shifted, arrays['mean'], None, arrays['bias'])
    assert mapping.mapping(model) == [
        ('weight', (3, 2, 1, 1), 'float16', '/fc/W', (3, 2)),
        ('mean', (3,), 'float64', '/norm/avg_mean', (3,)),
        ('bias', (3,), 'float64', '/norm/avg_mean', (3,))]


def test_the_mapping_is_printed_in_columns():
    rows = [Placement('w', (3, 2, 1, 1), 'float16', '/fc/W', (3, 2)),
            Placement('mean', (), 'float64', '/norm/avg_mean', (1,))]
    assert list(mapping_lines(rows)) == ['w     float16 3x2x1x1  ->  /fc/W 3x2',
                                         'mean  float64 scalar   ->  /norm/avg_mean 1']


@pytest.mark.parametrize('path', [
    'detectron/public_mask_fpn_81.pkl', 'torch7/models/deepmask_bn_cudnn.t7',
    'torch7/models/sharpmask_tiny.t7'])
def test_every_array_of_a_genuine_file_is_in_the_mapping_or_skipped(shared_data, path):
    conversion = converters.conversion(shared_data / 'formats' / path)
    assert {row.name for row in conversion.mapping} == set(conversion.used)


def test_progress_counts_arrays_and_may_end_the_conversion(tmp_path):
    torch7_writer.write(tmp_path / 'a.t7', torch_tree(chainer_seg.load_model('deepmask')))
    steps = []
    conversion = converters.conversion(
        tmp_path / 'a.t7', progress=lambda used, total: steps.append((used, total)))
    used = len(set(conversion.used))
    assert sorted({step[0] for step in steps}) == list(range(1, used + 1))
    assert {step[1] for step in steps} == {used + len(conversion.skipped)}

    def interrupt(used, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        converters.conversion(tmp_path / 'a.t7', progress=interrupt)


def test_a_file_is_inspected_whether_its_network_is_known_or_not(tmp_path):
    torch7_writer.write(tmp_path / 'a.t7', torch_tree(chainer_seg.load_model('deepmask')))
    known = converters.inspect(tmp_path / 'a.t7')
    assert (known.format, known.network) == ('Torch7', 'nn.DeepMask')
    assert 'model.scoreBranch[2].weight' in known.arrays
    torch7_writer.write(tmp_path / 'b.t7', {'a': np.ones(3)})
    other = converters.inspect(tmp_path / 'b.t7')
    assert other.network is None and list(other.arrays) == ['a'] and other.tree['a'].shape == (3,)


def test_a_user_is_warned_of_skipped_rounded_and_unnamed_arrays():
    class Model:
        class_names, config = (), {'classes': 3}

    placed = [Placement('w', (2,), 'float64', '/W', (2,))]
    conversion = converters.Conversion(
        Model(), ['w'], {'g': 'gradient', 'h': 'gradient'}, placed)
    assert conversion_warnings(conversion) == [
        'Skipped 2 arrays, such as g: gradient.', 'Rounded 1 array from float64 to float32.',
        'The file has no class names; classes are numbers until class_names is set.']
    Model.class_names = ('a', 'b', 'c')
    assert conversion_warnings(converters.Conversion(Model(), ['w'], {}, [])) == []


@pytest.mark.parametrize('content, sentence', [
    (b'<!DOCTYPE html><html>', 'looks like a web page; download it again'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'is a Git LFS pointer'),
    (b'\x1f\x8b\x08\0', 'looks like a gzip archive; unpack it first'),
    (b'\x89HDF\r\n\x1a\n', 'is an HDF5 file'), (b'\x40\0\0\0\0\0\0\0{"a":{}}', 'is a safetensors file'),
    (b'\x08\0\0\0\0\0\0\0{"a":{}}', 'is a safetensors file'),
    (b'\x1c\0\0\0TFL3', 'is a TensorFlow Lite model'),
    (b'\x08\x07\x12\x07pytorch', 'is an ONNX model'),
    (b'MATLAB 5.0 MAT-file, Platform', 'is a MATLAB file'),
    (b'\x12\1\0\0\0\0\0\0', "of MXNet's parameters"),
    (b'\0\0\0\0\2\0\0\0\5\0\0\0' + bytes(12), "of Darknet's weights")])
def test_a_file_of_another_format_is_named_and_not_called_damaged(tmp_path, content, sentence):
    (tmp_path / 'weights').write_bytes(content)
    with pytest.raises(WeightFileError, match=sentence) as caught:
        converters.convert(tmp_path / 'weights')
    assert 'damaged' not in str(caught.value)


def test_a_model_file_of_this_package_needs_no_conversion(tmp_path):
    save_model(tmp_path / 'a.npz', ResNetClassifier(n_class=2, blocks=(1, 1), width=2))
    with pytest.raises(WeightFileError, match='is a model file of chainer_seg already; use it as it is'):
        converters.convert(tmp_path / 'a.npz')


def test_an_archive_of_weights_is_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        archive.writestr('weights.caffemodel', b'x')
    with pytest.raises(WeightFileError, match='zip archive .weights.caffemodel.; unpack it first'):
        converters.convert(tmp_path / 'a.zip')
