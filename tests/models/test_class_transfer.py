"""The rows of classes follow the names of the classes, in every model that has such rows."""

import numpy as np
import pytest

from chainer_seg.models.class_transfer import start_by_names
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.yolact import Yolact
from tests.arrays import arrays_of
from tests.models.yolact.toys import SMALL

TINY = {'blocks': (1, 1, 1, 1), 'width': 2}


def mask_rcnn(names, seed=0, **options):
    return named(MaskRCNN(len(names), 'fpn', **TINY, fpn_channels=4, box_features=6, mask_channels=4,
                          seed=seed, **options), names)


def yolact(names, seed=0):
    return named(Yolact(**{**SMALL, 'classes': len(names), 'rescoring': (2, 3)}, seed=seed), names)


def deeplab(names, seed=0):
    return named(DeepLab(len(names), **TINY, pyramid=(1, 2), seed=seed), names)


def named(model, names):
    model.class_names = tuple(names)
    for parameter in model.params():  # Biases begin at zero and would tell nothing.
        parameter.array[...] = np.random.default_rng(model.config['seed']).normal(
            size=parameter.shape)
    return model


MODELS = {'mask-rcnn': mask_rcnn, 'yolact': yolact, 'deeplab': deeplab}


@pytest.fixture(params=MODELS)
def make(request):
    return MODELS[request.param]


def test_reordering_classes_and_back_restores_the_model(make):
    source = make('abc', seed=1)
    there, back = make('cab'), make('abc')
    assert sorted(start_by_names(source, there).shared) == ['a', 'b', 'c']
    assert any((value != arrays_of(there)[name]).any() for name, value in arrays_of(source).items())
    start_by_names(there, back)
    for name, value in arrays_of(source).items():
        np.testing.assert_array_equal(arrays_of(back)[name], value)


def test_shared_classes_keep_their_weights_and_others_their_initial_ones(make):
    source, model, fresh = make('abc', seed=1), make('xcay'), make('xcay')
    assert start_by_names(source, model).shared == ['c', 'a']
    for given, wanted, initial in zip(source.class_rows(), model.class_rows(), fresh.class_rows()):
        known, found, new = (rows.split(rows.parameter.array) for rows in (given, wanted, initial))
        first = int(given.background)
        np.testing.assert_array_equal(found[:, :first], known[:, :first])
        np.testing.assert_array_equal(found[:, [first + 1, first + 2]], known[:, [first + 2, first]])
        np.testing.assert_array_equal(found[:, [first, first + 3]], new[:, [first, first + 3]])


def test_mask_rcnn_has_four_box_rows_per_class_after_the_background():
    source, model = mask_rcnn('abc', seed=1), mask_rcnn('cb')
    start_by_names(source, model)
    given, found = source.box.deltas.W.array, model.box.deltas.W.array
    np.testing.assert_array_equal(found[:4], given[:4])
    np.testing.assert_array_equal(found[4:8], given[12:16])
    np.testing.assert_array_equal(found[8:12], given[8:12])
    np.testing.assert_array_equal(model.mask.logits.b.array, source.mask.logits.b.array[[0, 3, 2]])


def test_a_source_without_names_is_matched_by_position_with_one_warning(make, caplog):
    source, model = make('abc', seed=1), make('xyz')
    source.class_names = ()
    assert start_by_names(source, model).shared == ['x', 'y', 'z']
    for name, value in arrays_of(source).items():
        np.testing.assert_array_equal(arrays_of(model)[name], value)
    assert [record.getMessage() for record in caplog.records] == [
        'One side has no class names: the 3 classes are matched by position.']


def test_a_source_without_names_and_another_number_of_classes_shares_none(make):
    source, model = make('abc', seed=1), make('xy')
    source.class_names = ()
    assert start_by_names(source, model).shared == []


def test_a_model_without_masks_can_start_from_one_with_masks():
    source, model = mask_rcnn('ab', seed=1), mask_rcnn('ba', with_masks=False)
    assert start_by_names(source, model).shared == ['b', 'a']
