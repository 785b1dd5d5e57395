"""What the original YOLACT computed (../shared/data/formats/pytorch), and nets made by formula."""

import json

import numpy as np

from chainer_seg.images import read_image
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / 'formats' / 'pytorch'
MODELS = ('yolact_resnet50', 'yolact_base', 'yolact_darknet53', 'yolact_resnet50_pascal',
          'yolact_plus_resnet50')

_BITS = 2 ** 64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def path_of(name):
    return FOLDER / f'{name}_1_10.pth'


def config_of(name):
    return FOLDER / f'{name}_config.json'


def recorded_for(name):
    return dict(np.load(FOLDER / f'{name}_expected.npz'))


def full_width_record(name):
    return dict(np.load(FOLDER / f'fullwidth_{name}.npz'))


def image():
    return read_image(FOLDER / 'image.png')


def stages(model):
    """What the network computes for the image, by the names of the recorded arrays."""
    x, _ = model.prepare([image()])
    backbone = model.backbone(x)
    pyramid = model.pyramid(backbone[-3:])
    codes, logits, coefficients = model.head(pyramid)
    return {'input': x, **_numbered('backbone', backbone), **_numbered('fpn', pyramid),
            'loc': codes.array[0], 'conf_logits': logits.array[0], 'mask': coefficients.array[0],
            'priors': model.anchors(), 'proto': model.protonet(pyramid[0]).array[0].transpose(1, 2, 0)}


def _numbered(name, maps):
    return {f'{name}{number}': x.array for number, x in enumerate(maps)}


def difference(key, found, recorded):
    """The largest difference from what was recorded, as a part of its largest value."""
    if f'{key}_shape' in recorded:
        assert found.shape == tuple(recorded[f'{key}_shape'])
    if key == 'proto':
        step = int(recorded['proto_step'])
        found, expected = found[::step, ::step], recorded['proto']
    elif key in ('loc', 'conf_logits', 'mask', 'priors'):
        step = int(recorded[f'{key}_every'] if f'{key}_every' in recorded else recorded['prior_step'])
        found, expected = found[::step], recorded[key]
    elif key in recorded:
        expected = recorded[key]
    else:
        found, expected = found.ravel()[::int(recorded[f'{key}_sample_step'])], recorded[f'{key}_sample']
    assert found.shape == expected.shape, key
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def unpacked_masks(recorded, key, width):
    return np.unpackbits(recorded[key], axis=2)[:, :, :width].astype(bool)


def uniform(name, seed, count):
    """(count,) float64 in [0, 1): SplitMix64 from the FNV-1a hash of a name."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001B3) & _BITS
    state ^= seed * _GOLDEN & _BITS
    with np.errstate(over='ignore'):
        x = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)) * 2.0 ** -53


def full_width_shapes(name):
    """The arrays of the unmodified network: a dict of names and shapes."""
    lines = (FOLDER / 'names' / f'{name}_full.txt').read_text().splitlines()
    shapes = {}
    for line in lines:
        key, shape, _ = line.split('\t')
        shapes[key] = () if shape == 'scalar' else tuple(map(int, shape.split('x')))
    return shapes


def full_width_state(name):
    """The state dict of the unmodified network with weights from the formula."""
    recorded, shapes = full_width_record(name), full_width_shapes(name)
    gains = dict(zip(recorded['gain_names'].tolist(), recorded['gain_values']))
    state = {}
    for key, shape in shapes.items():
        u = uniform(key, int(recorded['seed']), int(np.prod(shape)))
        normalises = f'{key.rpartition(".")[0]}.running_mean' in shapes
        state[key] = np.float32(_value(key, u.reshape(shape), gains.get(key, 1.0), normalises))
    for number, key in enumerate(recorded['override_names'].tolist()):
        state[key] = recorded[f'override{number}'].reshape(shapes[key])
    return state


def _value(key, u, gain, normalises):
    if key.endswith('num_batches_tracked'):
        return 1000
    if u.ndim == 4:
        gain = 2.0 if key.endswith('conv_offset_mask.weight') else gain
        return (2 * u - 1) * (np.sqrt(3) * gain / np.sqrt(np.prod(u.shape[1:])))
    if key.endswith('running_mean'):
        return (2 * u - 1) * 0.3
    if key.endswith('running_var'):
        return 0.5 + u
    if key.endswith('bias'):
        return (2 * u - 1) * (0.2 if normalises else 0.1)
    if key.endswith(('bn3.weight', 'conv2.1.weight')):
        return 0.25 + 0.3 * u
    return 0.5 + 0.4 * u if key.endswith('downsample.1.weight') else 0.6 + 0.8 * u


def small_config(name):
    return json.loads(config_of(name).read_text())
