"""DeepMask and SharpMask out of genuine .t7 files: every stage against what Torch computed.

``pytest -s -k every_stage`` prints the table of all differences.
"""

import chainer
import numpy as np
import pytest
from chainer import functions as F

import converters
from chainer_seg.errors import WeightFileError
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.deepmask import DeepMask, SharpMask, normalise
from chainer_seg.models.deepmask.model import crop
from converters.formats import torch7, torch7_writer
from converters.formats.torch7_values import Table
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / 'formats' / 'torch7'

# Of the largest value of an array; the files' own cross-check of two programs reached 2e-5.
TOLERANCE = 2e-5

DEEPMASKS = ('deepmask_small', 'deepmask_tiny', 'deepmask_tiny_cuda', 'deepmask_tiny_ascii',
             'deepmask_bn_cudnn', 'deepmask_constdiagonal_cuda')
SHARPMASKS = ('sharpmask_small_cuda', 'sharpmask_tiny')


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def path_of(shared_data):
    return lambda name: FOLDER / 'models' / f'{name}.t7'


@pytest.fixture
def tiny(path_of):
    """The tree of a small DeepMask, to be changed."""
    return torch7.read(path_of('deepmask_tiny'))


def recorded_for(name):
    """What Torch computed; one set of values serves the file and its Cuda twin."""
    return np.load(FOLDER / 'expected' / f'{name.replace("tiny_cuda", "tiny")}.npz')


def image_as_input(image, patch_size):
    """An image (3, H, W) in the middle of grey, normalised."""
    border = patch_size // 2
    padded = np.pad(image.astype(np.float32) / 255, ((0, 0), (border, border), (border, border)),
                    constant_values=0.5)
    return normalise(padded[None])


def enlarged(masks, pixels):
    """Low-resolution masks (B, s, s) at as many pixels as the reference recorded, flat."""
    side = int(pixels ** 0.5)
    return F.resize_images(masks[:, None], (side, side)).reshape(len(masks), -1)


def patch_values(model, recorded):
    """The stages of a network on patches, by the keys under which they are recorded."""
    x = normalise(recorded['patch_input_u8'].astype(np.float32) / 255)
    stages = model.trunk(x)
    last = crop(stages[-1], 1)
    features = model.trunk.describe(last)
    masks, scores = model.forward(x)
    values = {'patch_trunk': features[:, :, 0, 0], 'patch_score': scores[:, None]}
    if isinstance(model, DeepMask):
        return {**values, 'patch_trunk_module9': model.trunk.bottleneck(last),
                'patch_trunk_module10': F.relu(model.trunk.bottleneck(last)),
                'patch_mask_lowres': masks.reshape(len(x), -1),
                'patch_mask': enlarged(masks, recorded['patch_mask'].shape[1])}
    low = model.masks(features)[:, :, :, 0, 0]
    values.update({'patch_mask': masks.reshape(len(x), -1),
                   'patch_dm_mask_lowres': low.reshape(len(x), -1),
                   'patch_dm_mask': enlarged(low, recorded['patch_dm_mask'].shape[1])})
    skips = [model.refine.skip(k, crop(stages[-k], 2 ** (k - 1))) for k in (1, 2, 3, 4)]
    maps = model.refine.steps(features, skips)
    values['patch_ref0'] = maps[0]
    for k in (1, 2, 3, 4):
        values[f'patch_horizontal{k}'] = skips[k - 1]
        values[f'patch_vertical{k}'] = model.refine[f'vertical{k}'](maps[k - 1])
        values[f'patch_ref{k}_upsampled'] = maps[k]
    return values


def image_values(model, recorded):
    """The stages of a network run over a whole image, by the keys under which they are recorded."""
    if 'image_u8' not in recorded:
        return {}
    stages = model.trunk(image_as_input(recorded['image_u8'], model.patch_size))
    features = model.trunk.describe(stages[-1])
    values = {'conv_trunk': features, 'conv_score': model.score(features)[:, None]}
    if isinstance(model, DeepMask):
        return {**values, 'conv_mask': model.mask(features)}
    return {**values, **{f'conv_horizontal{k}': model.refine.skip(k, stages[-k]) for k in (1, 2, 3, 4)}}


def differences(name):
    """The largest difference of each recorded stage, as a part of its largest value."""
    model = converters.convert(FOLDER / 'models' / f'{name}.t7')
    recorded = recorded_for(name)
    found = {**patch_values(model, recorded), **image_values(model, recorded)}
    keys = [key for key in recorded if key.startswith(('patch_', 'conv_')) and key != 'patch_input_u8']
    assert set(keys) == found.keys()
    result = {}
    for key in keys:
        assert found[key].shape == recorded[key].shape, key
        peak = np.abs(recorded[key]).max()
        result[key] = np.abs(found[key].array - recorded[key]).max() / peak
    return result


@pytest.mark.parametrize('name', DEEPMASKS + SHARPMASKS)
def test_every_stage_is_what_torch_computed(name, shared_data):
    found = differences(name)
    for key, value in found.items():
        print(f'{name:30} {key:24} {value:.1e}')
    assert {key: value for key, value in found.items() if not value < TOLERANCE} == {}


@pytest.mark.parametrize('name', SHARPMASKS)
def test_a_converted_model_is_saved_and_loaded_unchanged(name, path_of, tmp_path):
    model = converters.convert(path_of(name))
    save_model(tmp_path / 'model.npz', model)
    loaded = load_model(tmp_path / 'model.npz')
    assert isinstance(loaded, SharpMask) and loaded.config == model.config
    assert loaded.origin == model.origin
    x = np.zeros((1, 3, model.patch_size + 32, model.patch_size + 32), np.float32)
    for found, expected in zip(loaded.forward(x), model.forward(x)):
        np.testing.assert_array_equal(found.array, expected.array)


def test_the_sizes_come_from_the_weights(path_of):
    config = converters.convert(path_of('sharpmask_small_cuda')).config
    assert config == {
        'patch_size': 64, 'mask_size': 24, 'blocks': [3, 4, 6], 'width': 8, 'norm': 'affine',
        'bottleneck': 16, 'features': 64, 'hidden': 96, 'mask_channels': 16, 'skip_channels': 8,
        'dropout': 0.5, 'seed': 0}


def test_batch_normalisation_is_kept_and_updated_slowly_in_training(path_of):
    model = converters.convert(path_of('deepmask_bn_cudnn'))
    assert model.config['norm'] == 'batch'
    norm = model.trunk.resnet.stem.norm
    before = norm.avg_mean.copy()
    with chainer.using_config('train', True):
        norm(np.full((2, 3, 4, 4), 100, np.float32))
    np.testing.assert_allclose(norm.avg_mean, 0.99 * before + 0.01 * 100, rtol=1e-5)


def test_every_array_is_used_or_skipped_for_a_reason(path_of):
    conversion = converters.conversion(path_of('sharpmask_tiny'))
    names = converters.torch_modules.tensors(torch7.read(path_of('sharpmask_tiny'))).keys()
    assert set(conversion.used) | conversion.skipped.keys() == names
    assert not set(conversion.used) & conversion.skipped.keys()
    assert conversion.skipped['model.neths[1][2].gradWeight'] == 'gradient of training'
    assert conversion.model.origin['arrays_used'] == 183


def test_origin_names_the_file_and_its_fingerprint(path_of):
    origin = converters.convert(path_of('deepmask_tiny')).origin
    assert origin['file'] == 'deepmask_tiny.t7' and origin['network'] == 'nn.DeepMask'
    assert origin['md5'] == '2f11d2151f4431c9e7b4948bfe8413b6'  # as md5sum prints it


def test_a_network_saved_without_its_table_is_converted(tiny, path_of, tmp_path):
    torch7_writer.write(tmp_path / 'bare.t7', tiny['model'])
    bare, whole = converters.convert(tmp_path / 'bare.t7'), converters.convert(path_of('deepmask_tiny'))
    np.testing.assert_array_equal(bare.mask.W.array, whole.mask.W.array)


def test_config_overrides_the_file(path_of):
    model = converters.convert(path_of('deepmask_tiny'), {'dropout': 0.1, 'target_size': 24})
    assert model.score.dropout == 0.1 and model.target_size == 24


def test_a_sharpmask_without_the_deepmask_branch_is_converted(path_of, tmp_path):
    tree = torch7.read(path_of('sharpmask_tiny'))
    del tree['model'].fields['maskBranchDM']
    torch7_writer.write(tmp_path / 'sharp.t7', tree)
    assert converters.convert(tmp_path / 'sharp.t7').config['mask_size'] is None


def assert_refused(tree, tmp_path, *parts, config=None):
    torch7_writer.write(tmp_path / 'changed.t7', tree)
    with pytest.raises(WeightFileError) as caught:
        converters.convert(tmp_path / 'changed.t7', config)
    for part in ('changed.t7', *parts):
        assert part in str(caught.value)
    assert str(caught.value).count('. ') == 0


def test_an_array_without_a_place_is_an_error_that_names_it(tiny, tmp_path):
    tiny['model']['trunk']['modules'][12].fields['surplus'] = np.ones(3, np.float32)
    assert_refused(tiny, tmp_path, 'no place for', 'model.trunk[12].surplus')


def test_a_missing_weight_is_an_error(tiny, tmp_path):
    del tiny['model']['trunk']['modules'][12].fields['bias']
    assert_refused(tiny, tmp_path, 'nn.Linear has no bias')


def test_a_missing_branch_is_an_error(tiny, tmp_path):
    del tiny['model'].fields['scoreBranch']
    assert_refused(tiny, tmp_path, 'nn.DeepMask has no scoreBranch')


def test_an_array_of_another_shape_is_an_error(tiny, tmp_path):
    tiny['model']['trunk']['modules'][12].fields['bias'] = np.ones(7, np.float32)
    assert_refused(tiny, tmp_path, 'model.trunk[12].bias has the shape (7,), expected (20,)')


def test_another_stride_is_an_error(tiny, tmp_path):
    tiny['model']['trunk']['modules'][9].fields['dW'] = 2
    assert_refused(tiny, tmp_path, 'model.trunk[9].weight has dW = 2, expected 1')


def test_zero_padding_in_the_trunk_is_an_error(tiny, tmp_path):
    stem = tiny['model']['trunk']['modules'][1]['modules']
    stem[1].class_name = 'nn.Identity'
    stem[2].fields.update(padW=3, padH=3)
    assert_refused(tiny, tmp_path, 'padW = 3, expected 0')


def test_a_layer_of_another_type_is_an_error(tiny, tmp_path):
    tiny['model']['trunk']['modules'][10].class_name = 'nn.PReLU'
    assert_refused(tiny, tmp_path, 'nn.PReLU')


def test_a_container_inside_itself_is_an_error(tiny, tmp_path):
    stem = tiny['model']['trunk']['modules'][1]
    stem['modules'][3] = stem
    assert_refused(tiny, tmp_path, 'occurs in two places')


def test_an_argument_that_the_class_lacks_is_an_error(tiny, tmp_path):
    assert_refused(tiny, tmp_path, "a DeepMask has no option dept; its options are patch_size, mask_size",
                   config={'dept': 3})


def test_shapes_that_ask_for_more_than_the_file_holds_get_no_memory(tiny, tmp_path):
    tiny['model'].fields['fSz'] = 1 << 20
    assert_refused(tiny, tmp_path, 'numbers')


def test_another_network_is_named(tmp_path):
    other = Table({'model': torch7.Object('nn.gModule', Table({'modules': Table()}))})
    assert_refused(other, tmp_path, 'contains nn.gModule', 'DeepMask, SharpMask')

