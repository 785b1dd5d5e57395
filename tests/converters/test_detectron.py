"""Mask R-CNN, Faster R-CNN and ResNets out of Detectron files: which blob goes where, what is refused.

That they compute what Detectron does is tested in tests/models/mask_rcnn/test_parity.py.
"""

import json
import lzma
import pathlib
import re

import numpy as np
import pytest
from chainer import functions as F

import converters
from chainer_seg.errors import WeightFileError
from chainer_seg.links import copy_resnet
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.classifier import ResNetClassifier
from converters.formats import FORMATS
from converters.formats import detectron as detectron_format
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / 'formats' / 'detectron'

FORMAT = next(form for form in FORMATS if form.name == 'Detectron')

MODELS = ('public_mask_c4_5', 'public_mask_c4_81', 'public_mask_fpn_81', 'public_kp_fpn_2')


def model_of(name):
    return converters.convert(FOLDER / f'{name}.pkl')


@pytest.fixture
def tree_of(shared_data):
    """The tree of a file, to be changed."""
    return lambda name: detectron_format.read(FOLDER / f'{name}.pkl')


@pytest.fixture
def convert(monkeypatch):
    """Converts a tree as if it had been read from ``changed.pkl``."""
    def convert_tree(tree, config=None):
        monkeypatch.setattr(detectron_format, 'read', lambda path: tree)
        monkeypatch.setattr(converters, 'find_format', lambda path: FORMAT)
        monkeypatch.setattr(converters, '_md5', lambda path: '')
        return converters.conversion('changed.pkl', config)
    return convert_tree


def without(tree, *parts):
    """The tree without the blobs whose names contain one of the parts."""
    blobs = {name: blob for name, blob in tree['blobs'].items() if not any(map(name.count, parts))}
    return {**tree, 'blobs': blobs}


@pytest.mark.parametrize('name', MODELS)
def test_every_blob_is_used_or_skipped_for_a_reason(name, tree_of):
    conversion = converters.conversion(FOLDER / f'{name}.pkl')
    assert set(conversion.used) | conversion.skipped.keys() == tree_of(name)['blobs'].keys()
    assert not set(conversion.used) & conversion.skipped.keys()


@pytest.mark.parametrize('as_file', [False, True])
def test_class_names_are_given_beside_the_arguments(shared_data, tmp_path, as_file):
    names = ['a', 'b b', 'c', 'd']
    if as_file:
        (tmp_path / 'names.txt').write_text('\ufeffa\r\nb b\n\nc\nd\n', encoding='utf-8')
    model = converters.convert(FOLDER / 'public_mask_c4_5.pkl', {
        'class_names': str(tmp_path / 'names.txt') if as_file else names, 'max_detections': 7})
    assert model.class_names == tuple(names) and model.max_detections == 7


@pytest.mark.parametrize('names, sentence', [
    (['a', 'b'], 'has 2 class names, expected 4: a, b'),
    (['a', 'b', 'a', 'c'], "has the class name 'a' twice"),
    ('nowhere.txt', "class_names is 'nowhere.txt', expected a list of names or the path of a text file"),
    ([1, 2, 3, 4], 'expected a list of names'), (7, 'class_names is 7, expected a list of names')])
def test_class_names_that_cannot_be_are_refused(shared_data, names, sentence):
    with pytest.raises(WeightFileError, match=sentence):
        converters.convert(FOLDER / 'public_mask_c4_5.pkl', {'class_names': names})


@pytest.mark.parametrize('name, assumed', [
    ('public_mask_fpn_81', ["COCO's class names, because the number of classes is 80"]),
    ('public_kp_fpn_2', ["COCO's class names, because the number of classes is 1"]),
    ('public_mask_c4_5', [])])
def test_assumed_class_names_are_recorded(shared_data, name, assumed, caplog):
    with caplog.at_level('INFO'):
        origin = model_of(name).origin
    assert [text.removesuffix('; override with class_names') for text in origin.get('assumed', [])
            if 'class names' in text] == assumed
    assert [text.removesuffix('; override with class_names') for text in caplog.messages
            if 'class names' in text] == [
        f'assumed {text}' for text in assumed]


def test_what_is_skipped_and_why(shared_data):
    skipped = converters.conversion(FOLDER / 'public_mask_c4_81.pkl').skipped
    assert skipped['cls_score_w_momentum'] == 'momentum of training'
    assert skipped['res2_0_branch1_b'] == skipped['conv1_b'] == 'bias that is zero'
    assert skipped['fc1000_w'] == 'classifier of ImageNet'
    skipped = converters.conversion(FOLDER / 'public_kp_fpn_2.pkl').skipped
    assert skipped['kps_score_w'] == 'bilinear upsampling'


def test_sizes_come_from_the_blobs_and_use_from_the_configuration(shared_data):
    config = model_of('public_kp_fpn_2').config
    assert {name: config[name] for name in (
        'neck', 'classes', 'keypoints', 'with_masks', 'blocks', 'width', 'stem_width', 'fpn_channels',
        'box_features', 'keypoint_channels')} == {
            'neck': 'fpn', 'classes': 1, 'keypoints': 17, 'with_masks': False, 'blocks': [3, 4, 6, 3],
            'width': 3, 'stem_width': 4, 'fpn_channels': 12, 'box_features': 48, 'keypoint_channels': 24}
    assert {name: config[name] for name in (
        'min_side', 'max_side', 'proposals_before_nms', 'score_threshold', 'sampling_ratio',
        'anchor_sizes')} == {
            'min_side': 128, 'max_side': 208, 'proposals_before_nms': 1000, 'score_threshold': 0.05,
            'sampling_ratio': 2, 'anchor_sizes': [32, 64, 128, 256, 512]}


def test_without_a_configuration_a_file_is_used_as_published(tree_of, convert):
    config = convert({**tree_of('public_mask_c4_5'), 'cfg': None}).model.config
    assert (config['min_side'], config['max_side'], config['max_detections']) == (800, 1333, 100)
    assert config['neck'] == 'c4' and config['classes'] == 4


def test_an_older_configuration_has_a_list_of_scales(tree_of, convert):
    tree = tree_of('public_mask_c4_5')
    tree['cfg']['TEST'] = {'SCALES': (600,), 'MAX_SIZE': 1000}
    config = convert(tree).model.config
    assert (config['min_side'], config['max_side']) == (600, 1000)


TEST_OPTIONS = ('soft_nms', 'soft_nms_sigma', 'vote_threshold', 'flip', 'scales')


@pytest.mark.parametrize('given, expected', [
    ({}, (None, 0.5, None, False, [])),
    ({'SOFT_NMS': {'ENABLED': False, 'METHOD': 'gaussian'}, 'BBOX_VOTE': {'ENABLED': False, 'VOTE_TH': 0.9},
      'BBOX_AUG': {'ENABLED': False, 'H_FLIP': True, 'SCALES': (400,)}}, (None, 0.5, None, False, [])),
    ({'SOFT_NMS': {'ENABLED': True}, 'BBOX_VOTE': {'ENABLED': True}}, ('linear', 0.5, 0.8, False, [])),
    ({'SOFT_NMS': {'ENABLED': True, 'METHOD': 'gaussian', 'SIGMA': 0.3},
      'BBOX_VOTE': {'ENABLED': True, 'VOTE_TH': 0.9, 'SCORING_METHOD': 'ID'},
      'BBOX_AUG': {'ENABLED': True, 'H_FLIP': True, 'SCALES': (400, 500), 'SCALE_H_FLIP': True,
                   'MAX_SIZE': 4000, 'ASPECT_RATIOS': (), 'SCORE_HEUR': 'UNION'}},
     ('gaussian', 0.3, 0.9, True, [400, 500])),
    ({'BBOX_AUG': {'ENABLED': True, 'H_FLIP': True, 'SCALES': ()}}, (None, 0.5, None, True, []))])
def test_soft_nms_voting_and_views_are_those_of_the_configuration(given, expected, tree_of, convert):
    tree = tree_of('public_mask_c4_5')
    tree['cfg']['TEST'].update(given)
    config = convert(tree).model.config
    assert tuple(config[name] if name != 'scales' else list(config[name])
                 for name in TEST_OPTIONS) == expected


@pytest.mark.parametrize('section, name, value', [
    ('SOFT_NMS', 'METHOD', 'hard'), ('BBOX_VOTE', 'SCORING_METHOD', 'AVG'),
    ('BBOX_AUG', 'ASPECT_RATIOS', (0.5,)), ('BBOX_AUG', 'SCORE_HEUR', 'AVG'),
    ('BBOX_AUG', 'MAX_SIZE', 2000)])
def test_options_of_testing_that_cannot_be_followed_are_refused(section, name, value, tree_of, convert):
    tree = tree_of('public_mask_c4_5')
    tree['cfg']['TEST'][section] = {'ENABLED': True, name: value}
    assert_refused(convert, tree, f'TEST.{section}.{name} = {value!r}')


@pytest.mark.parametrize('flips', [
    {'H_FLIP': True}, {'SCALE_H_FLIP': True}, {'H_FLIP': True, 'SCALE_H_FLIP': False}])
def test_a_mirror_image_at_some_scales_only_is_refused(flips, tree_of, convert):
    tree = tree_of('public_mask_c4_5')
    tree['cfg']['TEST']['BBOX_AUG'] = {'ENABLED': True, 'SCALES': (400,), **flips}
    assert_refused(convert, tree, 'mirrors the image at some scales only', 'SCALE_H_FLIP')


def test_deltas_are_reordered_from_x_y_to_y_x(tree_of, shared_data):
    blobs, model = tree_of('public_mask_c4_5')['blobs'], model_of('public_mask_c4_5')
    for link, name in ((model.box.deltas, 'bbox_pred'), (model.rpn.deltas, 'rpn_bbox_pred')):
        for ours, theirs in enumerate((1, 0, 3, 2)):
            np.testing.assert_array_equal(link.W.array[8 + ours], blobs[f'{name}_w'][8 + theirs])
            assert link.b.array[8 + ours] == blobs[f'{name}_b'][8 + theirs]


def test_models_of_coco_know_the_names(shared_data):
    assert model_of('public_mask_fpn_81').class_names[79] == 'toothbrush'
    assert model_of('public_kp_fpn_2').class_names == ('person',)
    assert model_of('public_mask_c4_5').class_names == ()


@pytest.mark.parametrize('name', MODELS[1:])
def test_a_converted_model_is_saved_and_loaded_unchanged(name, shared_data, tmp_path):
    model = model_of(name)
    save_model(tmp_path / 'model.npz', model)
    loaded = load_model(tmp_path / 'model.npz')
    as_stored = json.loads(json.dumps(model.config))  # Tuples become lists.
    assert loaded.config == as_stored and loaded.origin == model.origin
    assert loaded.class_names == model.class_names
    x = np.zeros((1, 3, 32, 32), np.float32)
    for found, expected in zip(loaded.forward(x)[1], model.forward(x)[1]):
        np.testing.assert_array_equal(found.array, expected.array)


@pytest.mark.parametrize('name', ['public_mask_c4_5', 'public_mask_fpn_81'])
def test_a_faster_rcnn_becomes_a_model_without_masks(name, tree_of, convert):
    tree = without(tree_of(name), 'mask')
    tree['cfg']['MODEL']['MASK_ON'] = False
    model = convert(tree).model
    assert not model.with_masks
    assert model.detect(np.zeros((40, 50, 3), np.uint8), max_detections=3).image_size == (40, 50)


def test_the_file_that_detectron_starts_from_is_a_classifier(tree_of, shared_data):
    model, blobs = model_of('public_R-50_flat'), tree_of('public_R-50_flat')['blobs']
    assert isinstance(model, ResNetClassifier) and model.config['n_class'] == 10
    np.testing.assert_array_equal(model.logits.W.array[:, :, 0, 0], blobs['fc1000_w'])
    np.testing.assert_array_equal(model.resnet.res4[2].middle.norm.scale, blobs['res4_2_branch2b_bn_s'])


def test_a_mask_rcnn_starts_from_that_file(shared_data):
    source, target = model_of('public_R-50_flat'), model_of('public_mask_fpn_81')
    copy_resnet(source.resnet, target.extractor.resnet)
    x = np.ones((1, 3, 32, 32), np.float32)
    for found, expected in zip(target.extractor.resnet(x), source.resnet(x)):
        np.testing.assert_array_equal(found.array, expected.array)


def test_arguments_given_replace_those_of_the_file(tree_of, convert):
    assert convert(tree_of('public_mask_c4_5'), {'min_side': 256}).model.min_side == 256


def assert_refused(convert, tree, *parts, config=None):
    with pytest.raises(WeightFileError) as caught:
        convert(tree, config)
    for part in ('changed.pkl', *parts):
        assert part in str(caught.value)
    assert str(caught.value).count('. ') == 0


@pytest.mark.parametrize('missing, parts', [
    (('conv_rpn',), ('Fast R-CNN', 'needs external proposals')),
    (('cls_score',), ('only a region proposal network',)),
    (('bbox_pred_b',), ('no blob', 'bbox_pred_b')),
    (('res3_1_branch2b_bn_s',), ('no blob res3_1_branch2b_bn_s',)),
    (('res5_',), ('stages [2, 3, 4]',))])
def test_a_file_without_a_part_of_the_network_is_refused(missing, parts, tree_of, convert):
    assert_refused(convert, without(tree_of('public_mask_fpn_81'), *missing), *parts)


@pytest.mark.parametrize('name, blob, parts', [
    ('surplus_w', np.ones(3), ('no place for', 'surplus_w')),
    ('conv1_gn_s', np.ones(4), ('group normalisation',)),
    ('retnet_cls_conv_n0_fpn3_w', np.ones(4), ('RetinaNet',)),
    ('conv1_b', np.ones(4), ('no place for', 'conv1_b')),
    ('lonely_momentum', np.ones(4), ('no place for', 'lonely_momentum')),
    ('cls_score_b', np.ones(7), ('cls_score_b has the shape (7,), expected (81,)',)),
    ('bbox_pred_w', np.ones((320, 48)), ('bbox_pred_w has the shape (320, 48)',)),
    ('cls_score_w', np.ones((81, 48, 1)), ('cls_score_w has the shape (81, 48, 1)',)),
    ('fc6_w', np.ones((48, 600)), ('fc6_w takes 600 values',)),
    ('conv1_w', np.ones((1 << 30, 0, 7, 7)), ('conv1_w has the shape',)),
    ('cls_score_w', np.ones((1 << 17, 48), np.float16), ('weights', 'numbers'))])
def test_blobs_that_do_not_fit_are_refused(name, blob, parts, tree_of, convert):
    tree = {**tree_of('public_mask_fpn_81'), 'cfg': None}
    tree['blobs'][name] = blob
    assert_refused(convert, tree, *parts)


def test_an_enlargement_that_is_not_bilinear_is_refused(tree_of, convert):
    tree = tree_of('public_kp_fpn_2')
    tree['blobs']['kps_score_w'] = tree['blobs']['kps_score_w'] * 2
    assert_refused(convert, tree, 'no place for', 'kps_score_w')


@pytest.mark.parametrize('section, name, value', [
    ('MODEL', 'NUM_CLASSES', 21), ('FPN', 'FPN_ON', False), ('MODEL', 'MASK_ON', False),
    ('MODEL', 'KEYPOINTS_ON', True), ('MODEL', 'CLS_AGNOSTIC_BBOX_REG', True),
    ('MODEL', 'BBOX_REG_WEIGHTS', (1, 1, 1, 1)), ('FPN', 'RPN_MAX_LEVEL', 5),
    ('RESNETS', 'RES5_DILATION', 2), ('MRCNN', 'CLS_SPECIFIC_MASK', False),
    ('MRCNN', 'ROI_XFORM_SAMPLING_RATIO', 0), ('FAST_RCNN', 'ROI_XFORM_METHOD', 'RoICrop'),
    ('MODEL', 'CONV_BODY', 'FPN.add_fpn_ResNet101_conv5_body'), ('TEST', 'SCALE', 'large'),
    ('TEST', 'NMS', -1), ('FPN', 'RPN_ASPECT_RATIOS', 3)])
def test_a_configuration_that_cannot_be_followed_is_refused(section, name, value, tree_of, convert):
    tree = tree_of('public_mask_fpn_81')
    tree['cfg'][section][name] = value
    assert_refused(convert, tree, f'{section}.{name} = {value!r}')


def test_twenty_classes_have_the_names_of_pascal_voc(tree_of, convert):
    tree = tree_of('public_mask_fpn_81')
    rows = {'cls_score': 21, 'bbox_pred': 84, 'mask_fcn_logits': 21}
    for name, count in rows.items():
        for suffix in ('_w', '_b'):
            tree['blobs'][name + suffix] = tree['blobs'][name + suffix][:count]
    tree['cfg']['MODEL']['NUM_CLASSES'] = 21
    found = convert(tree)
    assert found.model.classes == 20
    assert found.model.class_names[0] == 'aeroplane' and found.model.class_names[-1] == 'tvmonitor'
    assert any("Pascal VOC's class names" in each for each in found.model.origin['assumed'])


def test_a_configuration_asks_for_the_stride_on_another_convolution(tree_of, convert):
    tree = tree_of('public_mask_fpn_81')
    tree['cfg']['RESNETS']['STRIDE_1X1'] = False
    assert convert(tree).model.config['stride_on'] == '3x3'


def detectron_names(weights):
    """A state dict of torchvision's ResNet by Detectron's names, its batch normalisation folded."""
    branches = {'1': '2a', '2': '2b', '3': '2c'}
    blobs = {'fc1000_w': weights['fc.weight'], 'fc1000_b': weights['fc.bias']}
    for name in [name for name in weights if name.endswith('.weight') and weights[name].ndim == 4]:
        layer = name.removesuffix('.weight')
        norm = layer[:-1] + '1' if 'downsample' in layer else layer.replace('conv', 'bn')
        blob, affine = 'conv1', 'res_conv1_bn'
        if layer != 'conv1':
            stage, block, part = layer.split('.')[:3]
            branch = branches.get(part[-1]) if part.startswith('conv') else '1'
            blob = f'res{int(stage[-1]) + 1}_{block}_branch{branch}'
            affine = f'{blob}_bn'
        gamma, beta, mean, variance = (weights[f'{norm}.{key}'] for key in (
            'weight', 'bias', 'running_mean', 'running_var'))
        scale = gamma / np.sqrt(variance + 1e-5)
        blobs |= {f'{blob}_w': weights[name], f'{affine}_s': scale, f'{affine}_b': beta - mean * scale}
    return blobs


def test_a_resnext_computes_what_torchvision_does(convert, evaluating):
    folder = pathlib.Path(__file__).parent / 'data'
    blobs = detectron_names(converters.read(folder / 'resnext.pth'))
    model = convert({'blobs': blobs, 'cfg': None}, {'stride_on': '3x3'}).model
    assert model.config['groups'] == 2 and model.config['out_width'] == 8
    with np.load(folder / 'resnext.npz') as recorded:
        np.testing.assert_allclose(model(recorded['image']).array, recorded['logits'], atol=1e-4)


def test_outputs_five_times_as_wide_as_the_bottleneck_are_read(tree_of, convert):
    blobs = tree_of('public_mask_fpn_81')['blobs']
    for name in list(blobs):
        if re.match(r'res\d_\d+_branch(1|2c)_|res\d_\d+_branch2a_w|fpn_inner', name):
            blobs[name] = widened(name, blobs[name])
    model = convert({'blobs': blobs, 'cfg': None}, {'min_side': 64}).model
    assert (model.config['width'], model.config['out_width']) == (3, 15)
    assert model.detect(np.zeros((40, 50, 3), np.uint8), max_detections=3).image_size == (40, 50)


def widened(name, blob):
    """A blob of a ResNet with 5/4 of the channels of its blocks, the new ones 0."""
    def longer(array, axis):
        padding = [(0, array.shape[axis] // 4 if axis == each else 0) for each in range(array.ndim)]
        return np.pad(array, padding)
    if not re.search(r'branch2a|fpn_inner', name) and blob.shape[0] % 12 == 0:
        blob = longer(blob, 0)
    if blob.ndim == 4 and 'branch2c' not in name and blob.shape[1] % 12 == 0:
        blob = longer(blob, 1)
    return blob


@pytest.fixture
def normalised(tmp_path):
    """The file of a ResNeXt with group normalisation of data/make_detectron.py, and what it computes."""
    folder, path = pathlib.Path(__file__).parent / 'data', tmp_path / 'detectron_gn.pkl'
    path.write_bytes(lzma.decompress((folder / 'detectron_gn.pkl.xz').read_bytes()))
    with np.load(folder / 'detectron_gn.npz') as recorded:
        yield path, dict(recorded)


def test_group_normalisation_in_all_parts_computes_what_detectron2_does(normalised, evaluating):
    path, recorded = normalised
    model = converters.convert(path, {'min_side': 64})
    found = dict(zip(('p2', 'p3', 'p4', 'p5', 'p6'), model.extract(recorded['image'])))
    regions = recorded['regions']
    found['box'] = F.relu(model.box.fc6(with_relu(model.box.convs, regions)))
    found['mask'] = model.mask(regions)[:, 1:]  # Without the background's.
    for name, value in found.items():
        expected = recorded[name]
        np.testing.assert_allclose(value.array, expected, atol=1e-4 * np.abs(expected).max(), err_msg=name)
    assert model.detect(np.zeros((40, 50, 3), np.uint8), max_detections=3).image_size == (40, 50)


def with_relu(layers, x):
    for layer in layers:
        x = F.relu(layer(x))
    return x


def test_the_sizes_of_normalised_heads_are_those_of_the_file(normalised, tmp_path):
    path, recorded = normalised
    model = converters.convert(path)
    assert {name: model.config[name] for name in (
        'norm', 'norm_groups', 'group_heads', 'box_convolutions', 'box_channels', 'groups')} == {
            'norm': 'group', 'norm_groups': 2, 'group_heads': True, 'box_convolutions': 4, 'box_channels': 4,
            'groups': 2}
    save_model(tmp_path / 'model.npz', model)
    regions = recorded['regions']
    np.testing.assert_array_equal(load_model(tmp_path / 'model.npz').mask(regions).array,
                                  model.mask(regions).array)


def test_another_pickle_of_arrays_is_named(convert):
    assert_refused(convert, {'blobs': {'weight': np.ones(3)}, 'cfg': None}, 'Mask R-CNN')
