"""DeepLab of Caffe: every recorded blob, click models made of it, files that are something else."""

import functools
import pathlib

import numpy as np
import pytest
from chainer import functions as F
from chainer.links.caffe.protobuf3 import caffe_pb2

import converters
from chainer_seg import load_model, save_model
from chainer_seg.errors import WeightFileError
from chainer_seg.links import ResNet, copy_resnet
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from tests.arrays import assert_same_parameters

NETWORKS = ('deeplab_r101_b5', 'deeplab_r101_b2_double')
TOLERANCE = 1e-4  # of the largest value of the blob
BLOBS = 10  # recorded of each input


pytestmark = pytest.mark.usefixtures('evaluating')


@functools.cache
def converted(path, definition=None):
    return converters.convert(path, definition)


def blobs_of(model, x):
    """The outputs of a DeepLab under Caffe's names; those of ResNet-101 for the ends of the stages."""
    before = model.resnet.stem.conv(x)
    stem = F.relu(model.resnet.stem(x))
    stages = model.resnet(x)
    found = {'conv1_before_bn': before, 'conv1': stem, 'pool1': model.resnet.pool(stem),
             **dict(zip(('res2c', 'res3b3', 'res4b22', 'res5c'), stages)), 'fc1_voc12': model.forward(x)}
    for number, name in enumerate(model.pyramid.names):
        found[f'fc1_voc12_c{number}'] = model.pyramid[name](stages[-1])
    return {name: output.array for name, output in found.items()}


def sampled(array, sampling):
    if not sampling:
        return array
    channels, pixels = map(int, sampling.split(','))
    return array[:, ::channels, ::pixels, ::pixels]


@pytest.mark.parametrize('with_definition', [False, True])
@pytest.mark.parametrize('which', [0, 1])  # In one of them the pooled size is rounded.
@pytest.mark.parametrize('name', NETWORKS)
def test_every_recorded_blob_is_the_same(genuine, name, which, with_definition):
    model = converted(genuine / f'{name}.caffemodel',
                      genuine / f'{name}.prototxt' if with_definition else None)
    recorded = np.load(genuine / f'{name}.npz')
    found = blobs_of(model, recorded[f'in{which}'])
    print(f'\n{name} {recorded[f"in{which}"].shape}{" with its prototxt" * with_definition}')
    compared = set()
    for key in recorded.files:
        blob, _, sampling = key.removeprefix(f'out{which}/').removesuffix('#float64').partition('@')
        if not key.startswith(f'out{which}/') or blob.endswith(('#shape', '#stat')) or '#' in sampling:
            continue
        ours, expected = sampled(found[blob], sampling), recorded[key]
        assert ours.shape == expected.shape
        error = np.abs(ours - expected).max() / np.abs(expected).max()
        print(f'  {key:24} {expected.shape!s:18} {error:.1e}')
        assert error < TOLERANCE, key
        compared.add(key)
    assert len(compared) == BLOBS + name.endswith('double')


def test_every_array_is_used_and_the_architecture_is_that_of_the_file(genuine):
    conversion = converters.conversion(genuine / 'deeplab_r101_b5.caffemodel')
    assert len(conversion.used) == 104 + 104 * 5 + 4 * 2 and not conversion.skipped
    assert {row.name for row in conversion.mapping} == set(conversion.used)
    config = conversion.model.config
    assert (config['n_class'], config['in_channels'], config['width']) == (21, 3, 5)
    assert config['blocks'] == [3, 4, 23, 3] and config['stride_on'] == '1x1'
    assert config['strides'] == (1, 2, 1, 1) and config['dilations'] == (1, 1, 2, 4)
    assert config['pyramid'] == [6, 12, 18, 24] and config['pool_pad'] == 1
    assert conversion.model.class_names[:2] == ('background', 'aeroplane')
    assert conversion.model.origin['network'] == 'DeepLab of Caffe'


def test_a_converted_model_is_saved_and_loaded(genuine, tmp_path):
    model = converted(genuine / 'deeplab_r101_b5.caffemodel')
    save_model(tmp_path / 'a.npz', model)
    loaded = load_model(tmp_path / 'a.npz')
    x = np.load(genuine / 'deeplab_r101_b5.npz')['in0'][:, :, :33, :41]
    np.testing.assert_array_equal(loaded.forward(x).array, model.forward(x).array)
    assert len(loaded.class_names) == 21 and loaded.class_names[-1] == 'tvmonitor'


@pytest.mark.parametrize('target', [
    ResNet((3, 4, 23, 3), 5, norm='affine', pooling='ceil'),  # as the trunk of Mask R-CNN
    DeepLab(5, width=5).resnet, ClickSegmenter(width=5).net.resnet])
def test_other_networks_start_from_its_resnet(genuine, target):
    model = converted(genuine / 'deeplab_r101_b5.caffemodel')
    copy_resnet(model.resnet, target)
    x = np.load(genuine / 'deeplab_r101_b5.npz')['in0'][:, :, :33, :33]
    clicks = np.zeros((1, target.stem.conv.W.shape[1] - 3, 33, 33), np.float32)
    np.testing.assert_allclose(target(np.concatenate([x, clicks], axis=1))[1].array,
                               model.resnet(x)[1].array, rtol=1e-3, atol=1e-4)


# Changed files: a genuine one with the first block of each stage, and what a test does to it.

@pytest.fixture
def shorten(genuine, tmp_path):
    """Writes a network of one block a stage whose layers a function has changed; returns its path."""
    def write(change=None):
        network = caffe_pb2.NetParameter.FromString(
            (genuine / 'deeplab_r101_b2_double.caffemodel').read_bytes())
        kept = [layer for layer in network.layer if not is_later_block(layer.name)]
        if change is not None:
            change({layer.name: layer for layer in kept})
        path = tmp_path / 'short.caffemodel'
        path.write_bytes(caffe_pb2.NetParameter(layer=kept).SerializeToString())
        return path
    return write


def is_later_block(name):
    block = name.removeprefix('res').removeprefix('bn').removeprefix('scale').split('_')[0]
    return block != name and block[:1] in set('2345') and block[1:] != 'a'


def array_of(blob):
    return np.array(blob.double_data).reshape(tuple(blob.shape.dim))


def set_blob(blob, array):
    blob.shape.dim[:] = array.shape
    blob.double_data[:] = array.ravel()


def set_classes(count):
    """Leaves the heads so many classes."""
    def change(layers):
        for number in range(4):
            for blob in layers[f'fc1_voc12_c{number}'].blobs:
                set_blob(blob, array_of(blob)[:count])
            layers[f'fc1_voc12_c{number}'].convolution_param.num_output = count
    return change


def add_inputs(count, rng):
    """Gives the first convolution random weights for further inputs."""
    def change(layers):
        blob, = layers['conv1'].blobs
        clicks = rng.normal(0, .01, (blob.shape.dim[0], count, 7, 7))
        set_blob(blob, np.concatenate([array_of(blob), clicks], axis=1))
    return change


def both(*changes):
    def change(layers):
        for each in changes:
            each(layers)
    return change


def image(rng, channels):
    return rng.normal(0, 50, (1, channels, 33, 41)).astype(np.float32)


def test_other_sizes_and_numbers_of_classes_are_read(shorten):
    model = converters.convert(shorten(set_classes(7)))
    assert model.config['blocks'] == [1, 1, 1, 1] and model.config['n_class'] == 7
    assert model.class_names == ()
    named = converters.convert(shorten(set_classes(2)), {'class_names': ['background', 'cell']})
    assert named.class_names == ('background', 'cell')


def test_strides_and_dilations_are_those_of_the_file(shorten):
    def change(layers):
        for branch in ('1', '2a'):
            layers[f'res4a_branch{branch}'].convolution_param.stride[:] = [2]
        layers['res5a_branch2b'].convolution_param.dilation[:] = [2]
        layers['res5a_branch2b'].convolution_param.pad[:] = [2]
        for number in range(4):
            parameters = layers[f'fc1_voc12_c{number}'].convolution_param
            parameters.dilation[:] = parameters.pad[:] = [3 + number]

    model = converters.convert(shorten(change))
    assert model.config['strides'] == (1, 2, 2, 1) and model.config['dilations'] == (1, 1, 2, 2)
    assert model.config['pyramid'] == [3, 4, 5, 6]
    assert model.forward(np.zeros((1, 3, 64, 96), np.float32)).shape == (1, 21, 5, 7)


def test_a_head_of_one_convolution_of_size_1_becomes_the_centre_of_one_of_size_3(shorten, rng):
    def change(layers):
        for number in (1, 2, 3):
            layers[f'fc1_voc12_c{number}'].name = f'unused{number}'
            layers[f'unused{number}'] = layers.pop(f'fc1_voc12_c{number}')
            layers[f'unused{number}'].ClearField('blobs')
        head = layers['fc1_voc12_c0']
        head.name = 'fc1_coco'
        set_blob(head.blobs[0], array_of(head.blobs[0])[:, :, 1:2, 1:2])
        head.convolution_param.kernel_size[:] = [1]
        head.convolution_param.pad[:], head.convolution_param.dilation[:] = [0], [1]

    conversion = converters.conversion(shorten(change))
    model, x = conversion.model, image(rng, 3)
    weights = array_of(next(layer.blobs[0] for layer in caffe_pb2.NetParameter.FromString(
        shorten(change).read_bytes()).layer if layer.name == 'fc1_coco')).astype(np.float32)
    expected = F.convolution_2d(model.resnet(x)[-1], weights, model.pyramid.branch0.b)
    np.testing.assert_allclose(model.forward(x).array, expected.array, rtol=1e-4, atol=1e-4)
    assert {row.name for row in conversion.mapping} == set(conversion.used)


# Click models.

def test_inputs_for_clicks_make_a_click_model(shorten, rng):
    path = shorten(both(set_classes(1), add_inputs(2, rng)))
    model, plain = converters.convert(path), converters.convert(path, {'click': False})
    assert isinstance(model, ClickSegmenter) and isinstance(plain, DeepLab)
    assert (model.click_scale, model.click_mean, model.mask_input) == (1, 0, False)
    x = image(rng, 5)
    np.testing.assert_array_equal(model.forward(x).array, plain.forward(x).array)


def test_two_logits_become_their_difference(shorten, rng):
    path = shorten(both(set_classes(2), add_inputs(3, rng)))
    conversion = converters.conversion(path)
    x = image(rng, 6)
    softmax = F.softmax(converters.convert(path, {'click': False}).forward(x)).array
    assert conversion.model.mask_input and softmax[:, 1].std() > 1e-3
    np.testing.assert_allclose(F.sigmoid(conversion.model.forward(x)).array, softmax[:, 1:], atol=1e-5)
    assert {row.name for row in conversion.mapping} == set(conversion.used)


def test_a_deeplab_becomes_a_click_model_whose_clicks_count_for_nothing_yet(genuine):
    path = genuine / 'deeplab_r101_b5.caffemodel'
    conversion = converters.conversion(path, {'click': True, 'click_scale': 6, 'click_mean': 131})
    model = conversion.model
    assert (model.click_scale, model.click_mean) == (6, 131)
    x = np.load(genuine / 'deeplab_r101_b5.npz')['in0'][:, :, :33, :33]
    clicks = np.full((1, 2, 33, 33), 200, np.float32)
    for ours, theirs in zip(model.net.resnet(np.concatenate([x, clicks], axis=1)),
                            converted(path).resnet(x)):
        # Products of other shapes may be summed in another order.
        np.testing.assert_allclose(ours.array, theirs.array, rtol=1e-4, atol=1e-5)
    assert not any(array.any() for array in (model.net.pyramid.branch2.W.array,
                                             model.net.pyramid.branch0.b.array))
    assert set(conversion.skipped.values()) == {
        'head of 21 classes; a click model has one logit'}
    assert len(conversion.skipped) == 8


@pytest.mark.parametrize('as_file', [False, True])
def test_weights_for_the_clicks_may_be_given(shorten, tmp_path, rng, as_file):
    weights = rng.normal(0, .1, (2, 2, 7, 7)).astype(np.float32)
    np.save(tmp_path / 'clicks.npy', weights)
    path, x = shorten(set_classes(2)), image(rng, 5)
    model = converters.convert(path, {
        'click': True, 'click_weights': str(tmp_path / 'clicks.npy') if as_file else weights})
    colours = converters.convert(path).resnet.stem.conv(x[:, :3])
    expected = colours + F.convolution_2d(x[:, 3:], weights, stride=2, pad=3)
    np.testing.assert_allclose(model.net.resnet.stem.conv(x).array, expected.array, rtol=1e-4, atol=1e-4)


def test_a_click_model_is_saved_and_loaded(shorten, tmp_path, rng):
    model = converters.convert(shorten(both(set_classes(2), add_inputs(2, rng))), {'longest_side': 64})
    save_model(tmp_path / 'a.npz', model)
    loaded, x = load_model(tmp_path / 'a.npz'), image(rng, 5)
    assert loaded.longest_side == 64
    np.testing.assert_array_equal(loaded.forward(x).array, model.forward(x).array)


@pytest.mark.parametrize('config, problem', [
    ({'click': True, 'click_weights': np.zeros((2, 3, 7, 7))},
     r'click_weights have the shape \(2, 3, 7, 7\), expected \(2, 2, 7, 7\)'),
    ({'click': True, 'click_weights': 'missing.npy'}, 'missing.npy cannot be read as a .npy file'),
    ({'click': True, 'strides': (1, 2, 2, 1)}, r'strides of its stages are \(1, 2, 2, 1\)'),
    ({'class_names': ['a', 'b']}, 'has 2 class names, expected 21: a, b'),
    ({'dropout': .5}, 'a DeepLab has no option dropout; its options are class_names, click'),
    ({'pyramid': [1, 2, 3]}, 'arrays that the network has no place for: layers.fc1_voc12_c3')])
def test_a_configuration_that_does_not_fit_is_reported(shorten, config, problem):
    with pytest.raises(WeightFileError, match=problem):
        converters.convert(shorten(), config)


@pytest.mark.parametrize('config, problem', [
    ({'click_weights': np.zeros((2, 2, 7, 7))}, 'click_weights require a click model'),
    ({'click': [5]}, r'click = \[5\], expected true or false')])
def test_settings_of_click_models_are_not_dropped(shorten, config, problem):
    with pytest.raises(WeightFileError, match=problem):
        converters.convert(shorten(), config)


@pytest.mark.parametrize('config', [
    {'pool_pad': '1'}, {'longest_side': 'long'}, {'longest_side': [-1]},
    {'click': True, 'click_radius': {'a': 1}}, {'click': True, 'click_mean': [None]}])
def test_values_of_another_form_are_refused(shorten, config):
    with pytest.raises(WeightFileError, match=list(config)[-1]):
        converters.convert(shorten(), config)


# The three scales of the published training.

def add_scale(suffix, change=None):
    """Copies every layer for the image at another scale, as in the published train.prototxt."""
    def add(layers):
        for name, layer in list(layers.items()):
            copy = caffe_pb2.LayerParameter.FromString(layer.SerializeToString())
            head, is_head, number = name.partition('_voc12_c')
            copy.name = f'{head}_voc12{suffix}_c{number}' if is_head else name + suffix
            if change is not None and name == change:
                copy.blobs[0].double_data[0] += 1
            layers[copy.name] = copy
    return add


@pytest.fixture
def with_scales(shorten):
    def write(change=None):
        path = shorten()
        network = caffe_pb2.NetParameter.FromString(path.read_bytes())
        layers = {layer.name: layer for layer in network.layer}
        add_scale('_res05', change)(layers)
        path.write_bytes(caffe_pb2.NetParameter(layer=layers.values()).SerializeToString())
        return path
    return write


def test_layers_of_other_scales_share_their_weights(shorten, with_scales):
    plain = converters.conversion(shorten())
    conversion = converters.conversion(with_scales())
    assert len(conversion.skipped) == len(conversion.used) == len(plain.used)
    assert set(conversion.skipped.values()) == {'the same weights for the image at another scale'}
    assert_same_parameters(conversion.model, plain.model)


def test_other_weights_at_another_scale_are_an_error(with_scales):
    with pytest.raises(WeightFileError, match='res4a_branch2c_res05 does not share its weights'):
        converters.convert(with_scales('res4a_branch2c'))


# What is no DeepLab that can be converted.

def remove(name):
    def change(layers):
        layers[name].ClearField('blobs')
    return change


def give(name, **parameters):
    def change(layers):
        for key, value in parameters.items():
            getattr(layers[name].convolution_param, key)[:] = value
    return change


def multiply(layers):
    layers['res3a'].eltwise_param.operation = caffe_pb2.EltwiseParameter.PROD


def weigh(layers):
    layers['fc1_voc12'].eltwise_param.coeff[:] = [1, 1, .5, 1]


def turn(layers):
    blob = layers['res3a_branch2b'].blobs[0]
    set_blob(blob, array_of(blob).reshape(4, 4, 9, 1))


def narrow_head(layers):
    blob = layers['fc1_voc12_c2'].blobs[0]
    set_blob(blob, array_of(blob)[:5])


def enlarge_pooling(layers):
    layers['pool1'].pooling_param.kernel_size = 2


def forget_parameters(layers):
    layers['fc1_voc12_c1'].ClearField('convolution_param')


@pytest.mark.parametrize('change, problem', [
    (remove('res4a_branch2b'), 'its layer res4a_branch2b has 0 blobs, expected 1'),
    (remove('scale5a_branch1'), 'its layer scale5a_branch1 has 0 blobs, expected 1'),
    (turn, r'has the shape \(4, 4, 9, 1\), expected \(4, 4, 3, 3\)'),
    (narrow_head, 'its layer fc1_voc12_c2 has weights of the shape .* do not match those of fc1_voc12_c0'),
    (give('conv1', stride=[1]), "its stem has a layer with {'stride': 1"),
    (give('res3a_branch1', stride=[1]), 'res3a has a stride of 2, but its shortcut has 1'),
    (give('res4a_branch2b', pad=[1]), r'dilations \[2\] and the paddings \[1\]'),
    (give('fc1_voc12_c3', pad=[0]), 'its layer fc1_voc12_c3 has .* which changes the size'),
    (give('res2a_branch2b', stride=[1, 2]), r'stride \[1, 2\], expected the same in both directions'),
    (enlarge_pooling, "its stem has a layer with {'kernel_size': 2"),
    (forget_parameters, 'the parameters of its layer fc1_voc12_c1 are not in the file; give the .prototxt'),
    (multiply, 'its layer res3a must be a plain sum'), (weigh, 'its layer fc1_voc12 must be a plain sum')])
def test_another_network_is_reported_in_one_sentence(shorten, change, problem):
    with pytest.raises(WeightFileError, match=problem) as caught:
        converters.convert(shorten(change))
    assert '\n' not in str(caught.value) and str(caught.value).endswith('.')


def test_vgg_is_no_resnet(genuine):
    with pytest.raises(WeightFileError, match='a network on VGG-16, such as DeepLab-LargeFOV, which '
                                              'cannot be converted.* in this format: DeepLab-v2'):
        converters.convert(genuine / 'vgg16_v1_b2.caffemodel')


def edited(path, out, old, new):
    """A copy of a definition in which one text, which stands there, is replaced."""
    text = pathlib.Path(path).read_text()
    assert old in text
    out.write_text(text.replace(old, new, 1))
    return out


BLOCK = ('name: "res4b9_branch2b" type: "Convolution" convolution_param { num_output: 20 kernel_size: 3 '
         'pad: 2 stride: 1')


@pytest.mark.parametrize('old, new, problem', [
    ('num_output: 21', 'num_output: 19', 'its layer fc1_voc12_c0 has 19 outputs, and their shape is'),
    ('kernel_size: 7', 'kernel_size: 5', r'its layer conv1 has a kernel of the size \[5\]'),
    ('bias_term: false', 'bias_term: true', 'its layer conv1 needs 2 blobs, and they have 1'),
    (BLOCK, BLOCK.replace('stride: 1', 'stride: 2'), 'its block res4b9 has a stride of 2, which only'),
    ('name: "res4b7_branch2c"', 'name: "res4b7_branch2d"', 'it has no layer res4b7_branch2c'),
    ('name: "res4b22_branch2a"', 'name: "res4b23_branch2a"', 'it has no layer res4b23_branch2b'),
    ('"BatchNorm"', '"Scale"', 'its layer bn_conv1 is a Scale, and they have a BatchNorm')])
def test_a_definition_that_does_not_fit_is_reported(genuine, tmp_path, old, new, problem):
    definition = edited(genuine / 'deeplab_r101_b5.prototxt', tmp_path / 'a.prototxt', old, new)
    with pytest.raises(WeightFileError, match=problem):
        converters.convert(genuine / 'deeplab_r101_b5.caffemodel', definition)


def test_the_definition_of_another_network_is_reported(genuine):
    with pytest.raises(WeightFileError, match='resnet50_b4.prototxt does not fit the weights: its layer '
                                              'conv1 has 4 outputs'):
        converters.convert(genuine / 'deeplab_r101_b5.caffemodel', genuine / 'resnet50_b4.prototxt')
