"""A ResNet as PyTorch names its weights, against the network written down with these names."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

import converters
from chainer_seg.errors import WeightFileError
from converters.formats import pytorch

BLOCKS = (2, 1, 3)
WIDTH = 4
CLASSES = 7


@pytest.fixture(autouse=True)
def evaluating():
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        yield


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
    def convert(tree, config=None):
        monkeypatch.setattr(pytorch, 'read', lambda path: tree)
        (tmp_path / 'resnet.pth').write_bytes(b'PK\3\4 and so on')
        return converters.convert(tmp_path / 'resnet.pth', config)
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


def test_a_resnet_of_plain_blocks_is_told(state, convert):
    plain = {name: array for name, array in state.items() if 'conv3' not in name}
    with pytest.raises(WeightFileError, match='no network that can be converted.*ResNets of PyTorch'):
        convert(plain)
