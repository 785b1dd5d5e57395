"""ResNets as fb.resnet.torch saves them, against their definition computed layer by layer."""

import numpy as np
import pytest

import converters
from chainer_seg.errors import WeightFileError
from chainer_seg.links import copy_resnet
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deepmask import DeepMask
from converters.formats import torch7, torch7_writer
from tests.converters.torch_networks import batch_norm, convolution, module, resnet, run

CLOSE = {'rtol': 1e-4, 'atol': 1e-5}


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def network(rng):
    return resnet(rng, (2, 1, 1, 2), 3, 5)


@pytest.fixture
def convert(tmp_path):
    """Writes a network as a .t7 file and converts it."""
    def write_and_convert(network, **options):
        torch7_writer.write(tmp_path / 'resnet.t7', network)
        return converters.convert(tmp_path / 'resnet.t7', **options)
    return write_and_convert


def test_a_converted_resnet_computes_what_its_modules_define(network, convert, rng):
    model = convert(network)
    assert isinstance(model, ResNetClassifier)
    assert model.config['blocks'] == [2, 1, 1, 2] and model.config['width'] == 3
    x = rng.normal(size=(2, 3, 64, 80)).astype(np.float32)
    np.testing.assert_allclose(model.forward(x).array, run(network, x), **CLOSE)


def test_it_is_saved_and_loaded(network, convert, tmp_path, rng):
    model = convert({'model': network})
    save_model(tmp_path / 'resnet.npz', model)
    loaded = load_model(tmp_path / 'resnet.npz')
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_array_equal(loaded.forward(x).array, model.forward(x).array)
    assert loaded.origin['network'] == 'ResNet of fb.resnet.torch'


def test_it_starts_the_trunk_of_a_deepmask(network, convert, rng):
    """The frozen layers of the trunk compute what batch normalisation does in evaluation."""
    source = convert(network)
    target = DeepMask(patch_size=32, mask_size=8, blocks=(2, 1, 1), width=3, bottleneck=4,
                      features=6, hidden=5)
    copy_resnet(source.resnet, target.trunk.resnet)
    x = rng.normal(size=(1, 3, 7, 7)).astype(np.float32)
    block, expected = target.trunk.resnet.res2[0], source.resnet.res2[0]
    np.testing.assert_allclose(block.reduce(x).array, expected.reduce(x).array, **CLOSE)


def test_another_eps_is_kept_in_effect(rng, convert):
    network = resnet(rng, (1, 1, 1, 1), 2, 3, lambda rng, channels: batch_norm(rng, channels, eps=0.1))
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(convert(network).forward(x).array, run(network, x), **CLOSE)


def test_a_bias_in_front_of_a_normalisation_is_kept_in_effect(network, rng, convert):
    for part in (network['modules'][1], network['modules'][5]['modules'][1]['modules'][1]['modules'][1][
            'modules'][4]):
        part.fields['bias'] = rng.normal(size=part['weight'].shape[0]).astype(np.float32)
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(convert(network).forward(x).array, run(network, x), **CLOSE)


def test_the_inverse_deviation_of_the_oldest_files_is_understood(network, rng, convert):
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    expected = run(network, x)
    norm = network['modules'][2].fields
    norm['running_std'] = (norm.pop('running_var') + norm['eps']) ** np.float32(-0.5)
    np.testing.assert_allclose(convert(network).forward(x).array, expected, **CLOSE)


def test_weights_kept_as_matrices_are_understood(network, rng, convert):
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    expected = run(network, x)
    first = network['modules'][1]
    first.class_name = 'nn.SpatialConvolutionMM'
    first.fields['weight'] = first['weight'].reshape(3, -1)
    np.testing.assert_allclose(convert(network).forward(x).array, expected, **CLOSE)


def assert_refused(network, convert, part):
    with pytest.raises(WeightFileError, match=part):
        convert(network)


def test_basic_blocks_are_named(network, convert):
    main = network['modules'][6]['modules'][1]['modules'][1]['modules'][1]['modules']
    for key in (6, 7, 8):
        del main[key]
    assert_refused(network, convert, 'residual block has 2 convolutions')


def test_another_stride_is_named(network, convert):
    network['modules'][1].fields['dH'] = 4
    assert_refused(network, convert, 'dH = 4, expected 2')


def test_another_pooling_is_named(network, convert):
    network['modules'][4].fields['ceil_mode'] = True
    assert_refused(network, convert, 'one max pooling of size 3, stride 2')


def test_a_network_of_other_layers_is_named(rng, convert):
    vgg = module('nn.Sequential', convolution(rng, 3, 4, 3), module('nn.ReLU'),
                 module('nn.SpatialMaxPooling'), convolution(rng, 4, 4, 3), module('nn.ReLU'))
    assert_refused(vgg, convert, r'contains nn.Sequential \(cudnn.SpatialConvolution, nn.ReLU, '
                                 r'nn.SpatialMaxPooling, cudnn.SpatialConvolution, ...\)')


def test_more_weights_than_the_file_holds_get_no_memory(network, convert):
    one = torch7.Storage('torch.FloatStorage', np.zeros(100_000, np.float32))
    network['modules'][1].fields['weight'] = torch7.Tensor(
        'torch.FloatTensor', one, 0, (100_000, 1, 1, 1), (1, 1, 1, 1))
    assert_refused(network, convert, 'shapes need .* weights')
