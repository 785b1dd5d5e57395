"""DeepLab and the ResNet in it against the outputs recorded for genuine Caffe files, layer by layer."""

import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.links import ResNet
from chainer_seg.models.deeplab import DeepLab
from tests.models.deeplab.caffe_weights import deeplab_block_names, load_resnet, read_blobs

TOLERANCE = 1e-4  # of the largest value, the measure of the recorded outputs' own cross-check


pytestmark = pytest.mark.usefixtures('evaluating')


def compare(found, recorded, which):
    """Compares blobs with what was recorded for them, sampled as the key says; returns how many."""
    compared = 0
    for key in recorded.files:
        blob, _, sampling = key.removeprefix(f'out{which}/').partition('@')
        if not key.startswith(f'out{which}/') or blob not in found:
            continue
        array = found[blob].array
        if sampling:
            channels, pixels = map(int, sampling.split(','))
            array = array[:, ::channels, ::pixels, ::pixels]
        expected = recorded[key]
        assert array.shape == expected.shape
        assert np.abs(array - expected).max() < TOLERANCE * np.abs(expected).max(), key
        compared += 1
    return compared


def deeplab_of(blobs):
    model = DeepLab(width=blobs['conv1'][0].shape[0])
    load_resnet(model.resnet, blobs, deeplab_block_names)
    for number in range(4):
        branch = model.pyramid[f'branch{number}']
        branch.W.array[...], branch.b.array[...] = blobs[f'fc1_voc12_c{number}']
    return model


@pytest.mark.parametrize('which', [0, 1])
def test_deeplab_equals_caffe_at_every_stage(shared_data, which):
    folder = shared_data / 'formats' / 'caffe'
    model = deeplab_of(read_blobs(folder / 'deeplab_r101_b5.caffemodel'))
    recorded = np.load(folder / 'deeplab_r101_b5.npz')
    x = recorded[f'in{which}']
    stem = F.relu(model.resnet.stem(x))
    stages = model.resnet(x)
    found = {'conv1': stem, 'pool1': model.resnet.pool(stem), 'res2c': stages[0],
             'res3b3': stages[1], 'res4b22': stages[2], 'res5c': stages[3],
             'fc1_voc12_c0': model.pyramid.branch0(stages[3]),
             'fc1_voc12_c3': model.pyramid.branch3(stages[3]), 'fc1_voc12': model.forward(x)}
    assert compare(found, recorded, which) == 9


@pytest.mark.parametrize('which', [0, 1])
def test_resnet50_equals_caffe(shared_data, which):
    folder = shared_data / 'formats' / 'caffe'
    blobs = read_blobs(folder / 'resnet50_b4.caffemodel')
    net = ResNet((3, 4, 6, 3), width=4, pooling='ceil', pool_pad=0, stem_bias=True)
    load_resnet(net, blobs, lambda stage, count: [f'{stage}{c}' for c in 'abcdef'[:count]])
    recorded = np.load(folder / 'resnet50_b4.npz')
    found = dict(zip(('res2c', 'res3d', 'res4f', 'res5c'), net(recorded[f'in{which}'])))
    assert compare(found, recorded, which) == 4


def test_logits_are_an_eighth_of_the_input():
    model = DeepLab(5, blocks=(1, 1, 1, 1), width=2)
    assert model.forward(np.zeros((2, 3, 65, 97), np.float32)).shape == (2, 5, 9, 13)


def test_the_configuration_rebuilds_the_same_model():
    model = DeepLab(2, blocks=(1, 1, 1, 1), width=2, pyramid=(1, 2), seed=3)
    again = DeepLab(**model.config)
    for (name, a), (_, b) in zip(model.namedparams(), again.namedparams()):
        np.testing.assert_array_equal(a.array, b.array, err_msg=name)


def test_branches_are_summed():
    model = DeepLab(2, blocks=(1, 1, 1, 1), width=2, pyramid=(1, 2, 3))
    x = np.random.default_rng(0).normal(size=(1, 64, 5, 6)).astype(np.float32)
    expected = sum(model.pyramid[f'branch{n}'](x).array for n in range(3))
    np.testing.assert_allclose(model.pyramid(x).array, expected, rtol=1e-5)
