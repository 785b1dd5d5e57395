"""DeepLab and click models of TensorFlow and kaffe: outputs of every layer, names, epsilon, training."""

import pathlib

import numpy as np
import pytest

import converters
from chainer_seg import load_model, save_model
from chainer_seg.compat.blank import blank_parameters
from chainer_seg.errors import WeightFileError
from chainer_seg.links import copy_resnet
from chainer_seg.links.batch_norm import EPS
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from converters import tensorflow_deeplab
from converters.formats import caffe
from converters.weight_mapping import WeightMapping
from tests.arrays import assert_same_parameters
from tests.converters.formats import tensorflow_writer
from tests.converters.test_deeplab import blobs_of, sampled

DATA = pathlib.Path(__file__).parent / 'formats' / 'data' / 'tensorflow'
STAGES = ('res2a', 'res3b1', 'res4b1', 'res5a')
TOLERANCE = 1e-4  # of the largest value of a layer
SLIM = {'scale': 'gamma', 'offset': 'beta', 'mean': 'moving_mean', 'variance': 'moving_variance'}
SLIM_EPS, CAFFE_EPS = 1e-3, 1e-5


pytestmark = pytest.mark.usefixtures('evaluating')


def network_of(model):
    return model.net if isinstance(model, ClickSegmenter) else model


@pytest.mark.parametrize('which', [0, 1])  # In one of them TensorFlow pads both sides alike.
@pytest.mark.parametrize('name, file', [('click', 'click_v1.ckpt'), ('semantic', 'semantic')])
def test_every_layer_is_that_of_tensorflow(name, file, which):
    model = network_of(converters.convert(DATA / file))
    recorded = np.load(DATA / f'{name}.npz')
    found = blobs_of(model, recorded[f'in{which}'])
    found |= dict(zip(STAGES, (found[key] for key in ('res2c', 'res3b3', 'res4b22', 'res5c'))))
    for layer in ('conv1', 'pool1', *STAGES, 'fc1_voc12'):
        expected = recorded[f'out{which}/{layer}']
        assert found[layer].shape == expected.shape
        error = np.abs(found[layer] - expected).max() / np.abs(expected).max()
        print(f'{name} {layer:10} {expected.shape!s:16} {error:.1e}')
        assert error < 1e-5, layer


def test_a_click_model_sees_clicks_as_the_original_does():
    conversion = converters.conversion(DATA / 'click_v1.ckpt')
    config = conversion.model.config
    assert (config['click_scale'], config['click_mean'], config['padding']) == (6, 131, 'same')
    assert len(conversion.used) == 123 and not conversion.skipped
    assert conversion.model.origin['network'] == 'DeepLab of TensorFlow'


def test_a_semantic_network_has_the_sizes_of_the_file(tmp_path):
    model = converters.convert(DATA / 'semantic', {'class_names': ['background', 'a', 'b', 'c']})
    assert isinstance(model, DeepLab) and model.class_names == ('background', 'a', 'b', 'c')
    assert (model.config['blocks'], model.config['width']) == ([1, 2, 2, 1], 2)
    save_model(tmp_path / 'a.npz', model)
    x = np.load(DATA / 'semantic.npz')['in1']
    loaded = load_model(tmp_path / 'a.npz')
    np.testing.assert_array_equal(loaded.forward(x).array, model.forward(x).array)


# Genuine arrays of Caffe, with outputs that OpenCV computed, as kaffe and TensorFlow have them.

def kaffe_layers(path, keep_four):
    """The dict that kaffe makes of a .caffemodel; its reader without Caffe keeps some shapes of four."""
    blobs = {name: [np.asarray(blob, np.float32) for blob in layer['blobs']]
             for name, layer in caffe.read(path)['layers'].items() if layer['blobs']}
    layers = {}
    for name, arrays in blobs.items():
        if name.startswith('bn'):
            mean, variance, factor = arrays
            scale, offset = blobs[name.replace('bn', 'scale', 1)]
            shape = (1, 1, 1, -1) if keep_four else (-1,)
            layers[name] = {'mean': (mean / factor).reshape(shape), 'variance': variance / factor,
                            'scale': scale.reshape(shape), 'offset': offset}
        elif not name.startswith('scale'):
            layers[name] = {'weights': arrays[0].transpose(2, 3, 1, 0)}
            layers[name].update(zip(['biases'], arrays[1:]))
    return layers


def slim_variables(layers):
    """The variables with slim's names; its larger epsilon is taken from the variances."""
    variables = {f'{layer}/{SLIM.get(key, key)}': array for layer, arrays in layers.items()
                 for key, array in arrays.items()}
    return {name: array + np.float32(CAFFE_EPS - SLIM_EPS) if name.endswith('variance') else array
            for name, array in variables.items()}


def write_kaffe(path, layers):
    np.save(path, np.array(layers, object), allow_pickle=True)


def write_version_1(path, layers):
    path.write_bytes(tensorflow_writer.version_1(slim_variables(layers)))


def write_version_2(path, layers):
    tensorflow_writer.write_version_2(path, slim_variables(layers), per_block=30)


@pytest.mark.parametrize('write, name, keep_four', [
    (write_kaffe, 'layers.npy', False), (write_kaffe, 'layers.npy', True),
    (write_version_1, 'model.ckpt', False), (write_version_2, 'model.ckpt-20000', False)])
def test_arrays_of_caffe_give_the_outputs_of_caffe(shared_data, tmp_path, write, name, keep_four):
    genuine = shared_data / 'formats' / 'caffe' / 'deeplab_r101_b5.caffemodel'
    write(tmp_path / name, kaffe_layers(genuine, keep_four))
    # TensorFlow's padding is Caffe's at one of the sizes alone.
    model = converters.convert(tmp_path / name, {'padding': 'zero'})
    recorded = np.load(genuine.with_suffix('.npz'))
    for which in (0, 1):
        found = blobs_of(model, recorded[f'in{which}'])
        for key in recorded.files:
            blob, _, sampling = key.removeprefix(f'out{which}/').partition('@')
            if key.startswith(f'out{which}/') and '#' not in key:
                ours, expected = sampled(found[blob], sampling), recorded[key]
                assert np.abs(ours - expected).max() < TOLERANCE * np.abs(expected).max(), key


# Names.

def published(classes=21, inputs=3, blocks=(3, 4, 23, 3)):
    """Names and shapes of the variables that DeepLab-ResNet's code makes, 101 layers and the head."""
    shapes = {}

    def convolution(name, size, inputs, outputs, norm):
        shapes[f'{name}/weights'] = (size, size, inputs, outputs)
        for key in ('gamma', 'beta', 'moving_mean', 'moving_variance'):
            shapes[f'{norm}/{key}'] = (outputs,)
        return outputs

    channels = convolution('conv1', 7, inputs, 64, 'bn_conv1')
    for stage, count in enumerate(blocks, start=2):
        names = 'abc' if count == 3 else ['a', *(f'b{number}' for number in range(1, count))]
        width = 32 * 2 ** (stage - 1)
        for name in names:
            parts = [('branch2a', 1, channels, width), ('branch2b', 3, width, width),
                     ('branch2c', 1, width, 4 * width)]
            parts += [('branch1', 1, channels, 4 * width)] * (name == 'a')
            for branch, *sizes in parts:
                convolution(f'res{stage}{name}_{branch}', *sizes, f'bn{stage}{name}_{branch}')
            channels = 4 * width
    for number in range(4):
        shapes[f'fc1_voc12_c{number}/weights'] = (3, 3, channels, classes)
        shapes[f'fc1_voc12_c{number}/biases'] = (classes,)
    return shapes


def zeros(shapes):
    return {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}


@pytest.mark.parametrize('classes, inputs', [(21, 3), (1, 5)])
def test_every_variable_of_the_published_checkpoints_has_its_place(classes, inputs):
    tree = zeros(published(classes, inputs))
    assert len(tree) == 104 + 104 * 4 + 4 * 2
    mapping = WeightMapping('deeplab_resnet.ckpt', tree)
    with blank_parameters():
        model = tensorflow_deeplab.build(tree, mapping, {})
    mapping.close(model)
    assert sorted(mapping.used) == sorted(tree) and not mapping.skipped
    config = model.config
    assert (config['blocks'], config['width'], config['pyramid']) == ([3, 4, 23, 3], 64, (6, 12, 18, 24))
    assert isinstance(model, DeepLab if classes == 21 else ClickSegmenter)
    assert classes == 1 or model.class_names[15] == 'person'


@pytest.fixture
def small():
    """The variables of a small click model."""
    return {name: np.asarray(array) for name, array in converters.read(DATA / 'click_v1.ckpt').items()}


@pytest.fixture
def convert(tmp_path):
    def function(variables, config=None):
        tensorflow_writer.write_version_2(tmp_path / 'model', variables)
        return converters.conversion(tmp_path / 'model', config)
    return function


def test_what_training_leaves_is_skipped_with_the_reason(small, convert):
    extra = {'conv1/weights/Momentum': 5, 'train/conv1/weights/Adam_1': 5, 'conv1/weights/Adam': 5,
             'bn_conv1/gamma/RMSProp': 2, 'bn_conv1/gamma/ExponentialMovingAverage': 2}
    counters = ('global_step', 'optim/beta1_power', 'beta2_power_1')
    conversion = convert(small | {name: np.zeros(size, 'f4') for name, size in extra.items()}
                         | {name: np.float32(1).reshape(()) for name in counters})
    assert conversion.skipped == {
        'bn_conv1/gamma/ExponentialMovingAverage': 'moving average of training',
        'bn_conv1/gamma/RMSProp': "optimizer's state", 'conv1/weights/Adam': "optimizer's state",
        'conv1/weights/Momentum': "optimizer's state", 'train/conv1/weights/Adam_1': "optimizer's state",
        'global_step': 'counter of training', 'optim/beta1_power': 'counter of training',
        'beta2_power_1': 'counter of training'}
    assert len(conversion.used) == 123


def test_a_network_in_one_of_several_scopes(small, convert):
    both = {f'{scope}/{name}': array for scope in ('first', 'second') for name, array in small.items()}
    with pytest.raises(WeightFileError, match='networks in the scopes first/, second/; give one of'):
        convert(both)
    with pytest.raises(WeightFileError, match="no network in the scope 'third'; its scopes are first"):
        convert(both, {'scope': 'third'})
    conversion = convert(both, {'scope': 'second'})
    assert set(conversion.skipped) == {name for name in both if name.startswith('first/')}
    assert set(conversion.skipped.values()) == {'variable of another scope'}
    conversion = convert(small | {f'average/{name}': array for name, array in small.items()})
    assert len(conversion.skipped) == len(conversion.used) == 123


@pytest.mark.parametrize('config, eps', [({}, SLIM_EPS), ({'norm_eps': 2e-5}, 2e-5)])
def test_the_epsilon_is_that_of_the_code(small, convert, config, eps):
    norm = convert(small, config).model.net.resnet.stem.norm
    expected = small['bn_conv1/moving_variance'] + eps
    np.testing.assert_allclose(norm.avg_var + norm.eps, expected, rtol=1e-6)
    assert norm.eps == EPS


def test_a_normalisation_without_scale_and_a_convolution_with_a_bias(small, convert):
    del small['bn_conv1/gamma'], small['bn_conv1/beta']
    small['conv1/biases'] = np.float32([3, -4])
    norm = convert(small).model.net.resnet.stem.norm
    np.testing.assert_array_equal(norm.gamma.array, 1)
    np.testing.assert_array_equal(norm.beta.array, 0)
    np.testing.assert_allclose(norm.avg_mean, small['bn_conv1/moving_mean'] - [3, -4], rtol=1e-6)


def remove(name):
    return lambda variables: variables.pop(name)


def reshape(name, shape):
    return lambda variables: variables.update({name: np.zeros(shape, 'f4')})


@pytest.mark.parametrize('change, problem', [
    (remove('res3a_branch2b/weights'), 'it has no convolution res3a_branch2b'),
    (remove('bn3b1_branch2c/moving_mean'), 'it has no mean for bn3b1_branch2c'),
    (remove('bn3b1_branch2c/moving_variance'), 'it has no bn3b1_branch2c/moving_variance'),
    (remove('fc1_voc12_c2/biases'), 'it has no fc1_voc12_c2/biases'),
    (remove('fc1_voc12_c3/weights'), 'give them as pyramid'),
    (reshape('bn_conv1/beta', 3), r'bn_conv1/beta has the shape \(3,\), expected \(2,\)'),
    (reshape('res2a_branch1/weights', (1, 1, 2, 7)), r'\(1, 1, 2, 7\), expected \(1, 1, 2, 8\)'),
    (reshape('extra/weights', (1, 1, 2, 7)), 'arrays that the network has no place for: extra/weights')])
def test_another_network_is_reported_in_one_sentence(small, convert, change, problem):
    change(small)
    with pytest.raises(WeightFileError, match=problem) as caught:
        convert(small)
    assert 'model.index cannot be converted' in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('name, holds', [
    ('training_v1.ckpt', '10 arrays'), ('types', '17 arrays'), ('kaffe_python2.npy', '8 arrays')])
def test_a_checkpoint_of_another_model_is_reported_in_one_sentence(name, holds):
    with pytest.raises(WeightFileError, match=f'contains {holds} .*cannot be converted'):
        converters.convert(DATA / name)


# What is beside a network, and what is left of one.

def test_numbers_beside_a_network_are_skipped_and_named(small, convert):
    numbers = {'Variable': (), 'step': (), 'ema/loss': (1,)}
    tree = {**small, **{name: np.ones(shape, np.float32) for name, shape in numbers.items()}}
    conversion = convert(tree)
    assert {name for name, reason in conversion.skipped.items()
            if reason == 'scalar outside the layers of the network'} == {'Variable', 'step', 'ema/loss'}


def test_a_number_in_a_layer_is_an_error(small, convert):
    with pytest.raises(WeightFileError, match='no place for: conv1/gain'):
        convert({**small, 'conv1/gain': np.array(2.0, np.float32)})


def test_without_its_head_it_is_a_resnet_to_start_from(small, convert):
    trunk = {name: array for name, array in small.items() if not name.startswith('fc')}
    model, whole = convert(trunk).model, convert(small).model
    assert model.config['n_class'] is None and model.config['padding'] == 'same'
    target = ClickSegmenter(**{**whole.config, 'seed': 9})
    copy_resnet(model.resnet, target.net.resnet)
    assert_same_parameters(target.net.resnet, whole.net.resnet)


def test_a_head_may_have_any_name(small, convert):
    renamed = {name.replace('fc1_voc12', 'score_mine'): array for name, array in small.items()}
    assert_same_parameters(convert(renamed).model, convert(small).model)


@pytest.mark.parametrize('as_kaffe', [False, True])
def test_a_classifier_has_its_logits(small, convert, tmp_path, rng, as_kaffe):
    tree = {name: array for name, array in small.items() if not name.startswith('fc')}
    features = small['fc1_voc12_c0/weights'].shape[2]
    weights, biases = rng.normal(size=(features, 9)).astype('f4'), rng.normal(size=9).astype('f4')
    tree |= {'fc_mine/weights': weights, 'fc_mine/biases': biases}
    if as_kaffe:
        layers = {}
        for name, array in tree.items():
            layer, _, key = name.rpartition('/')
            layers.setdefault(layer, {})[key] = array
        write_kaffe(tmp_path / 'layers.npy', layers)
        model = converters.convert(tmp_path / 'layers.npy')
    else:
        model = convert(tree).model
    assert model.config['n_class'] == 9 and model.config['strides'] is None
    x = rng.normal(0, 50, (1, 5, 64, 64)).astype(np.float32)
    pooled = model.resnet(x)[-1].array.mean(axis=(2, 3))
    np.testing.assert_allclose(model.forward(x).array, pooled @ weights + biases, rtol=1e-4, atol=1e-4)


def test_the_checkpoints_of_the_reports_convert(shared_cases):
    folder = shared_cases / 'tf-stray' / 'my snapshots'
    assert isinstance(converters.convert(folder / 'ownvars'), DeepLab)
    assert converters.convert(folder / 'model.ckpt-5000').config['n_class'] is None
