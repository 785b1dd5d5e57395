"""A ResNet as PyTorch names its weights, against the network written down with these names."""

import pathlib

import numpy as np
import pytest
from chainer import functions as F

import converters
from chainer_seg.errors import WeightFileError
from converters.formats import pytorch

BLOCKS = (2, 1, 3)
WIDTH = 4
CLASSES = 7


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def state(rng):
    """A state dict of random weights."""
    arrays = {}

    def convolution(name, outputs, inputs, size):
        arrays[f'{name}.weight'] = rng.normal(size=(outputs, inputs, size, size)).astype(np.float32) / 8

    def norm(name, channels):
        for key in ('bias', 'running_mean'):
            arrays[f'{name}.{key}'] = rng.normal(size=channels).astype(np.float32)
        for key in ('weight', 'running_var'):
            arrays[f'{name}.{key}'] = rng.uniform(0.5, 1, channels).astype(np.float32)
        arrays[f'{name}.num_batches_tracked'] = np.array(5)

    convolution('conv1', WIDTH, 3, 7)
    norm('bn1', WIDTH)
    channels = WIDTH
    for stage, count in enumerate(BLOCKS):
        inner, outer = WIDTH * 2 ** stage, 4 * WIDTH * 2 ** stage
        for block in range(count):
            name = f'layer{stage + 1}.{block}'
            for number, sizes in enumerate(
                    ((inner, channels, 1), (inner, inner, 3), (outer, inner, 1)), start=1):
                convolution(f'{name}.conv{number}', *sizes)
                norm(f'{name}.bn{number}', sizes[0])
            if block == 0:
                convolution(f'{name}.downsample.0', outer, channels, 1)
                norm(f'{name}.downsample.1', outer)
            channels = outer
    arrays['fc.weight'] = rng.normal(size=(CLASSES, channels)).astype(np.float32)
    arrays['fc.bias'] = rng.normal(size=CLASSES).astype(np.float32)
    return arrays


@pytest.fixture
def convert(monkeypatch, tmp_path):
    """Converts a file in which a given tree is read."""
    def convert(tree, config=None, skip=()):
        monkeypatch.setattr(pytorch, 'read', lambda path: tree)
        (tmp_path / 'resnet.pth').write_bytes(b'PK\3\4 and so on')
        return converters.convert(tmp_path / 'resnet.pth', config, skip)
    return convert


def forward(state, x):
    """The network as its PyTorch module computes it."""
    def layer(x, convolution, norm, stride=1):
        weight = state[f'{convolution}.weight']
        x = F.convolution_2d(x, weight, stride=stride, pad=weight.shape[2] // 2)
        statistics = [state[f'{norm}.{key}']
                      for key in ('weight', 'bias', 'running_mean', 'running_var')]
        return F.fixed_batch_normalization(x, *statistics, eps=1e-5)

    x = F.relu(layer(x, 'conv1', 'bn1', 2))
    x = F.max_pooling_2d(x, 3, 2, pad=1, cover_all=False)
    for stage, count in enumerate(BLOCKS):
        for block in range(count):
            name, stride = f'layer{stage + 1}.{block}', 2 if stage and not block else 1
            h = F.relu(layer(x, f'{name}.conv1', f'{name}.bn1'))
            h = F.relu(layer(h, f'{name}.conv2', f'{name}.bn2', stride))
            h = layer(h, f'{name}.conv3', f'{name}.bn3')
            shortcut = x if block else layer(x, f'{name}.downsample.0', f'{name}.downsample.1', stride)
            x = F.relu(h + shortcut)
    return F.linear(F.mean(x, axis=(2, 3)), state['fc.weight'], state['fc.bias']).array


def test_logits_are_those_of_the_module(state, convert, rng):
    model = convert(state)
    x = rng.normal(size=(2, 3, 61, 48)).astype(np.float32)
    expected = forward(state, x)
    np.testing.assert_allclose(model.forward(x).array, expected, atol=1e-5 * np.abs(expected).max())
    assert model.config['blocks'] == [2, 1, 3] and model.config['n_class'] == CLASSES


def test_a_network_inside_of_a_checkpoint(state, convert):
    tree = {'epoch': 90, 'state_dict': {f'module.{name}': array for name, array in state.items()}}
    assert convert(tree).origin == convert(state).origin


def test_a_missing_array_is_an_error(state, convert):
    del state['layer2.0.downsample.1.running_var']
    with pytest.raises(WeightFileError, match='it has no layer2.0.downsample.1.running_var'):
        convert(state)


def test_another_shape_is_an_error(state, convert):
    state['layer1.1.conv2.weight'] = np.zeros((8, 4, 3, 3), np.float32)
    with pytest.raises(WeightFileError, match='layer1.1.conv2.weight has the shape'):
        convert(state)


def test_a_resnet_of_basic_blocks_gives_its_logits(rng, convert):
    arrays = {}
    inputs, blocks = WIDTH, (2, 1)
    fill_layer(arrays, rng, 'conv1', 'bn1', WIDTH, 3, 7)
    for stage, count in enumerate(blocks):
        width = WIDTH * 2 ** stage
        for block in range(count):
            name = f'layer{stage + 1}.{block}'
            fill_layer(arrays, rng, f'{name}.conv1', f'{name}.bn1', width, inputs, 3)
            fill_layer(arrays, rng, f'{name}.conv2', f'{name}.bn2', width, width, 3)
            if inputs != width:
                fill_layer(arrays, rng, f'{name}.downsample.0', f'{name}.downsample.1', width, inputs, 1)
            inputs = width
    arrays['fc.weight'] = rng.normal(size=(CLASSES, inputs)).astype(np.float32)
    arrays['fc.bias'] = rng.normal(size=CLASSES).astype(np.float32)
    x = rng.normal(size=(2, 3, 61, 48)).astype(np.float32)
    model = convert(arrays)
    assert model.config['block'] == 'basic' and model.config['blocks'] == [2, 1]
    np.testing.assert_allclose(model.forward(x).array, forward_basic(arrays, blocks, x), rtol=1e-4,
                               atol=1e-5)


def fill_layer(arrays, rng, convolution, norm, outputs, inputs, size):
    shape = (outputs, inputs, size, size)
    arrays[f'{convolution}.weight'] = rng.normal(size=shape).astype(np.float32) / 8
    for key in ('weight', 'bias', 'running_mean', 'running_var'):
        arrays[f'{norm}.{key}'] = rng.uniform(0.5, 1, outputs).astype(np.float32)


def forward_basic(state, blocks, x):
    """A network of basic blocks as its PyTorch module computes it."""
    def layer(x, convolution, norm, stride=1):
        weight = state[f'{convolution}.weight']
        x = F.convolution_2d(x, weight, stride=stride, pad=weight.shape[2] // 2)
        return F.fixed_batch_normalization(x, *(state[f'{norm}.{key}'] for key in (
            'weight', 'bias', 'running_mean', 'running_var')), eps=1e-5)

    x = F.max_pooling_2d(F.relu(layer(x, 'conv1', 'bn1', 2)), 3, 2, pad=1, cover_all=False)
    for stage, count in enumerate(blocks):
        for block in range(count):
            name, stride = f'layer{stage + 1}.{block}', 2 if stage and not block else 1
            h = F.relu(layer(x, f'{name}.conv1', f'{name}.bn1', stride))
            h = layer(h, f'{name}.conv2', f'{name}.bn2')
            if f'{name}.downsample.0.weight' in state:
                x = layer(x, f'{name}.downsample.0', f'{name}.downsample.1', stride)
            x = F.relu(h + x)
    return F.linear(F.mean(x, axis=(2, 3)), state['fc.weight'], state['fc.bias']).array


def test_the_layer_of_the_logits_may_have_any_name(state, convert, rng):
    renamed = {name.replace('fc.', 'classifier.1.'): array for name, array in state.items()}
    x = rng.normal(size=(1, 3, 61, 48)).astype(np.float32)
    np.testing.assert_array_equal(convert(renamed).forward(x).array, convert(state).forward(x).array)


def test_without_logits_it_is_a_network_to_start_from(state, convert, rng):
    trunk = {name: array for name, array in state.items() if not name.startswith('fc.')}
    model = convert(trunk)
    assert model.config['n_class'] is None
    x = rng.normal(size=(1, 3, 61, 48)).astype(np.float32)
    np.testing.assert_array_equal(model.resnet(x)[-1].array, convert(state).resnet(x)[-1].array)


def test_two_linear_layers_are_named(state, convert):
    state['other.weight'] = np.zeros((3, CLASSES), np.float32)
    with pytest.raises(WeightFileError, match='the linear layers fc, other, .*skip the others'):
        convert(state)


def optimizer(state):
    """What SGD of PyTorch keeps, and Adam's counters, in the form of their state_dict."""
    return {'state': {number: {'momentum_buffer': array, 'step': np.array(3.0)}
                      for number, array in enumerate(map(np.copy, state.values()))},
            'param_groups': [{'lr': 0.1, 'params': list(range(len(state)))}]}


@pytest.mark.parametrize('home', ['state_dict', 'model', 'net', 'network', 'weights'])
@pytest.mark.parametrize('prefix', ['', 'module.', 'module.backbone.'])
def test_training_state_around_a_network_is_skipped(state, convert, home, prefix):
    model = convert({
        'epoch': 3, 'best_acc1': np.float32(71.2), 'optimizer': optimizer(state),
        'lr_scheduler': {'last_epoch': 3, 'base_lrs': np.ones(2)}, 'rng_state': np.zeros(50, np.uint8),
        'optimizer_states': [optimizer(state)], 'anything': {'param_groups': [], 'state': np.ones(4)},
        home: {prefix + name: array for name, array in state.items()}})
    counts = model.origin['arrays_skipped']
    assert counts == {'counter of training': 22, 'training state': 4 * len(state) + 3}
    np.testing.assert_array_equal(model.resnet.stem.conv.W.array, state['conv1.weight'])


def test_of_two_copies_the_averaged_one_is_skipped_in_any_order(state, convert):
    average = {name: np.asarray(array + 1) for name, array in state.items()}
    model = convert({'ema': average, 'state_dict': state})
    np.testing.assert_array_equal(model.resnet.stem.conv.W.array, state['conv1.weight'])
    assert model.origin['arrays_skipped']['weights of another copy of the network (ema)'] == len(state)


def test_the_averaged_copy_can_be_asked_for(state, convert):
    average = {name: np.asarray(array + 1) for name, array in state.items()}
    model = convert({'ema': average, 'state_dict': state}, skip=['state_dict.*'])
    np.testing.assert_array_equal(model.resnet.stem.conv.W.array, average['conv1.weight'])


def test_unknown_weights_beside_a_network_are_an_error_with_the_remedy(state, convert):
    tree = {'state_dict': state, 'decoder': {'conv.weight': np.zeros((2, 3, 5, 5), np.float32)}}
    with pytest.raises(WeightFileError, match='no place for: decoder.conv.weight; .* with --skip'):
        convert(tree)
    assert convert(tree, skip=['decoder.*']).origin['arrays_skipped']['requested by the user'] == 1


def test_a_pattern_of_no_array_is_an_error(state, convert):
    with pytest.raises(WeightFileError, match="no array matches 'nothing.*' of --skip"):
        convert(state, skip=['nothing*'])


def test_required_arrays_cannot_be_skipped(state, convert):
    with pytest.raises(WeightFileError, match='it has no layer1.0.bn1.bias'):
        convert(state, skip=['layer1.0.bn1.bias'])


def test_a_number_among_the_weights_is_not_taken_for_training_state(state, convert):
    state['layer1.0.gain'] = np.array(0.5, np.float32)
    with pytest.raises(WeightFileError, match='no place for: layer1.0.gain'):
        convert(state)


def test_a_resnext_computes_what_torchvision_does():
    folder = pathlib.Path(__file__).parent / 'data'
    model = converters.convert(folder / 'resnext.pth')
    config = {name: model.config[name] for name in ('width', 'out_width', 'groups', 'stem_width')}
    assert config == {'width': 6, 'out_width': 8, 'groups': 2, 'stem_width': 5}
    with np.load(folder / 'resnext.npz') as recorded:
        maps = model.resnet(recorded['image'])
        for x, name in zip(maps, ('res2', 'res3', 'res4', 'res5')):
            np.testing.assert_allclose(x.array, recorded[name], atol=1e-4 * np.abs(recorded[name]).max())
        np.testing.assert_allclose(model(recorded['image']).array, recorded['logits'], atol=1e-4)
