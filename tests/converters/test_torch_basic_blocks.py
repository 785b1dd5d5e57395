"""fb.resnet.torch with basic blocks, small images, other heads, replicas for several GPUs."""

import contextlib

import numpy as np
import pytest

import converters
from chainer_seg.errors import TrainingError, WeightFileError
from chainer_seg.links import ResNet, copy_resnet
from chainer_seg.model_file import load_model, save_model
from converters.formats import torch7_writer
from converters.formats.torch7_values import Object, Table
from tests.converters.torch_networks import basic_resnet, linear, module, resnet, run

CLOSE = {'rtol': 1e-4, 'atol': 1e-5}


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def convert(tmp_path):
    """Writes a network as a .t7 file and converts it."""
    def write_and_convert(network):
        torch7_writer.write(tmp_path / 'resnet.t7', network)
        return converters.conversion(tmp_path / 'resnet.t7')
    return write_and_convert


@pytest.mark.parametrize('blocks', [(2, 1, 2, 1), (1, 1)])
@pytest.mark.parametrize('shortcut', ['A', 'B', 'C'])
def test_basic_blocks_compute_what_their_modules_define(convert, rng, shortcut, blocks):
    network = basic_resnet(rng, blocks, 3, 5, shortcut)
    model = convert(network).model
    assert model.config['block'] == 'basic' and model.config['shortcut'] == shortcut
    assert model.config['blocks'] == list(blocks) and model.config['n_class'] == 5
    x = rng.normal(size=(2, 3, 64, 81)).astype(np.float32)
    np.testing.assert_allclose(model.forward(x).array, run(network, x), **CLOSE)


@pytest.mark.parametrize('shortcut', ['A', 'B'])
def test_networks_for_small_images_have_their_own_stem(convert, rng, shortcut):
    network = basic_resnet(rng, (2, 2, 2), 4, 10, shortcut, small_images=True)
    model = convert(network).model
    assert model.config['stem_size'] == 3
    x = rng.normal(size=(2, 3, 32, 32)).astype(np.float32)
    np.testing.assert_allclose(model.forward(x).array, run(network, x), **CLOSE)


def test_every_stage_computes_what_its_modules_define(convert, rng):
    network = basic_resnet(rng, (1, 2, 1), 4, 10, 'A', small_images=True)
    x = rng.normal(size=(1, 3, 32, 32)).astype(np.float32)
    ours = convert(network).model.resnet(x)
    modules, expected = list(network['modules'].values()), x
    for place, child in enumerate(modules[:6]):
        expected = run(child, expected)
        if place >= 3:
            np.testing.assert_allclose(ours[place - 3].array, expected, **CLOSE)


def test_a_network_without_logits_is_one_to_start_from(convert, rng, tmp_path):
    network = resnet(rng, (1, 1, 1, 1), 3, 5)
    for key in (10, 11):  # The view and the linear layer.
        del network['modules'][key]
    model = convert(network).model
    assert model.config['n_class'] is None
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(model.forward(x).array, run(network, x), **CLOSE)
    save_model(tmp_path / 'a.npz', model)
    target = ResNet((1, 1, 1, 1), 3, stride_on='3x3', seed=1)
    copy_resnet(load_model(tmp_path / 'a.npz').resnet, target)
    np.testing.assert_array_equal(target(x)[-1].array, model.resnet(x)[-1].array)


def test_a_head_of_ones_own_with_dropout_and_softmax_is_found(convert, rng):
    network = basic_resnet(rng, (1, 1), 3, None)
    modules = network['modules']
    for child in (module('nn.View'), module('nn.Dropout', p=0.5), linear(rng, 6, 7),
                  module('nn.LogSoftMax')):
        modules[len(modules) + 1] = child
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(convert(network).model.forward(x).array, run(network, x), **CLOSE)


def test_two_layers_behind_the_stages_are_named(convert, rng):
    network = basic_resnet(rng, (1, 1), 3, 6)
    network['modules'][len(network['modules']) + 1] = linear(rng, 6, 7)
    with pytest.raises(WeightFileError, match=r'2 layers with weights behind its stages \(nn.Linear, '):
        convert(network)


def test_replicas_for_other_gpus_are_skipped(convert, rng):
    network = basic_resnet(rng, (1, 1), 3, 5)
    twin = basic_resnet(np.random.default_rng(0), (1, 1), 3, 5)
    copy_fields(network, twin)
    twin['modules'][2].fields['running_mean'] = np.float32([9, 9, 9])
    found = convert({'model': module('nn.DataParallelTable', network, twin,
                                     flattenedParams=[[np.zeros(7, np.float32)]])})
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(found.model.forward(x).array, run(network, x), **CLOSE)
    assert set(found.skipped.values()) == {
        'the same weights for another GPU', 'statistics of another GPU',
        'the same weights in one vector', 'gradient of training'}


def test_a_replica_of_other_weights_is_an_error(convert, rng):
    twins = [basic_resnet(rng, (1, 1), 3, 5) for _ in range(2)]
    with pytest.raises(WeightFileError, match='no place for: .*weight'):
        convert(module('nn.DataParallelTable', *twins))


def test_a_trunk_in_a_container_of_its_own_is_found(convert, rng):
    trunk = basic_resnet(rng, (1, 1), 3, None)
    network = module('nn.Sequential', module('nn.DataParallelTable', trunk), module('nn.View'),
                     linear(rng, 6, 4))
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(convert(network).model.forward(x).array, run(network, x), **CLOSE)


def test_blocks_without_the_last_relu_are_refused(convert, rng):
    network = basic_resnet(rng, (1, 1), 3, 5)
    del network['modules'][5]['modules'][1]['modules'][3]
    with pytest.raises(WeightFileError, match='a ReLU; networks with normalisation in front'):
        convert(network)


def test_an_unsupported_shortcut_is_refused(convert, rng):
    network = basic_resnet(rng, (1, 1), 3, 5, 'A')
    shortcut = network['modules'][6]['modules'][1]['modules'][1]['modules'][2]
    shortcut['modules'][2]['modules'][2].fields['constant_scalar'] = 1.0
    with pytest.raises(WeightFileError, match='sizes, strides, dimension and factor'):
        convert(network)


def test_basic_blocks_cannot_start_a_network_of_bottlenecks():
    with pytest.raises(TrainingError, match='has basic blocks, but bottleneck blocks are needed'):
        copy_resnet(ResNet((1, 1), 4, strides=(1, 2), dilations=(1, 1), block='basic'),
                    ResNet((1, 1), 4, strides=(1, 2), dilations=(1, 1)))


def test_the_networks_of_the_reports_convert(shared_cases, tmp_path):
    model = converters.convert(shared_cases / 't7-basic-blocks' / 'resnet18.t7')
    assert model.config['blocks'] == [2, 2, 2, 2] and model.config['block'] == 'basic'
    trunk = converters.convert(shared_cases / 't7-basic-blocks' / 'resnet50_features.t7')
    assert trunk.config['block'] == 'bottleneck' and trunk.config['n_class'] is None


@pytest.mark.parametrize('options', [{}, {'ascii': True}], ids=repr)
def test_changed_bytes_give_a_model_or_the_error(tmp_path, rng, options):
    network = module('nn.DataParallelTable', basic_resnet(rng, (1, 1), 2, 3, 'A'))
    torch7_writer.write(tmp_path / 'a.t7', {'model': network, 'classes': Object(
        'tds.Hash', Table({'cat': Object('tds.Vec', Table({1: 2.5}))}))}, **options)
    intact = (tmp_path / 'a.t7').read_bytes()
    for _ in range(150):
        changed = bytearray(intact)
        for at in rng.integers(4, len(changed), 3):
            changed[at] = rng.integers(256)
        (tmp_path / 'changed.t7').write_bytes(changed[:rng.integers(len(intact) // 2, len(intact) * 2)])
        with contextlib.suppress(WeightFileError), np.errstate(all='ignore'):
            assert converters.convert(tmp_path / 'changed.t7').count_params() > 0


def copy_fields(source, target):
    """Gives a module and those inside it the arrays of another one, as copies."""
    for key, value in source.fields.items():
        if isinstance(value, np.ndarray):
            target.fields[key] = value.copy()
        elif key == 'modules':
            for inside in value:
                copy_fields(value[inside], target.fields['modules'][inside])
