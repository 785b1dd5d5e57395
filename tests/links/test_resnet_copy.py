"""A ResNet with the weights of another one computes the same maps."""

import chainer
import numpy as np
import pytest

from chainer_seg.errors import TrainingError
from chainer_seg.links import BatchNorm, GroupNorm, ResNet, copy_resnet

SIZES = {'blocks': (1, 2), 'width': 3, 'strides': (1, 2), 'dilations': (1, 1)}


@pytest.fixture
def x(rng):
    return rng.normal(0, 1, (2, 3, 32, 32)).astype(np.float32)


def trained(rng, **options):
    """A ResNet whose biases and statistics are not those of a new one."""
    resnet = ResNet(**{**SIZES, **options}, seed=3)
    for link in resnet.links():
        if isinstance(link, BatchNorm):
            link.avg_mean[...] = rng.normal(0, 1, link.avg_mean.shape)
            link.avg_var[...] = rng.uniform(0.5, 2, link.avg_var.shape)
    if resnet.stem.conv.b is not None:
        resnet.stem.conv.b.array[...] = rng.normal(0, 1, 3)
    return resnet


def assert_same_maps(resnet, other, x, y=None):
    with chainer.using_config('train', False):
        for ours, theirs in zip(resnet(x), other(x if y is None else y)):
            np.testing.assert_allclose(ours.array, theirs.array, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('stem_bias', [False, True])
@pytest.mark.parametrize('given, norm', [('batch', 'batch'), ('batch', 'affine'), ('affine', 'affine')])
def test_normalisation_and_biases_are_copied(rng, x, stem_bias, given, norm):
    source = trained(rng, norm=given, stem_bias=stem_bias)
    target = ResNet(**SIZES, norm=norm)
    copy_resnet(source, target)
    assert_same_maps(source, target, x)


def test_group_normalisation_is_copied_only_to_its_kind(rng, x):
    source, target = (ResNet(**SIZES, norm='group', norm_groups=3, seed=seed) for seed in (3, 4))
    for link in source.links():
        if isinstance(link, GroupNorm):
            link.gamma.array[...] = rng.uniform(0.5, 2, link.gamma.shape)
    copy_resnet(source, target)
    assert_same_maps(source, target, x)
    for given, wanted in ((source, ResNet(**SIZES)), (ResNet(**SIZES), target)):
        with pytest.raises(TrainingError, match='has group normalisation'):
            copy_resnet(given, wanted)


def test_a_bias_is_copied_to_a_convolution_with_a_bias(rng, x):
    source, target = trained(rng, stem_bias=True), ResNet(**SIZES, stem_bias=True)
    copy_resnet(source, target)
    np.testing.assert_array_equal(target.stem.conv.b.array, source.stem.conv.b.array)
    assert_same_maps(source, target, x)


def test_later_stages_and_additional_inputs_are_not_copied(rng, x):
    source = trained(rng, in_channels=5, blocks=(1, 2, 1), strides=(1, 2, 2), dilations=(1, 1, 1))
    target = ResNet(**SIZES)
    copy_resnet(source, target)
    assert_same_maps(target, source, x, np.concatenate([x, np.zeros((2, 2, 32, 32), 'f')], axis=1))


def test_additional_inputs_of_the_target_have_zero_weights(rng, x):
    source, target = trained(rng), ResNet(**SIZES, in_channels=5)
    copy_resnet(source, target)
    more = np.concatenate([x, rng.normal(0, 1, (2, 2, 32, 32)).astype(np.float32)], axis=1)
    assert_same_maps(target, source, more, x)


def test_an_infinite_variance_becomes_finite(rng):
    source, target = trained(rng), ResNet(**SIZES)
    source.stem.norm.avg_var[1] = np.inf
    copy_resnet(source, target)
    assert np.isfinite(target.stem.norm.avg_var).all()


@pytest.mark.parametrize('options', [{'width': 4}, {'blocks': (1, 1)}])
def test_different_sizes_are_an_error_of_one_sentence(rng, options):
    with pytest.raises(TrainingError, match='choose one of the same width and blocks'):
        copy_resnet(trained(rng, **options), ResNet(**SIZES))
