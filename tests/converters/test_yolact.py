"""YOLACT out of genuine .pth files; tests/models/yolact/test_parity.py compares what they compute."""

import json
import shutil

import numpy as np
import pytest

import converters
from chainer_seg.errors import UserError, WeightFileError
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.yolact import Yolact
from chainer_seg.recipes import YolactRecipe
from converters.formats import pytorch
from tests.arrays import assert_same_parameters
from tests.models.yolact import reference

pytorch_read = pytorch.read  # Tests replace it.

pytestmark = pytest.mark.usefixtures('shared_data', 'evaluating')


def converted(name):
    return converters.convert(reference.path_of(name), reference.config_of(name))


@pytest.fixture
def tree(monkeypatch):
    """The tree of a small file, which is what is read whatever is changed in it."""
    tree = dict(pytorch.read(reference.path_of('yolact_resnet50')))
    monkeypatch.setattr(pytorch, 'read', lambda path: tree)
    return tree


def convert_tree(config=None):
    return converters.convert(reference.path_of('yolact_resnet50'),
                              config or reference.config_of('yolact_resnet50'))


def test_the_older_stream_holds_the_same_network():
    name = 'yolact_resnet50_pascal'
    older = converters.convert(reference.FOLDER / f'{name}_legacy.pth', reference.config_of(name))
    for (path, parameter), other in zip(older.namedparams(), converted(name).params()):
        np.testing.assert_array_equal(parameter.array, other.array, err_msg=path)


def test_every_array_is_used_or_skipped_for_a_reason():
    name = 'yolact_resnet50'
    conversion = converters.conversion(reference.path_of(name), reference.config_of(name))
    assert set(conversion.used) | conversion.skipped.keys() == set(pytorch.read(reference.path_of(name)))
    assert not set(conversion.used) & conversion.skipped.keys()
    assert set(conversion.skipped.values()) == {'counter of training'}


def test_a_converted_model_is_saved_and_loaded_unchanged(tmp_path):
    model = converted('yolact_darknet53')
    save_model(tmp_path / 'model.npz', model)
    loaded = load_model(tmp_path / 'model.npz')
    found, expected = loaded.detect(reference.image()), model.detect(reference.image())
    np.testing.assert_array_equal(found.masks, expected.masks)
    assert loaded.origin['network'] == 'YOLACT' and loaded.origin['format'] == 'PyTorch'


def test_sizes_come_from_the_weights_and_the_rest_from_the_configuration():
    config = converted('yolact_resnet50_pascal').config
    assert {name: config[name] for name in (
        'backbone', 'width', 'classes', 'fpn_channels', 'prototypes', 'image_size', 'square_anchors')
    } == {'backbone': 'resnet50', 'width': 3, 'classes': 4, 'fpn_channels': 16, 'prototypes': 8,
          'image_size': 138, 'square_anchors': False}
    assert config['anchor_scales'] == [[8], [16], [32], [64], [128]]
    assert config['anchor_ratios'] == [1, 0.5, 2]


def test_yolact_plus_plus_is_known_by_its_arrays():
    model = converted('yolact_plus_resnet50')
    assert model.origin['network'] == 'YOLACT++'
    assert model.config['deformable'] == (0, 1, 1, 1)
    assert model.config['rescoring'] == (4, 6, 8, 12, 16)


def test_a_configuration_in_the_words_of_the_class(tmp_path):
    (tmp_path / 'mine.toml').write_text(
        'image_size = 138\nanchor_scales = [[6], [12], [24], [48], [96]]')
    path = reference.path_of('yolact_resnet50')
    model = converters.convert(path, tmp_path / 'mine.toml')
    np.testing.assert_array_equal(model.anchors(), converted('yolact_resnet50').anchors())


NAMES = ['disc', 'box', 'star', 'ring', 'cross']


def blank_state(name):
    """The arrays of a network of the published sizes, all zero, which take no memory."""
    return {key: np.broadcast_to(np.float32(0), shape)
            for key, shape in reference.full_width_shapes(name).items()}


@pytest.mark.parametrize('file, classes, expected, assumed', [
    ('yolact_im700_54_800000', 3, 'im700', 'yolact_im700 from the file name'),
    ('yolact_im700_12_3456_interrupt', 3, 'im700', 'yolact_im700 from the file name'),
    ('yolact_im700_cars_12_3456', 3, 'im700', 'yolact_im700 from the file name'),
    ('YOLACT_im400-cars_2_7_interrupt', 3, 'im400', 'yolact_im400 from the file name'),
    ('yolact_im4000_1_2', 3, 'base',
     'yolact_base from its shapes, because its name contains no configuration'),
    ('cars_54_800000', 3, 'base', 'yolact_base from its shapes, because its name contains no configuration'),
    ('yolact_resnet50_pascal_12_3456_interrupt', 3, 'resnet50_pascal',
     'yolact_resnet50_pascal from the file name'),
    ('yolact_resnet50_pascal_cars_1_2', 3, 'resnet50_pascal',
     'yolact_resnet50_pascal from the file name'),
    ('yolact_resnet50_cars_1_2', 20, 'resnet50', 'yolact_resnet50 from the file name'),
    ('renamed', 20, 'resnet50_pascal', 'yolact_resnet50_pascal from its 20 classes')])
def test_the_configuration_is_that_whose_name_begins_the_files_name(
        file, classes, expected, assumed, monkeypatch, tmp_path, caplog):
    shapes = 'yolact_resnet50_pascal' if 'resnet50' in expected else 'yolact_base'
    state = blank_state(shapes)
    for name in list(state):
        if 'conf_layer' in name or 'semantic_seg_conv' in name:
            rows = 3 * (classes + 1) if 'conf_layer' in name else classes
            state[name] = np.broadcast_to(np.float32(0), (rows, *state[name].shape[1:]))
    monkeypatch.setattr(pytorch, 'read', lambda path: state)
    shutil.copy(reference.path_of('yolact_base'), tmp_path / f'{file}.pth')
    with caplog.at_level('INFO'):
        model = converters.convert(tmp_path / f'{file}.pth')
    published = YolactRecipe.load(expected).to_tables()['model']
    wanted = Yolact(**{**published, 'width': 2, 'blocks': (1, 1, 1, 1)})
    assert model.image_size == wanted.image_size
    np.testing.assert_array_equal(model.anchors(), wanted.anchors())
    assert f'assumed {assumed}; override with --config' in caplog.messages
    assert f'{assumed}; override with --config' in model.origin['assumed']


def test_a_published_configuration_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(pytorch, 'read', lambda path: blank_state('yolact_base'))
    path = shutil.copy(reference.path_of('yolact_base'), tmp_path / 'yolact_im700_1_2.pth')
    for config in ('yolact_im400', 'yolact_im400_config'):
        assert converters.convert(path, config).image_size == 400
    with pytest.raises(UserError, match='not those of yolact_resnet50, but those of yolact_base and '):
        converters.convert(path, 'yolact_resnet50')


@pytest.mark.parametrize('config', ['original', 'own'])
@pytest.mark.parametrize('settings, expected', [
    ({'max_detections': 5, 'score_threshold': 0.5}, {'max_detections': 5, 'score_threshold': 0.5}),
    ({'image_size': 96}, {'image_size': 96}), ({'max_size': 96}, {'image_size': 96}),
    ({'pred_aspect_ratios': [[[1, 2, 3]]]}, {'anchor_ratios': [1, 2, 3]}),
    ({'class_names': NAMES}, {})])
def test_settings_come_over_a_configuration_in_either_words(config, settings, expected, tree):
    path, original = reference.path_of('yolact_resnet50'), reference.small_config('yolact_resnet50')
    if config == 'own':
        original = {'image_size': 138, 'anchor_scales': original['pred_scales_px'],
                    'max_detections': 7, 'anchor_ratios': [1, 0.5, 2]}
    model = converters.conversion(path, original, settings=settings).model
    assert {name: model.config[name] for name in expected} == expected
    assert model.class_names == tuple(settings.get('class_names', ()))


@pytest.mark.parametrize('file, shapes, expected', [
    ('yolact_base_54_800000', 'yolact_base', {'image_size': 550, 'square_anchors': True}),
    ('yolact_im700_54_800000', 'yolact_base',
     {'image_size': 700, 'anchor_scales': [[30], [61], [122], [244], [488]]}),
    ('renamed', 'yolact_base', {'image_size': 550}),
    ('renamed', 'yolact_plus_resnet50', {'rescoring': [8, 16, 32, 64, 128], 'square_anchors': False}),
    ('renamed', 'yolact_resnet50_pascal',
     {'classes': 20, 'square_anchors': False, 'anchor_scales': [[32], [64], [128], [256], [512]]})])
def test_the_published_network_of_the_same_shapes(file, shapes, expected, monkeypatch, tmp_path):
    monkeypatch.setattr(pytorch, 'read', lambda path: blank_state(shapes))
    shutil.copy(reference.path_of('yolact_base'), tmp_path / f'{file}.pth')
    model = converters.convert(tmp_path / f'{file}.pth')
    config = json.loads(json.dumps(model.config))
    assert {name: config[name] for name in expected} == expected
    assert len(model.class_names) == model.classes
    assert {'person', 'cat'} <= set(model.class_names)


def test_what_older_files_have_twice_or_too_much_is_skipped(tree):
    tree['backbone.layer1.0.conv1.weight'] = tree['backbone.layers.0.0.conv1.weight'].copy()
    tree['fpn.downsample_layers.2.weight'] = np.zeros((32, 32, 3, 3), np.float32)
    model = convert_tree()
    assert len(model.origin['arrays_skipped']) == 3
    assert model.origin['arrays_skipped']['unused level of the pyramid'] == 1


def test_a_network_inside_of_a_checkpoint(tree):
    inside = dict(tree)
    tree.clear()
    tree.update(epoch=3, state_dict={f'module.{name}': array for name, array in inside.items()})
    assert convert_tree().origin['arrays_used'] == 301


@pytest.mark.parametrize('words', [{'class_names': NAMES}, {'dataset': {'class_names': NAMES}}])
def test_class_names_come_from_the_configuration(words, tree):
    config = reference.small_config('yolact_resnet50')
    if 'class_names' in words:
        config = {'image_size': 138, 'anchor_scales': config['pred_scales_px']}
    assert convert_tree({**config, **words}).class_names == tuple(NAMES)


def test_class_names_of_another_number_are_an_error(tree):
    config = {**reference.small_config('yolact_resnet50'), 'dataset': {'class_names': NAMES[:2]}}
    assert_refused("has 2 class names, expected 5: disc, box", config=config)


def assert_refused(*parts, config=None):
    with pytest.raises(UserError) as caught:
        convert_tree(config)
    for part in parts:
        assert part in str(caught.value)
    assert str(caught.value).count('. ') == 0


def test_a_missing_array_is_an_error(tree):
    del tree['proto_net.8.bias']
    assert_refused('it has no proto_net.8.bias')


def test_an_array_without_a_place_is_an_error(tree):
    tree['proto_net.12.weight'] = np.zeros((1, 8, 1, 1), np.float32)
    assert_refused('no place for', 'proto_net.12.weight')


def test_an_array_of_another_shape_is_an_error(tree):
    tree['semantic_seg_conv.bias'] = np.zeros(7, np.float32)
    assert_refused('semantic_seg_conv.bias has the shape (7,), expected (5,)')


def test_an_array_of_other_axes_is_an_error(tree):
    tree['backbone.conv1.weight'] = np.zeros(7, np.float32)
    assert_refused('backbone.conv1.weight has the shape (7,), expected 4 axes')


def test_shapes_that_ask_for_too_much_memory_are_an_error(tree):
    tree['backbone.conv1.weight'] = np.broadcast_to(np.float32(0), (2 ** 24, 3, 7, 7))
    assert_refused('cannot be converted')


def test_deformable_blocks_without_order_are_an_error(tree):
    plus = pytorch_read(reference.path_of('yolact_plus_resnet50'))
    tree.clear()
    tree.update((name, array) for name, array in plus.items()
                if not name.startswith('backbone.layers.2.1.conv2.conv_offset_mask'))
    assert_refused('[0, 2, 3, 4, 5] of its stage 2 are deformable')


def test_another_network_is_reported(tree):
    del tree['prediction_layers.0.bbox_layer.weight']
    assert_refused('cannot be converted', 'YOLACT')


def test_shapes_of_no_published_network_need_a_configuration():
    with pytest.raises(WeightFileError, match='no published network.*--config'):
        converters.convert(reference.path_of('yolact_resnet50'))


def test_a_configuration_of_other_classes_is_an_error(tree):
    config = {**reference.small_config('yolact_resnet50'), 'num_classes': 81}
    assert_refused('(18, 32, 3, 3), expected (243, 32, 3, 3)', config=config)


@pytest.mark.parametrize('table, key, value', [
    ('fpn', 'num_downsample', 3), ('transform', 'channel_order', 'BGR'),
    ('transform', 'to_float', True)])
def test_a_configuration_of_another_network_is_an_error(tree, table, key, value):
    config = reference.small_config('yolact_resnet50')
    config[table][key] = value
    assert_refused(f'{table}.{key} = {value!r}', config=config)


def test_a_configuration_of_other_anchors_on_each_level_is_an_error(tree):
    config = reference.small_config('yolact_resnet50')
    config['pred_aspect_ratios'][0] = [[1, 3]]
    assert_refused('aspect ratios', config=config)


def test_a_configuration_that_the_class_does_not_know_is_an_error(tree):
    assert_refused("a Yolact has no option anchor_sides; its options are class_names",
                   config={'anchor_sides': 3, 'anchor_scales': [[6]] * 5})


def test_a_checkpoint_with_its_optimizer_is_the_network_in_it(shared_cases, shared_data):
    folder = shared_data / 'formats' / 'pytorch'
    config = folder / 'yolact_resnet50_config.json'
    found = converters.conversion(shared_cases / 'optimizer-state' / 'with_optimizer.pth', config)
    assert sum(reason == 'training state' for reason in found.skipped.values()) == 301
    expected = converters.convert(folder / 'yolact_resnet50_1_10.pth', config)
    assert_same_parameters(found.model, expected)
