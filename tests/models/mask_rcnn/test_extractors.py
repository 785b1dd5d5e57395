"""Which level a region is looked at on, and that its features come back in its place."""

import numpy as np
import pytest

from chainer_seg.functions import roi_align, roi_pool
from chainer_seg.links import ResNet
from chainer_seg.models.mask_rcnn.extractors import C4Extractor, FPNExtractor, roi_levels


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def image(rng):
    return rng.normal(size=(2, 3, 64, 96)).astype(np.float32)


def resnet():
    return ResNet((1, 1, 1, 1), 2, norm='affine')


@pytest.mark.parametrize('side, level', [
    (1, 0), (111, 0), (112, 1), (223, 1), (224, 2), (447, 2), (448, 3), (5000, 3)])
def test_a_region_of_twice_the_side_belongs_to_the_next_coarser_level(side, level):
    # Sides count both ends: from 10 to 10 + side - 1.
    roi = np.array([[10, 20, 9 + side, 19 + side]], np.float32)
    assert roi_levels(roi, 4).tolist() == [level]
    assert roi_levels(np.array([[0, 0, 9, 9]], np.float32), 4, canonical_size=20).tolist() == [1]


def test_the_features_of_each_region_are_pooled_from_its_level(image):
    extractor = FPNExtractor(resnet(), 4, 32, 'align', 2, seed=0)
    features = extractor(image)
    assert [x.shape for x in features] == [
        (2, 4, 16, 24), (2, 4, 8, 12), (2, 4, 4, 6), (2, 4, 2, 3), (2, 4, 1, 2)]
    rois = np.array([[0, 0, 40, 90], [3, 4, 9, 9], [8, 8, 40, 41], [1, 2, 5, 30]], np.float32)
    roi_indices = np.array([1, 0, 1, 1], np.int32)
    found = extractor.region_features(extractor.pool_regions(features, rois, roi_indices, 5)).array
    for number, level in enumerate(roi_levels(rois, 4, 32)):
        part = slice(number, number + 1)
        alone = roi_align(features[level], rois[part], roi_indices[part], 5, 1 / 2 ** (level + 2), 2)
        np.testing.assert_allclose(found[part], alone.array, rtol=1e-5, atol=1e-5)


def test_c4_runs_the_last_stage_on_each_region(image):
    extractor = C4Extractor(resnet(), 'align', 0)
    features, = extractor(image)
    np.testing.assert_array_equal(features.array, extractor.resnet(image)[2].array)
    rois, roi_indices = np.array([[0, 0, 40, 90]], np.float32), np.array([1], np.int32)
    found = extractor.region_features(extractor.pool_regions((features,), rois, roi_indices, 14))
    pooled = roi_align(features, rois, roi_indices, 14, 1 / 16)
    np.testing.assert_array_equal(found.array, extractor.resnet.res5(pooled).array)
    assert found.shape == (1, extractor.region_channels, 7, 7)


def test_roi_pooling_is_supported(image):
    extractor = FPNExtractor(resnet(), 4, 1e-3, 'pool', 2, seed=0)
    features = extractor(image)
    rois, roi_indices = np.array([[0, 0, 40, 90]], np.float32), np.array([0], np.int32)
    found = extractor.region_features(extractor.pool_regions(features, rois, roi_indices, 3))
    np.testing.assert_array_equal(
        found.array, roi_pool(features[3], rois, roi_indices, 3, 1 / 32).array)


def test_an_unknown_pooling_is_rejected():
    with pytest.raises(ValueError, match='pooling'):
        C4Extractor(resnet(), 'warp', 0)


def test_regions_of_negative_width_belong_to_the_finest_level():
    """Such are enlarged boxes that were narrower than a pixel; two negative sides make no large one."""
    rois = np.array([[10, 10, 9.5, 40], [90, 10, 2, 900], [900, 900, 10, 10]], np.float32)
    with np.errstate(all='raise'):
        assert roi_levels(rois, 4).tolist() == [0, 0, 0]
