"""Models as networks of Caffe: OpenCV runs them with the same outputs, and the weights come back."""

import cv2
import numpy as np
import pytest
from chainer.links.caffe.protobuf3 import caffe_pb2

import converters
from chainer_seg.errors import UserError
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from chainer_seg.models.deepmask import DeepMask
from converters.caffe_export import export
from tests.converters.test_deeplab import sampled

SMALL = {'blocks': (1, 2, 1, 1), 'width': 4, 'seed': 3}
MODELS = {
    'classes': lambda: DeepLab(5, **SMALL),
    'other sizes': lambda: DeepLab(
        3, blocks=(2, 1, 1), width=3, pyramid=(1, 2, 3), stride_on='3x3', strides=(1, 2, 2),
        dilations=(1, 1, 2), pool_pad=0),
    'one branch': lambda: DeepLab(2, pyramid=(12,), **SMALL),
    'fixed scales': lambda: DeepLab(2, norm='affine', **SMALL),
    'bias of the stem': lambda: DeepLab(2, stem_bias=True, **SMALL),
    'clicks': lambda: ClickSegmenter(**SMALL),
    'clicks and a mask': lambda: ClickSegmenter(mask_input=True, **SMALL),
    'classifier': lambda: ResNetClassifier(7, pooling='ceil', **SMALL),
}


pytestmark = pytest.mark.usefixtures('evaluating')


def unlike_new(model, rng):
    """Gives normalisations and biases values that new ones do not have."""
    for link in model.links():
        for name in ('scale', 'shift', 'avg_mean', 'avg_var'):
            if hasattr(link, name):
                getattr(link, name)[...] = rng.uniform(.5, 1.5, getattr(link, name).shape)
        for name in ('gamma', 'beta', 'b'):
            if getattr(link, name, None) is not None:
                getattr(link, name).array[...] = rng.uniform(.5, 1.5, getattr(link, name).shape)
    return model


def exported(model, folder, **options):
    path = folder / 'model.caffemodel'
    export(path, model, **options)
    return path


def in_opencv(path, x, names):
    """The outputs of layers of an exported network, as OpenCV computes them in plain float32."""
    network = cv2.dnn.readNetFromCaffe(str(path.with_suffix('.prototxt')), str(path))
    network.enableFusion(False)
    network.enableWinograd(False)
    network.setInput(x)
    return network.forward(names)


def last_layer(model):
    return 'fc1000' if isinstance(model, ResNetClassifier) else 'fc1_voc12'


def inputs_of(model):
    return getattr(model, 'net', model).resnet.stem.conv.W.shape[1]


@pytest.mark.parametrize('size', [(64, 96), (65, 97)])
@pytest.mark.parametrize('kind', MODELS)
def test_opencv_gives_the_same_outputs(kind, size, rng, tmp_path):
    model = unlike_new(MODELS[kind](), rng)
    x = rng.normal(0, 50, (1, inputs_of(model), *size)).astype(np.float32)
    ours = model.forward(x).array
    theirs, = in_opencv(exported(model, tmp_path), x, [last_layer(model)])
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-5 * np.abs(ours).max()


@pytest.mark.parametrize('with_definition', [False, True])
@pytest.mark.parametrize('kind', MODELS)
def test_the_weights_come_back(kind, with_definition, rng, tmp_path):
    model = unlike_new(MODELS[kind](), rng)
    path = exported(model, tmp_path)
    back = converters.convert(path, path.with_suffix('.prototxt') if with_definition else None)
    assert type(back) is type(model)
    x = rng.normal(0, 50, (1, inputs_of(model), 33, 41)).astype(np.float32)
    np.testing.assert_allclose(back.forward(x).array, model.forward(x).array, rtol=1e-5, atol=1e-4)
    if kind in ('fixed scales', 'bias of the stem'):
        return  # These become batch normalisation.
    theirs = dict(model.namedparams())
    for name, parameter in back.namedparams():
        np.testing.assert_array_equal(parameter.array, theirs[name].array, err_msg=name)
    for ours, link in zip(back.links(), model.links()):
        if hasattr(link, 'avg_var'):
            np.testing.assert_array_equal(ours.avg_mean, link.avg_mean)
            np.testing.assert_array_equal(ours.avg_var, link.avg_var)


RECORDED = ('conv1', 'pool1', 'res2c', 'res3b3', 'res3d', 'res4b22', 'res4f', 'res5c', 'fc1_voc12_c0',
            'fc1_voc12', 'fc1000')


def last_in_place(blob):
    """The layer that gives a blob its last value."""
    return f'{blob}_relu' if blob == 'conv1' or blob.startswith('res') else blob


@pytest.mark.parametrize('which', [0, 1])
@pytest.mark.parametrize('name, count', [('deeplab_r101_b5', 8), ('resnet50_b4', 7)])
def test_a_genuine_file_there_and_back_gives_what_was_recorded(
        shared_data, tmp_path, name, count, which):
    folder = shared_data / 'formats' / 'caffe'
    path = exported(converters.convert(folder / f'{name}.caffemodel'), tmp_path)
    recorded = np.load(folder / f'{name}.npz')
    keys = [key for key in recorded.files if key.startswith(f'out{which}/') and '#' not in key
            and key.removeprefix(f'out{which}/').split('@')[0] in RECORDED]
    blobs = [key.removeprefix(f'out{which}/').partition('@') for key in keys]
    found = in_opencv(path, recorded[f'in{which}'], [last_in_place(blob) for blob, _, _ in blobs])
    assert len(keys) == count
    print(f'\n{name} {recorded[f"in{which}"].shape}')
    for key, (_, _, sampling), output in zip(keys, blobs, found):
        expected = recorded[key]
        error = np.abs(sampled(output, sampling) - expected).max() / np.abs(expected).max()
        print(f'  {key:24} {error:.1e}')
        assert error < 5e-5, key


def test_the_protobuf_library_reads_the_same_numbers(rng, tmp_path):
    model = unlike_new(MODELS['classes'](), rng)
    network = caffe_pb2.NetParameter.FromString(exported(model, tmp_path).read_bytes())
    layers = {layer.name: layer for layer in network.layer}
    assert network.name == 'DeepLab' and layers['pool1'].pooling_param.pad == 1
    conv = model.resnet.res3[1].middle.conv.W.array
    assert tuple(layers['res3b_branch2b'].blobs[0].shape.dim) == conv.shape
    np.testing.assert_array_equal(layers['res3b_branch2b'].blobs[0].data, conv.ravel())
    assert [len(blob.data) for blob in layers['bn3b_branch2b'].blobs] == [8, 8, 1]


@pytest.mark.parametrize('blocks, expected', [
    ((3, 4, 6, 3), {'res3d', 'res4b', 'res4f', 'res5c'}),
    ((3, 4, 23, 3), {'res2c', 'res3b3', 'res4b1', 'res4b22', 'res5c'}),
    ((3, 8, 36, 3), {'res2c', 'res3b7', 'res4b35', 'res5c'})])
def test_blocks_are_named_as_in_the_published_files(blocks, expected, tmp_path):
    path = exported(DeepLab(1, blocks=blocks, width=1), tmp_path)
    sums = {layer for layer in converters.read(path)['layers'] if layer.startswith('res')}
    assert expected <= sums and len({name for name in sums if '_' not in name}) == sum(blocks)


def test_the_definition_names_the_input(tmp_path):
    path = exported(ClickSegmenter(click_scale=6, click_mean=131, **SMALL), tmp_path, size=(97, 129))
    text = path.with_suffix('.prototxt').read_text()
    assert text.startswith('# Input: blue, green, red, positive clicks, negative clicks; colours in')
    assert '# Clicks: distance, scale 6, minus 131.' in text
    assert [int(line.split()[1]) for line in text.splitlines() if line.startswith('input_dim')] == [
        1, 5, 97, 129]


@pytest.mark.parametrize('make, problem', [
    (lambda: DeepMask(32, blocks=(1, 1, 1), width=2, features=4, hidden=4),
     'A DeepMask cannot be exported to Caffe; expected a DeepLab'),
    (lambda: ClickSegmenter(decoder=4, **SMALL), 'ClickSegmenter cannot be .* it has a decoder'),
    (lambda: DeepLab(padding='symmetric', **SMALL), 'it pads images by mirroring'),
    (lambda: DeepLab(padding='same', **SMALL), 'convert it again with padding=zero'),
    (lambda: ResNetClassifier(**SMALL), 'of pooling down, but Caffe rounds it up')])
def test_models_that_caffe_cannot_express_are_refused_and_nothing_is_written(make, problem, tmp_path):
    with pytest.raises(UserError, match=problem):
        exported(make(), tmp_path)
    assert not list(tmp_path.iterdir())
