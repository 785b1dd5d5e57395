"""The networks from which a YOLACT starts, against what torchvision and the original computed with them.

data/make_backbones.py wrote the files.
"""

import lzma
import pathlib

import numpy as np
import pytest

import converters
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.yolact import Yolact, YolactBackbone, start_backbone
from converters.formats import pytorch

DATA = pathlib.Path(__file__).parent / 'data'
NAMES = {'mobilenetv2': 'MobileNetV2', 'efficientnet': 'EfficientNet', 'darknet': 'DarkNet-53'}

pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def weights(tmp_path):
    """``weights(name)`` unpacks a file and returns its path."""
    def unpacked(name):
        path = tmp_path / f'{name}.pth'
        path.write_bytes(lzma.decompress((DATA / f'{name}.pth.xz').read_bytes()))
        return path
    return unpacked


@pytest.mark.parametrize('name', NAMES)
def test_the_last_map_equals_the_recorded_one(name, weights):
    model = converters.convert(weights(name))
    assert isinstance(model, YolactBackbone) and model.origin['network'] == f'{NAMES[name]} of PyTorch'
    with np.load(DATA / f'{name}.npz') as recorded:
        found = model(recorded['image'])[-1].array
        np.testing.assert_allclose(found, recorded['last'], atol=1e-4 * np.abs(recorded['last']).max())


def test_the_sizes_are_those_of_the_file(weights):
    sizes = {name: converters.convert(weights(name)).config for name in NAMES}
    assert [sizes[name]['width'] for name in NAMES] == [0.1, 0.1, 2]
    assert tuple(sizes['darknet']['blocks']) == (1, 2, 1)


def test_what_classifies_and_training_state_are_skipped(weights, monkeypatch):
    path = weights('mobilenetv2')
    tree = dict(converters.read(path))
    tree |= {name: np.ones(3, np.float32) for name in ('features.18.0.weight', 'classifier.1.bias')}
    monkeypatch.setattr(pytorch, 'read', lambda path: {'state_dict': tree, 'optimizer': {'a': np.ones(9)}})
    skipped = converters.conversion(path).skipped
    assert skipped['state_dict.features.18.0.weight'] == 'classifier of ImageNet'
    assert skipped['state_dict.classifier.1.bias'] == 'classifier of ImageNet'
    assert skipped['optimizer.a'] == 'training state'


def test_a_yolact_starts_from_a_converted_file(weights, tmp_path):
    save_model(tmp_path / 'backbone.npz', converters.convert(weights('mobilenetv2')))
    source = load_model(tmp_path / 'backbone.npz')
    model = Yolact('mobilenetv2', classes=2, image_size=64, width=0.1, fpn_channels=4, prototypes=4,
                   anchor_scales=((8,), (16,), (32,), (48,), (64,)))
    start_backbone(source, model)
    x = np.ones((1, 3, 64, 64), np.float32)
    for given, found in zip(source(x), model.backbone(x)):
        np.testing.assert_array_equal(found.array, given.array)
