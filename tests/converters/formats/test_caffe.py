"""Caffe's networks: blobs as the protobuf library reads them, definitions, files that lie."""

import re
import struct
import tracemalloc

import numpy as np
import pytest
from chainer.links.caffe.protobuf3 import caffe_pb2

import converters
from chainer_seg.errors import WeightFileError
from converters.formats import caffe, find_format, protobuf_wire

NETWORKS = ('deeplab_r101_b2_double', 'deeplab_r101_b5', 'resnet50_b4', 'vgg16_v1_b2')


def by_protobuf(path):
    """The blobs of the layers, each read by the protobuf library, with the library's shapes."""
    network = caffe_pb2.NetParameter.FromString(path.read_bytes())
    for layer in (*network.layers, *network.layer):
        blobs = []
        for blob in layer.blobs:
            values, dtype = (blob.double_data, 'f8') if blob.double_data else (blob.data, 'f4')
            sides = blob.shape.dim if blob.HasField('shape') else (
                blob.num, blob.channels, blob.height, blob.width)
            blobs.append(np.array(values, dtype).reshape(tuple(sides)))
        yield layer.name, blobs


@pytest.mark.parametrize('name', NETWORKS)
def test_blobs_are_those_of_the_protobuf_library(genuine, name):
    layers = caffe.read(genuine / f'{name}.caffemodel')['layers']
    expected = dict(by_protobuf(genuine / f'{name}.caffemodel'))
    assert list(layers) == list(expected)
    for layer, blobs in expected.items():
        assert len(layers[layer]['blobs']) == len(blobs)
        for found, blob in zip(layers[layer]['blobs'], blobs):
            np.testing.assert_array_equal(found, blob, strict=True)
            assert not found.flags.writeable


@pytest.mark.parametrize('name', NETWORKS)
def test_types_and_shapes_are_those_of_the_description(genuine, name):
    text = (genuine / 'README.md').read_text()
    section = text[text.index(f'### {name}\n') + 4:].split('\n### ')[0].split('\n## ')[0]
    listed = re.findall(r'^(\w+) +([A-Z]\w+) +((?:\([\d,]+\) ?)+)$', section, re.MULTILINE)
    layers = caffe.read(genuine / f'{name}.caffemodel')['layers']
    found = [(key, layer['type'], [blob.shape for blob in layer['blobs']])
             for key, layer in layers.items() if layer['blobs']]
    assert found == [(key, kind, [tuple(int(side) for side in shape.split(',') if side)
                                  for shape in re.findall(r'\(([\d,]+)\)', shapes)])
                     for key, kind, shapes in listed]


def test_parameters_of_layers_are_read_from_both_file_formats(genuine):
    for ending in ('caffemodel', 'prototxt'):
        tree = caffe.read(genuine / f'deeplab_r101_b5.{ending}')
        layers = tree['layers']
        assert tree['name'] == 'DeepLab-v2 ResNet-101 base 5'
        assert layers['res4b22_branch2b']['convolution_param'] == {
            'num_output': 20, 'kernel_size': [3], 'pad': [2], 'stride': [1], 'dilation': [2],
            'bias_term': False}
        assert layers['fc1_voc12_c3']['convolution_param']['dilation'] == [24]
        assert layers['pool1']['pooling_param'].get('pad') == 1
        assert layers['fc1_voc12']['bottom'] == [f'fc1_voc12_c{number}' for number in range(4)]
        assert layers['fc1_voc12']['type'] == 'Eltwise'


def test_the_old_generation_is_in_the_words_of_the_new(genuine):
    layers = caffe.read(genuine / 'vgg16_v1_b2.caffemodel')['layers']
    assert {layer['type'] for layer in layers.values()} == {
        'Convolution', 'ReLU', 'Pooling', 'InnerProduct', 'Dropout', 'Softmax'}
    assert layers['fc6']['blobs'][0].shape == (1, 1, 32, 64)


def test_a_definition_gives_the_parameters_and_the_network_the_weights(genuine):
    tree = caffe.read(genuine / 'deeplab_r101_b5.caffemodel')
    merged = caffe.with_definition(tree, genuine / 'deeplab_r101_b5.prototxt')['layers']
    definition = caffe.read(genuine / 'deeplab_r101_b5.prototxt')['layers']
    assert merged.keys() == definition.keys()
    assert merged['conv1']['blobs'][0] is tree['layers']['conv1']['blobs'][0]
    assert sum(bool(layer['blobs']) for layer in merged.values()) == 316


@pytest.mark.parametrize('change, problem', [
    (('num_output: 4 kernel_size: 7', 'num_output: 5 kernel_size: 7'), 'conv1 has 5 outputs'),
    (('num_output: 4 kernel_size: 7', 'num_output: 4 kernel_size: 5'), 'conv1 has a kernel of the size'),
    (('type: "Scale"', 'type: "Bias"'), 'scale_conv1 is a Bias, and they have a Scale')])
def test_a_definition_of_another_network_is_an_error(genuine, tmp_path, change, problem):
    tree = caffe.read(genuine / 'resnet50_b4.caffemodel')
    text = (genuine / 'resnet50_b4.prototxt').read_text()
    (tmp_path / 'a.prototxt').write_text(text.replace(*change, 1))
    with pytest.raises(WeightFileError, match=f'not fit the weights: its layer {problem}'):
        caffe.with_definition(tree, tmp_path / 'a.prototxt')


@pytest.mark.parametrize('text, problem', [
    ('name: "x"', 'has no layers'), ('layer { name: "a" ', 'cannot be read as a prototxt'),
    ('layer { type: 5 }', 'cannot be read as a prototxt: 1:15'), ('layer { name: "a" } }', 'be read'),
    ('layer {' * 3000, 'be read'),
    ('name: "' + 'x' * (1 << 20) + '"', 'but a prototxt may have at most')])
def test_a_definition_that_cannot_be_read_is_one_error(tmp_path, text, problem):
    (tmp_path / 'a.prototxt').write_text(text)
    with pytest.raises(WeightFileError, match=problem) as caught:
        caffe.read(tmp_path / 'a.prototxt')
    assert 'a.prototxt' in str(caught.value) and '\n' not in str(caught.value)


def test_comments_and_unknown_fields_of_a_definition_are_passed_over(tmp_path):
    (tmp_path / 'a').write_text('# A net.\n\nname: "n"  # its name\nlayer { name: "a" type: "Pooling" '
                                'pooling_param { kernel_size: 3 round_mode: FLOOR } newer: 5 }')
    tree = caffe.read(tmp_path / 'a')
    assert tree['layers']['a']['pooling_param'] == {'kernel_size': 3}


def field(number, content):
    """A field of the wire format: a number, or bytes behind their length."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value):
    value, data = value % (1 << 64), b''
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def network(*blobs, layer=100, blob=7, name=1):
    """A network of one layer with these blobs."""
    inside = field(name, b'fc') + b''.join(field(blob, content) for content in blobs)
    return field(1, b'net') + field(layer, inside)


def read_bytes(folder, data):
    (folder / 'made.caffemodel').write_bytes(data)
    return caffe.read(folder / 'made.caffemodel')


FLOATS = struct.pack('<6f', *range(6))
SIX = np.arange(6, dtype='f4')


@pytest.mark.parametrize('blob, expected', [
    (field(7, field(1, varint(2) + varint(3))) + field(5, FLOATS), SIX.reshape(2, 3)),
    (field(7, field(1, 2) + field(1, 3)) + field(5, FLOATS), SIX.reshape(2, 3)),
    (field(1, 1) + field(2, 1) + field(3, 2) + field(4, 3) + field(5, FLOATS), SIX.reshape(1, 1, 2, 3)),
    (field(5, FLOATS[:8]) + field(7, field(1, b'\6')) + field(5, FLOATS[8:]), SIX),
    (field(7, field(1, b'\6')) + field(6, FLOATS) + field(5, FLOATS), SIX),  # with gradients
    (field(7, field(1, b'\6')) + field(8, struct.pack('<6d', *range(6))), SIX.astype('f8')),
    (field(7, b'') + field(5, FLOATS[4:8]), np.array(1, 'f4')),
    (field(7, field(1, varint(0) + varint(3))) + field(5, b''), np.zeros((0, 3), 'f4'))])
def test_every_way_of_writing_a_blob(tmp_path, blob, expected):
    for options in ({}, {'layer': 2, 'blob': 6, 'name': 4}):
        tree = read_bytes(tmp_path, network(blob, **options))
        np.testing.assert_array_equal(tree['layers']['fc']['blobs'][0], expected, strict=True)


@pytest.mark.parametrize('blob, problem', [
    (field(7, field(1, b'\7')) + field(5, FLOATS), r'a blob of the shape \(7,\) .* 24 bytes'),
    (field(7, field(1, b'\6')) + field(5, FLOATS[:-1]), '23 bytes'), (field(5, FLOATS), r'shape \(\)'),
    (field(7, field(1, varint(1 << 40) + varint(1 << 40))) + field(5, FLOATS), 'a blob of the shape'),
    (field(7, field(1, varint(-2) + varint(-3))) + field(5, FLOATS), 'a blob of the shape'),
    (field(7, field(1, varint(1 << 40) + varint(0))) + field(5, b''), 'a blob of the shape'),
    (field(7, field(1, b'\1' * 33)) + field(5, FLOATS[:4]), 'a blob of the shape'),
    (field(7, field(1, b'\6')) + b'\x2d' + FLOATS[:4],
     r'a blob of the shape \(6,\) .* 4 bytes'),
    (field(7, field(1, b'\xff' * 11)), 'a BlobProto was expected'),
    (b'\x3a\xff\x7f', 'it has 16383 bytes and 0 are left'), (b'\x3b', 'there is field 7 of type 3'),
    (b'\x02\x00', 'there is field 0 of type 2')])
def test_an_inconsistent_blob_is_an_error_with_its_position(tmp_path, blob, problem):
    with pytest.raises(WeightFileError, match=r'at byte \d+ .*' + problem):
        read_bytes(tmp_path, network(blob))


@pytest.mark.parametrize('data, problem', [
    (field(1, b'net'), 'has no layers'),
    (field(2, field(1, field(1, b'old'))), 'format of 2013'),
    (network(field(7, field(1, b'\1')) + field(5, FLOATS[:4])) * 2, "two layers named 'fc'"),
    (field(100, field(106, b'\xff')), 'a LayerParameter was expected, but it cannot be read'),
    (field(100, field(1, b'x' * (1 << 21))), 'they are too long')])
def test_another_file_is_reported_in_one_sentence(tmp_path, data, problem):
    with pytest.raises(WeightFileError, match=problem):
        read_bytes(tmp_path, data)


def test_layers_of_two_phases_may_share_a_name(tmp_path):
    blob = field(7, field(1, b'\1')) + field(5, FLOATS[:4])
    layers = read_bytes(tmp_path, network() + network(blob))['layers']
    assert list(layers) == ['fc', 'fc#2']
    assert [len(layer['blobs']) for layer in layers.values()] == [1, 0]


def test_the_number_of_fields_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(protobuf_wire, '_MOST_FIELDS', 100)
    with pytest.raises(WeightFileError, match='there are more than 100'):
        read_bytes(tmp_path, field(3, b'x') * 101)


def test_reading_takes_no_memory_for_the_weights(tmp_path):
    count = 10_000_000
    blob = field(7, field(1, varint(count))) + field(5, bytes(4 * count))
    (tmp_path / 'a.caffemodel').write_bytes(network(blob))
    tracemalloc.start()
    try:
        tree = caffe.read(tmp_path / 'a.caffemodel')
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert tree['layers']['fc']['blobs'][0].shape == (count,)


def half_blob(array, number=12):
    """A blob of halves: as NVIDIA's Caffe writes them today, or in its first versions (10)."""
    shape = field(7, field(1, b''.join(map(varint, array.shape))))
    with np.errstate(over='ignore'):
        halves = array.astype('<f2')
    if number == 12:
        return shape + varint(10 << 3) + varint(2) + field(12, halves.tobytes())
    return shape + field(10, b''.join(varint(int(bits)) for bits in halves.view('<u2').ravel()))


def network_of(blob):
    return field(100, field(1, b'a') + field(2, b'Convolution') + field(7, blob))


@pytest.mark.parametrize('number', [10, 12])
def test_halves_are_read_in_both_encodings(tmp_path, rng, number):
    array = rng.normal(size=(2, 3, 1, 1)).astype(np.float16)
    (tmp_path / 'a.caffemodel').write_bytes(network_of(half_blob(array, number)))
    found, = caffe.read(tmp_path / 'a.caffemodel')['layers']['a']['blobs']
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize('kind, dtype', [(0, '<f8'), (1, '<f4')])
def test_raw_numbers_of_other_precisions_are_read(tmp_path, kind, dtype):
    array = np.arange(6, dtype=dtype)
    blob = field(7, field(1, varint(6))) + varint(10 << 3) + varint(kind)
    blob += field(12, array.tobytes())
    (tmp_path / 'a.caffemodel').write_bytes(network_of(blob))
    found, = caffe.read(tmp_path / 'a.caffemodel')['layers']['a']['blobs']
    np.testing.assert_array_equal(found, array)


def test_numbers_that_are_not_packed_are_read(tmp_path):
    single = b''.join(varint(5 << 3 | 5) + struct.pack('<f', value) for value in (1.5, -2.5))
    (tmp_path / 'a.caffemodel').write_bytes(network_of(field(7, field(1, varint(2))) + single))
    found, = caffe.read(tmp_path / 'a.caffemodel')['layers']['a']['blobs']
    assert found.tolist() == [1.5, -2.5]


@pytest.mark.parametrize('encoded, named', [
    (varint(10 << 3) + varint(3) + field(12, b'\1\2'), 'of the type 3'),
    (field(15, b'\1\2'), 'an unsupported encoding .field 15')])
def test_an_encoding_that_is_not_read_is_not_called_damage(tmp_path, encoded, named):
    (tmp_path / 'a.caffemodel').write_bytes(network_of(field(7, field(1, varint(2))) + encoded))
    with pytest.raises(WeightFileError, match=named) as caught:
        caffe.read(tmp_path / 'a.caffemodel')
    assert 'damaged' not in str(caught.value)


def test_a_half_precision_network_converts_to_its_rounded_weights(genuine, tmp_path):
    network = caffe_pb2.NetParameter.FromString((genuine / 'resnet50_b4.caffemodel').read_bytes())
    parts = [field(1, b'shrunk')]
    for layer in network.layer:
        blobs = [half_blob(np.float32(blob.data).reshape(blob.shape.dim)) for blob in layer.blobs]
        del layer.blobs[:]
        parts.append(field(100, layer.SerializeToString() + b''.join(field(7, blob) for blob in blobs)))
    (tmp_path / 'half.caffemodel').write_bytes(b''.join(parts))
    ours, theirs = (converters.convert(path) for path in (
        tmp_path / 'half.caffemodel', genuine / 'resnet50_b4.caffemodel'))
    expected = theirs.resnet.res3[1].middle.conv.W.array
    np.testing.assert_array_equal(ours.resnet.res3[1].middle.conv.W.array,
                                  expected.astype(np.float16).astype(np.float32))


TEXT = 'name: "net"\nlayer { name: "a" type: "Convolution" }\n'


@pytest.mark.parametrize('content', [
    ('# a comment\n' * 100 + TEXT).encode(), b'\xef\xbb\xbf' + TEXT.encode(), TEXT.encode('utf-16'),
    ('\ufeff' + TEXT).encode('utf-16-be'), b'# \xb5\xda\xd2\xbb\xb2\xe3 in GBK\n' + TEXT.encode(),
    ('\r\n' * 500 + TEXT.replace('\n', '\r\n')).encode(), ('# no end' + '\n' + TEXT.rstrip()).encode(),
    b'default_forward_type: FLOAT16\n' + TEXT.encode(), b'debug_info: true\n' + TEXT.encode(),
    b'layer < name: "a" type: "Convolution" >'], ids=range(10))
def test_a_definition_is_known_whatever_it_begins_with(tmp_path, content):
    (tmp_path / 'a.prototxt').write_bytes(content)
    assert find_format(tmp_path / 'a.prototxt').name == 'Caffe'
    assert caffe.read(tmp_path / 'a.prototxt')['layers']['a']['type'] == 'Convolution'


def test_layers_of_an_authors_own_caffe_keep_their_types(tmp_path):
    (tmp_path / 'a.prototxt').write_text(
        'layers { name: "d" type: IMAGE_SEG_DATA image_data_param { label_type: PIXEL } }\n'
        'layers { name: "c" type: CONVOLUTION convolution_param { num_output: 2 hole: 12 } }\n'
        'layers { name: "i" type: INTERP }')
    layers = caffe.read(tmp_path / 'a.prototxt')['layers']
    assert [layer['type'] for layer in layers.values()] == ['ImageSegData', 'Convolution', 'Interp']
    assert layers['c']['convolution_param']['dilation'] == [12]  # DeepLab's hole is Caffe's dilation.


@pytest.mark.parametrize('value', ['${NUM_LABELS}', '$NUM_LABELS', '{{ classes }}', '@CLASSES@'])
def test_a_template_is_reported_with_what_is_missing(tmp_path, value):
    (tmp_path / 'a.prototxt').write_text(
        f'# ${{IN_A_COMMENT}}\nlayer {{ name: "${{EXP}}" convolution_param {{ num_output: {value} }} }}')
    with pytest.raises(WeightFileError, match='is a template, not a prototxt') as caught:
        caffe.read(tmp_path / 'a.prototxt')
    assert repr(value) in str(caught.value)


def test_placeholders_in_strings_do_no_harm(tmp_path):
    (tmp_path / 'a.prototxt').write_text('layer { name: "a" include { stage: "${EXP}/list" } }')
    assert list(caffe.read(tmp_path / 'a.prototxt')['layers']) == ['a']


def test_a_solver_is_no_network(tmp_path):
    (tmp_path / 'solver.prototxt').write_text('# SGD\nnet: "train.prototxt"\nbase_lr: 0.001\n')
    with pytest.raises(WeightFileError, match='is the definition of a solver; give the prototxt'):
        caffe.read(tmp_path / 'solver.prototxt')


def test_changed_halves_and_definitions_give_a_value_or_the_error(tmp_path, rng):
    array = rng.normal(size=(2, 3, 3, 3)).astype(np.float16)
    seeds = [network_of(half_blob(array, 10)), network_of(half_blob(array, 12)), TEXT.encode('utf-16'),
             b'# x\nlayers { type: ODD convolution_param { hole: 3 num_output: ${N} } name: "a" }']
    outcomes = set()
    for _ in range(600):
        changed = bytearray(seeds[rng.integers(len(seeds))])
        for at in rng.integers(0, len(changed), 2):
            changed[at] = rng.integers(256)
        (tmp_path / 'a').write_bytes(changed)
        try:
            outcomes.add(type(caffe.read(tmp_path / 'a')))
        except WeightFileError as error:
            assert '\n' not in str(error)
            outcomes.add(type(error))
    assert outcomes == {dict, WeightFileError}
