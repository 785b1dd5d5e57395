"""Detectron's files: blobs as Python's own unpickler reads them, configurations as plain values."""

import math
import pickle
import re

import numpy as np
import pytest

from chainer_seg.errors import WeightFileError
from converters.formats import detectron, detectron_configuration
from converters.formats.pickled_arrays import Budget
from tests.conftest import SHARED_DATA

FOLDER = SHARED_DATA / 'formats' / 'detectron'
NAMES = ('public_R-50_flat', 'public_kp_fpn_2', 'public_mask_c4_5', 'public_mask_c4_81',
         'public_mask_fpn_81')


class NumpyOnly(pickle.Unpickler):
    """Python's own unpickler, with nothing but what the description of these files names."""

    def find_class(self, module, name):
        assert (module, name) in {('numpy.core.multiarray', '_reconstruct'), ('numpy', 'ndarray'),
                                  ('numpy', 'dtype')}
        return super().find_class(module, name)


@pytest.fixture
def genuine(shared_data):
    return shared_data / 'formats' / 'detectron'


@pytest.mark.parametrize('name', NAMES)
def test_blobs_are_those_of_pythons_unpickler(genuine, name):
    with open(genuine / f'{name}.pkl', 'rb') as file:
        expected = NumpyOnly(file, encoding='latin-1').load()
    tree = detectron.read(genuine / f'{name}.pkl')
    expected = expected.get('blobs', expected)
    assert list(tree['blobs']) == sorted(expected)
    for blob, array in tree['blobs'].items():
        np.testing.assert_array_equal(array, expected[blob], strict=True)
        assert array.dtype == np.float32 and not array.flags.writeable


def test_names_and_shapes_are_those_of_the_description(genuine):
    text = (genuine / 'README.md').read_text()
    section = text[text.index('### public_mask_c4_81'):]
    listed = re.findall(r'^(\w+) +\(([\d,]+)\) ?(\+?)$', section.split('\n### ')[0], re.MULTILINE)
    expected = {}
    for name, sides, trained in listed:
        expected[name] = tuple(int(side) for side in sides.split(',') if side)
        if trained:
            expected[f'{name}_momentum'] = expected[name]
    blobs = detectron.read(genuine / 'public_mask_c4_81.pkl')['blobs']
    assert len(expected) == 284 and {name: blob.shape for name, blob in blobs.items()} == expected


@pytest.mark.parametrize('name, body, classes, masks, keypoints', [
    ('public_kp_fpn_2', 'FPN.add_fpn_ResNet50_conv5_body', 2, False, True),
    ('public_mask_c4_5', 'ResNet.add_ResNet50_conv4_body', 5, True, False),
    ('public_mask_c4_81', 'ResNet.add_ResNet50_conv4_body', 81, True, False),
    ('public_mask_fpn_81', 'FPN.add_fpn_ResNet50_conv5_body', 81, True, False)])
def test_the_configuration_is_plain_values(genuine, name, body, classes, masks, keypoints):
    cfg = detectron.read(genuine / f'{name}.pkl')['cfg']
    model = cfg['MODEL']
    assert (model['CONV_BODY'], model['NUM_CLASSES']) == (body, classes)
    assert (model['MASK_ON'], model['KEYPOINTS_ON']) == (masks, keypoints)
    assert model['BBOX_REG_WEIGHTS'] == (10., 10., 5., 5.) and cfg['TRAIN']['WEIGHTS'] == ''
    assert (cfg['TEST']['SCALE'], cfg['TEST']['MAX_SIZE'], cfg['TEST']['NMS']) == (128, 208, .5)
    assert cfg['PIXEL_MEANS'] == [[[102.9801, 115.9465, 122.7717]]]
    assert cfg['BBOX_XFORM_CLIP'] == math.log(1000 / 16) and type(cfg['BBOX_XFORM_CLIP']) is float
    assert plain_types(cfg) <= {dict, list, tuple, str, int, float, bool}


def plain_types(value):
    inside = [*value.keys(), *value.values()] if isinstance(value, dict) else (
        value if isinstance(value, (list, tuple)) else ())
    return {type(value)}.union(*map(plain_types, inside))


def test_initial_weights_have_no_configuration(genuine):
    tree = detectron.read(genuine / 'public_R-50_flat.pkl')
    assert tree['cfg'] is None and tree['blobs']['conv1_w'].shape == (4, 3, 7, 7)


def test_files_saved_again_by_python_3_are_read(tmp_path):
    blobs = {'conv1_w': np.arange(24, dtype='f4').reshape(2, 3, 2, 2), 'lr': np.float32(.5)}
    for protocol in range(2, 6):
        (tmp_path / 'a.pkl').write_bytes(pickle.dumps({'blobs': blobs, 'cfg': '{A: 1}'}, protocol))
        tree = detectron.read(tmp_path / 'a.pkl')
        np.testing.assert_array_equal(tree['blobs']['conv1_w'], blobs['conv1_w'], strict=True)
        assert tree['blobs']['lr'].shape == () and tree['blobs']['lr'] == .5 and tree['cfg'] == {'A': 1}


@pytest.mark.parametrize('tree, problem', [
    ([1], 'contains a list, expected a dict'), ({}, 'contains no blobs'),
    ({'blobs': {}}, 'contains no blobs'), ({'blobs': [1]}, 'contains no blobs'),
    ({'model': {'a': 1}, '__author__': 'Detectron2 Model Zoo'}, "its entry 'a' is a int"),
    ({'blobs': {'conv1_w': 'text'}}, "its entry 'conv1_w' is a str, expected an array"),
    ({'a': np.zeros(1), 'b': [np.zeros(1)]}, "its entry 'b' is a list"),
    ({1: np.zeros(1)}, "its entry '1' is a ndarray"),
    ({'blobs': {'a': np.zeros(1)}, 'cfg': 5}, 'has a int as its configuration')])
def test_another_pickle_is_reported_in_one_sentence(tmp_path, tree, problem):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(tree, 2))
    with pytest.raises(WeightFileError, match=problem) as caught:
        detectron.read(tmp_path / 'a.pkl')
    assert str(caught.value).startswith(str(tmp_path / 'a.pkl')) and str(caught.value).count('. ') == 0


def parse(text):
    return detectron_configuration.parse(text, 'file.pkl', Budget(1000))


def test_yaml_of_python_2_is_plain_values():
    assert parse('''
        !!python/object/new:utils.collections.AttrDict
        dictitems:
          A: !!python/unicode 'text'
          B: !!python/tuple [1, 2.5, true, null]
          C: !!python/object/new:utils.collections.AttrDict {state: {!!python/unicode 'x': 1}}
          D: !!python/long 12
          E: &one {F: [1.0e-3]}
          G: *one
        state: {!!python/unicode '__immutable__': true}
    ''') == {'A': 'text', 'B': (1, 2.5, True, None), 'C': {}, 'D': 12, 'E': {'F': [.001]},
             'G': {'F': [.001]}}


@pytest.mark.parametrize('text, problem', [
    ('!!python/object/apply:os.system ["touch the-text-was-run"]', 'it requests os.system'),
    ('!!python/object/apply:os.system {args: ["touch the-text-was-run"]}', 'it requests os.system'),
    ('A: !!python/object/new:os.system ["touch the-text-was-run"]', 'object/new:os.system is unknown'),
    ('A: !!python/object:subprocess.Popen {}', 'python/object:subprocess.Popen is unknown'),
    ('A: !!python/name:os.system', 'it requests os.system'), ('A: !!python/module:os', 'module:os'),
    ('? !!python/object/apply:os.system ["touch the-text-was-run"]\n: 1', 'it requests os.system'),
    ('A: !!python/object/apply:numpy.load [the-text-was-run]', 'it requests numpy.load'),
    ('A: !!python/object/apply:numpy.ndarray [[2]]', 'not callable'),
    ('A: !!python/object/new:my.AttrDict {}', 'AttrDict is unknown'),
    ('A: !!custom 5', 'custom'), ('A: !!set {x}', 'its tag tag:yaml.org,2002:set is unknown'),
    ('A: !!python/complex 5j', 'is unknown'), ('', 'it is empty'), ('[1]', 'it is a list'),
    ('text', 'it is a str'), ('{A: 1', 'expected'), ('A: [}', 'expected'),
    ('A: !!int x', 'invalid literal'), ('A: &a [*a]', 'recursion|more than'),
    ('{[1, 2]: 3}', 'a key of a dict is a list'), ('A: \x00', 'special characters'),
    ('[' * 900, 'recursion'), ('[' * 5000, 'of more than 1000 lists'),
    ('A: ' + 'x' * 200_000, '200003 char')])
def test_any_other_yaml_is_an_error_and_has_no_effect(tmp_path, monkeypatch, text, problem):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightFileError, match=rf'file\.pkl has a configuration .*({problem})') as caught:
        parse(text)
    assert '\n' not in str(caught.value) and not list(tmp_path.iterdir())


def test_aliases_that_double_at_every_level_are_refused():
    text = 'a0: &a0 [x]\n' + ''.join(
        f'a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n' for i in range(1, 40))
    with pytest.raises(WeightFileError, match='more than 20000 values, including repetitions by aliases'):
        parse(text)
