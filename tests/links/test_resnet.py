"""The one ResNet against ChainerCV's, against the definition, and against Caffe's recorded outputs."""

import chainer
import numpy as np
import pytest
from chainer import functions as F
from chainercv.links.model.resnet import ResBlock

from chainer_seg.compat.blank import blank_parameters
from chainer_seg.links import DeformableConvolution2D, FrozenAffine, ResNet
from chainer_seg.links.conv_norm import LayerBuilder
from chainer_seg.links.resnet import EXPANSION, Stage


def randomise(link, rng):
    """Sets every parameter and every running statistic to random values."""
    for name, param in link.namedparams():
        scale = 0.1 if name.endswith('/W') else 0.5
        offset = 1 if name.endswith('gamma') else 0
        param.array[...] = rng.normal(offset, scale, param.shape)
    for child in link.links():
        if isinstance(child, chainer.links.BatchNormalization):
            child.avg_mean[...] = rng.normal(0, 0.5, child.avg_mean.shape)
            child.avg_var[...] = rng.uniform(0.5, 2, child.avg_var.shape)
        if isinstance(child, FrozenAffine):
            child.scale[...] = rng.normal(1, 0.5, child.scale.shape)
            child.shift[...] = rng.normal(0, 0.5, child.shift.shape)


def copy_conv_norm(source, target):
    """Copies a ConvNorm into ChainerCV's Conv2DBNActiv, whose parameters have other names."""
    target.conv.W.array[...] = source.conv.W.array
    for name in ('gamma', 'beta'):
        getattr(target.bn, name).array[...] = getattr(source.norm, name).array
    target.bn.avg_mean[...] = source.norm.avg_mean
    target.bn.avg_var[...] = source.norm.avg_var
    target.bn.eps = source.norm.eps


def chainercv_stage(stage, in_channels, width, stride, dilation, stride_on):
    """ChainerCV's residual stage with the weights of ours."""
    block = ResBlock(len(stage), in_channels, width, EXPANSION * width, stride, dilation,
                     stride_first=stride_on == '1x1')
    for ours, theirs in zip(stage, block.children()):
        copy_conv_norm(ours.reduce, theirs.conv1)
        copy_conv_norm(ours.middle, theirs.conv2)
        copy_conv_norm(ours.expand, theirs.conv3)
        if ours.projects:
            copy_conv_norm(ours.shortcut, theirs.residual_conv)
    return block


@pytest.mark.parametrize('stride_on', ['1x1', '3x3'])
@pytest.mark.parametrize('stride, dilation', [(1, 1), (2, 1), (1, 2), (1, 4), (2, 2)])
def test_stage_matches_chainercv(rng, evaluating, stride_on, stride, dilation):
    stage = Stage(LayerBuilder('zero', 'batch', rng), 3, 6, 4, stride, dilation, stride_on)
    randomise(stage, rng)
    reference = chainercv_stage(stage, 6, 4, stride, dilation, stride_on)
    x = rng.normal(size=(2, 6, 13, 10)).astype(np.float32)
    np.testing.assert_allclose(stage(x).array, reference(x).array, rtol=1e-4, atol=1e-5)


def test_stage_in_training_matches_chainercv(rng):
    stage = Stage(LayerBuilder('zero', 'batch', rng), 6, 6, 4, 1, 1, '3x3')
    randomise(stage, rng)
    reference = chainercv_stage(stage, 6, 4, 1, 1, '3x3')
    x = rng.normal(size=(2, 6, 5, 6)).astype(np.float32)
    with chainer.using_config('train', True):
        ours, theirs = stage(x), reference(x)
    np.testing.assert_allclose(ours.array, theirs.array, rtol=1e-4, atol=1e-5)
    ours.grad = theirs.grad = rng.normal(size=ours.shape).astype(np.float32)
    stage.cleargrads()
    reference.cleargrads()
    ours.backward()
    theirs.backward()
    np.testing.assert_allclose(
        stage[0].reduce.conv.W.grad, reference.a.conv1.conv.W.grad, rtol=1e-3, atol=1e-4)


def test_frozen_affine_equals_folded_batch_normalisation(rng, evaluating):
    normal = ResNet((1, 1), 4, strides=(1, 2), dilations=(1, 1))
    frozen = ResNet((1, 1), 4, strides=(1, 2), dilations=(1, 1), norm='affine')
    randomise(normal, rng)
    theirs = dict(frozen.namedlinks())
    for name, link in normal.namedlinks():
        if isinstance(link, chainer.links.Convolution2D):
            theirs[name].W.array[...] = link.W.array
        if isinstance(link, chainer.links.BatchNormalization):
            scale = link.gamma.array / np.sqrt(link.avg_var + 1e-5)
            theirs[name].scale[...] = scale
            theirs[name].shift[...] = link.beta.array - link.avg_mean * scale
    x = rng.normal(size=(1, 3, 33, 21)).astype(np.float32)
    for a, b in zip(normal(x), frozen(x)):
        np.testing.assert_allclose(a.array, b.array, rtol=1e-4, atol=1e-5)


def test_symmetric_padding_equals_explicit_padding(rng, evaluating):
    """Each convolution on an image padded by np.pad, written out for a whole small network."""
    net = ResNet((1,), 4, strides=(1,), dilations=(2,), padding='symmetric', norm='affine')
    randomise(net, rng)

    def convolve(block, x, pad, stride=1, dilation=1):
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode='symmetric')
        y = F.convolution_2d(padded, block.conv.W, stride=stride, dilate=dilation).array
        return (y * block.norm.scale[:, None, None] + block.norm.shift[:, None, None])

    x = rng.normal(size=(1, 3, 21, 26)).astype(np.float32)
    h = np.maximum(convolve(net.stem, x, 3, stride=2), 0)
    h = F.max_pooling_2d(h, 3, 2, 1, cover_all=False).array
    block = net.res2[0]
    branch = np.maximum(convolve(block.reduce, h, 0), 0)
    branch = np.maximum(convolve(block.middle, branch, 2, dilation=2), 0)
    expected = np.maximum(convolve(block.expand, branch, 0) + convolve(block.shortcut, h, 0), 0)
    np.testing.assert_allclose(net(x)[0].array, expected, rtol=1e-4, atol=1e-5)


def naive_max_pool(x, pad, ceil):
    """3x3 max pooling of stride 2 of one plane, by the definition of Caffe and Torch."""
    round_up = np.ceil if ceil else np.floor
    sides = [int(round_up((n + 2 * pad - 3) / 2)) + 1 for n in x.shape]
    y = np.full(sides, -np.inf, np.float32)
    for i in range(sides[0]):
        for j in range(sides[1]):
            window = x[max(0, 2 * i - pad):2 * i - pad + 3, max(0, 2 * j - pad):2 * j - pad + 3]
            y[i, j] = window.max()
    return y


@pytest.mark.parametrize('side', [8, 9, 10, 11])
@pytest.mark.parametrize('pad', [0, 1])
@pytest.mark.parametrize('pooling', ['floor', 'ceil'])
def test_pooled_size_is_rounded_as_configured(rng, side, pad, pooling):
    net = ResNet((1,), 1, strides=(1,), dilations=(1,), pooling=pooling, pool_pad=pad)
    x = rng.normal(size=(side, side + 1)).astype(np.float32)
    np.testing.assert_array_equal(net.pool(x[None, None]).array[0, 0],
                                  naive_max_pool(x, pad, pooling == 'ceil'))


def test_output_sizes_and_channels_follow_from_strides_and_width():
    net = ResNet((1, 1, 1, 1), 2, in_channels=5, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    shapes = [c.shape for c in net(np.zeros((1, 5, 65, 33), np.float32))]
    assert shapes == [(1, 8, 17, 9), (1, 16, 9, 5), (1, 32, 9, 5), (1, 64, 9, 5)]
    assert net.out_channels == (8, 16, 32, 64)


def test_the_stem_may_have_its_own_width():
    net = ResNet((1,), 3, strides=(1,), dilations=(1,), stem_width=5)
    assert net.stem.conv.W.shape == (5, 3, 7, 7)
    assert net.res2[0].reduce.conv.W.shape == (3, 5, 1, 1)
    assert net.out_channels == (12,)


@pytest.mark.parametrize('arguments, parameters', [
    # torchvision's resnext101_32x8d has 88,791,336 parameters with its classifier, resnext101_64x4d
    # 83,455,272 and wide_resnet50_2 68,883,240.
    ({'blocks': (3, 4, 23, 3), 'width': 256, 'groups': 32}, 88_791_336),
    ({'blocks': (3, 4, 23, 3), 'width': 256, 'groups': 64}, 83_455_272),
    ({'width': 128}, 68_883_240)])
def test_wider_and_grouped_bottlenecks_have_the_published_number_of_parameters(arguments, parameters):
    with blank_parameters():
        net = ResNet(out_width=256, stem_width=64, **arguments)
    assert net.count_params() == parameters - 2_049_000


def test_group_normalisation_needs_channels_that_its_groups_divide(rng, evaluating):
    net = ResNet((1,), 4, strides=(1,), dilations=(1,), norm='group', norm_groups=2)
    assert net(rng.normal(size=(1, 3, 32, 32)).astype(np.float32))[0].shape == (1, 16, 8, 8)
    with pytest.raises(ValueError, match='channels in multiples of its 32 groups, got 4'):
        ResNet((1,), 4, strides=(1,), dilations=(1,), norm='group')


def test_the_output_may_be_any_multiple_of_the_width(rng, evaluating):
    net = ResNet((1, 2), 3, strides=(1, 2), dilations=(1, 1), stem_width=5, out_width=15)
    first, second = net(rng.normal(size=(1, 3, 32, 32)).astype(np.float32))
    assert (first.shape, second.shape) == ((1, 15, 8, 8), (1, 30, 4, 4))


def test_resnet50_has_the_published_number_of_parameters():
    # 25,557,032 with the classifier of 2048 x 1000 + 1000 (He et al.; torchvision prints it too).
    assert ResNet().count_params() == 25_557_032 - 2_049_000


def test_equal_seeds_give_equal_networks():
    a, b, c = (ResNet((1,), 2, strides=(1,), dilations=(1,), seed=s) for s in (3, 3, 4))
    assert (a.stem.conv.W.array == b.stem.conv.W.array).all()
    assert (a.stem.conv.W.array != c.stem.conv.W.array).any()


@pytest.mark.parametrize('wrong', [
    {'stride_on': '2x2'}, {'padding': 'mirrored'}, {'norm': 'layer'}, {'pooling': 'round'},
    {'strides': (1, 2)}, {'width': 6, 'groups': 4}])
def test_unknown_variants_are_errors(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ResNet(**wrong)


@pytest.mark.parametrize('block', ['basic', 'bottleneck'])
def test_first_dilations_are_those_of_the_first_3x3_convolution_of_each_stage(block):
    net = ResNet((2, 2), 2, strides=(1, 1), dilations=(2, 4), first_dilations=(1, 2), block=block)
    names = ('first', 'second') if block == 'basic' else ('middle',)
    found = [[each[name].conv.dilate[0] for each in net[stage] for name in names]
             for stage in net.stage_names]
    assert found == ([[1, 2, 2, 2], [2, 4, 4, 4]] if block == 'basic' else [[1, 2], [2, 4]])
    assert net(np.zeros((1, 3, 32, 40), np.float32))[-1].shape[2:] == (8, 10)


def test_every_nth_block_of_a_stage_is_deformable_from_the_first_on():
    net = ResNet((2, 4, 2), 2, strides=(1, 2, 2), dilations=(1, 1, 1), deformable=(0, 3, 1))
    deformable = [[isinstance(block.middle.conv, DeformableConvolution2D) for block in net[name]]
                  for name in net.stage_names]
    assert deformable == [[False] * 2, [True, False, False, True], [True] * 2]


@pytest.mark.parametrize('stride_on', ['1x1', '3x3'])
def test_a_deformable_network_without_offsets_equals_an_ordinary_one(rng, stride_on):
    plain, deformable = (
        ResNet((1, 2), 2, strides=(1, 2), dilations=(1, 2), stride_on=stride_on, deformable=intervals)
        for intervals in ((0, 0), (1, 1)))
    numbers = dict(plain.namedparams())
    for name, param in deformable.namedparams():
        if name in numbers:
            param.array[...] = numbers[name].array
    for block in (*deformable.res2, *deformable.res3):
        block.middle.conv.offset.b.array[18:] = 50  # logits of weights that are 1 then
    x = rng.standard_normal((1, 3, 37, 40)).astype(np.float32)
    with chainer.using_config('train', False):
        for a, b in zip(plain(x), deformable(x)):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('height, width, alike', [(65, 33, True), (64, 33, False), (72, 64, False)])
def test_same_padding_equals_zero_padding_at_sides_of_8n_plus_1(
        rng, evaluating, height, width, alike):
    options = {'blocks': (1, 1), 'width': 2, 'strides': (1, 2), 'dilations': (1, 1)}
    caffe = ResNet(**options, pooling='ceil')
    randomise(caffe, rng)
    tensorflow = ResNet(**options, padding='same')
    tensorflow.copyparams(caffe)
    x = rng.normal(0, 1, (1, 3, height, width)).astype(np.float32)
    found, expected = tensorflow(x)[-1].array, caffe(x)[-1].array
    assert found.shape[2:] == (-(-height // 8), -(-width // 8))
    assert (found.shape == expected.shape and np.allclose(found, expected, atol=1e-5)) == alike
