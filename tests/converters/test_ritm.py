"""Checkpoints of RITM: every array is accounted for, and what cannot be converted is one sentence."""

import copy
import pickle

import numpy as np
import pytest

from chainer_seg.errors import WeightFileError
from chainer_seg.model_file import load_model, save_model
from tests.arrays import arrays_of
from tests.models.ritm import reference

converters = pytest.importorskip('converters')

pytestmark = pytest.mark.usefixtures('shared_data')

CLICKS = {'click_encoding': 'disk', 'click_radius': 5, 'slope': 0.2}


@pytest.fixture(scope='module')
def tree():
    return converters.read(reference.path_of('hrnet_small'))


def convert(tree, config=()):
    """The model of a tree, as if it had been read from a file."""
    mapping = converters.WeightMapping('a.pth', converters.trees.named_arrays(tree))
    model = converters.ritm.build(tree, mapping, dict(config))
    mapping.close(model)
    return model


def changed(tree, **values):
    """A tree with other values in its configuration; None removes an entry."""
    config = copy.deepcopy(tree['config'])
    for name, value in values.items():
        config['params'][name] = {'type': 'builtin', 'value': value, 'specified': True}
    return {**tree, 'config': config}


@pytest.mark.parametrize('name', reference.FILES)
def test_every_array_is_used_or_skipped_as_a_counter(name):
    conversion = converters.conversion(reference.path_of(name))
    assert len(set(conversion.used)) + len(conversion.skipped) == reference.cases()['models'][name]['tensors']
    assert set(conversion.skipped.values()) == {'counter of training'}
    assert all(key.endswith('num_batches_tracked') for key in conversion.skipped)


def test_network_is_named_before_it_is_converted():
    assert converters.inspect(reference.path_of('hrnet_small')).network == 'RITM on HRNet'
    assert converters.ritm.recognise(reference.tree_of('deeplab')) == 'RITM on DeepLab v3+'


@pytest.mark.parametrize('name, wanted', [
    ('hrnet_small', {'width': 2, 'blocks': 2, 'modules': [1, 3, 2], 'ocr_width': 8, 'mask_input': True,
                     'click_encoding': 'disk', 'click_radius': 5, 'slope': 0.2, 'fusion': 'features'}),
    ('hrnet_full', {'width': 3, 'blocks': 4, 'modules': [1, 4, 3], 'ocr_width': 10}),
    ('hrnet_rgb', {'mask_input': False, 'click_encoding': 'distance', 'click_radius': 40, 'slope': 0,
                   'fusion': 'colors'})])
def test_sizes_come_from_the_file(name, wanted):
    config = converters.convert(reference.path_of(name)).config
    assert {key: config[key] for key in wanted} == wanted


@pytest.mark.parametrize('name', ['hrnet_small', 'hrnet_rgb'])
def test_converted_model_is_saved_and_loaded(name, tmp_path):
    model = converters.convert(reference.path_of(name))
    save_model(tmp_path / 'model.npz', model)
    loaded = load_model(tmp_path / 'model.npz')
    assert loaded.config == model.config and loaded.origin['network'] == 'RITM on HRNet'
    for key, value in arrays_of(model).items():
        np.testing.assert_array_equal(arrays_of(loaded)[key], value)


def test_arguments_of_the_caller_win():
    model = converters.convert(reference.path_of('hrnet_small'), {'zoom_side': None, 'flip': False})
    assert model.zoom_in is None and not model.flip


def test_missing_configuration_says_what_to_give(tree):
    bare = {'state_dict': tree['state_dict']}
    with pytest.raises(WeightFileError, match="no 'config' beside its state_dict.*give click_encoding, "
                                              'click_radius, slope with --config'):
        convert(bare)
    model, wanted = convert(bare, CLICKS), convert(tree)
    assert model.config == wanted.config
    bare_state = convert(tree['state_dict'], CLICKS)
    np.testing.assert_array_equal(bare_state.clicks.first.W.array, wanted.clicks.first.W.array)


def test_other_class_is_named(tree):
    config = {**tree['config'], 'class': 'isegm.model.is_unet_model.UNetModel'}
    with pytest.raises(WeightFileError, match='UNetModel.*expected a HRNetModel or a DeeplabModel'):
        convert({**tree, 'config': config})


def test_class_without_its_weights_is_an_error(tree):
    with pytest.raises(WeightFileError, match='has the configuration of a RITM network, but not its weights'):
        convert({**tree, 'state_dict': {'a': np.zeros(3, np.float32)}})


@pytest.mark.parametrize('values, message', [
    ({'clicks_groups': [5, 10]}, 'has clicks_groups, which is not supported'),
    ({'binary_prev_mask': True}, 'has binary_prev_mask, which is not supported'),
    ({'conv_extend': True}, 'has conv_extend, which is not supported'),
    ({'norm_mean_std': [[0, 0, 0], [1, 1, 1]]}, 'norm_mean_std .* expected ImageNet'),
    ({'norm_radius': 'five'}, 'norm_radius'), ({'use_disks': 3}, 'use_disks')])
def test_unused_option_or_nonsense_is_refused(tree, values, message):
    with pytest.raises(WeightFileError, match=message):
        convert(changed(tree, **values))


@pytest.mark.parametrize('config', ['HRNet', 3, {}, {'class': 'isegm.model.is_hrnet_model.HRNetModel'},
                                    {'class': 5, 'params': {}},
                                    {'class': 'isegm.model.is_hrnet_model.HRNetModel', 'params': [1]}])
def test_broken_configuration_is_one_sentence(tree, config):
    with pytest.raises(WeightFileError, match='The configuration in a.pth'):
        convert({**tree, 'config': config})


def test_list_of_networks_is_refused(tree):
    with pytest.raises(WeightFileError, match='2 networks, one for each number of clicks'):
        convert([tree, tree])


def test_missing_array_is_named(tree):
    state = {key: value for key, value in tree['state_dict'].items()
             if key != 'feature_extractor.stage3.1.fuse_layers.2.0.1.1.running_var'}
    with pytest.raises(WeightFileError, match='it has no feature_extractor.stage3.1.fuse_layers.2.0.1.1'):
        convert({**tree, 'state_dict': state})


def test_additional_array_is_named(tree):
    state = {**tree['state_dict'], 'feature_extractor.extra.weight': np.ones((2, 2), np.float32)}
    with pytest.raises(WeightFileError, match='no place for: state_dict.feature_extractor.extra.weight'):
        convert({**tree, 'state_dict': state})


def test_bottlenecks_are_refused():
    tree = reference.tree_of('deeplab')
    state = {**tree['state_dict'],
             'feature_extractor.backbone.layer1.0.conv3.weight': np.ones((64, 64, 1, 1), np.float32)}
    with pytest.raises(WeightFileError, match='its ResNet has bottlenecks'):
        convert({**tree, 'state_dict': state})


@pytest.mark.parametrize('name', ['hrnet_small', 'hrnet_full'])
@pytest.mark.parametrize('share', [0.001, 0.3, 0.999])
def test_cut_file_is_one_sentence(name, share, tmp_path):
    data = reference.path_of(name).read_bytes()
    path = tmp_path / 'cut.pth'
    path.write_bytes(data[:int(len(data) * share)])
    with pytest.raises(WeightFileError, match='cut.pth'):
        converters.convert(path)


def test_whole_pickled_model_is_refused_without_running_anything(tmp_path):
    class Model:
        def __reduce__(self):
            return print, ('ran',)
    path = tmp_path / 'model.pth'
    path.write_bytes(pickle.dumps(Model()))
    with pytest.raises(WeightFileError):
        converters.convert(path)
