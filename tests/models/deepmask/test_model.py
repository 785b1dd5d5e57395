"""DeepMask and SharpMask as networks: sizes, crops, refinement, and a trunk from another network."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.errors import TrainingError
from chainer_seg.links import ResNet, copy_resnet
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.deepmask import DeepMask, SharpMask, normalise

SMALL = {'patch_size': 48, 'mask_size': 18, 'blocks': (1, 1, 1), 'width': 3, 'bottleneck': 4,
         'features': 10, 'hidden': 7}


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def deepmask():
    return DeepMask(**SMALL)


@pytest.fixture
def sharpmask():
    return SharpMask(mask_channels=16, skip_channels=6, **SMALL)


@pytest.fixture
def patches(rng):
    return normalise(rng.random((2, 3, 80, 80), dtype=np.float32))


def test_deepmask_gives_a_coarse_mask_and_a_score_for_each_patch(deepmask, patches):
    masks, scores = deepmask.forward(patches)
    assert masks.shape == (2, 18, 18) and scores.shape == (2,)


def test_sharpmask_gives_a_mask_of_the_size_of_the_window(sharpmask, patches):
    masks, scores = sharpmask.forward(patches)
    assert masks.shape == (2, 48, 48) and scores.shape == (2,)


def test_published_sizes_are_the_defaults():
    with chainer.using_config('dtype', np.float16):  # Half the memory; only shapes count here.
        shapes = {name: value.shape for name, value in SharpMask().namedparams()}
    assert shapes['/trunk/features/W'] == (512, 128, 10, 10)
    assert shapes['/mask/W'] == (56 * 56, 512, 1, 1)
    assert shapes['/score/hidden/W'] == (1024, 512, 1, 1)
    assert shapes['/refine/coarse/W'] == (32 * 10 * 10, 512, 1, 1)
    assert shapes['/refine/horizontal1/conv1/W'] == (64, 1024, 3, 3)
    assert shapes['/refine/horizontal4/conv1/W'] == (32, 64, 3, 3)
    assert shapes['/refine/vertical4/conv2/W'] == (2, 4, 3, 3)


def test_a_saved_model_is_restored_unchanged(sharpmask, tmp_path):
    path = tmp_path / 'model.npz'
    save_model(path, sharpmask)
    again = load_model(path)
    for (name, a), (_, b) in zip(sharpmask.namedparams(), again.namedparams()):
        np.testing.assert_array_equal(a.array, b.array, err_msg=name)


def test_the_deepmask_branch_of_sharpmask_is_optional():
    model = SharpMask(mask_channels=16, **{**SMALL, 'mask_size': None})
    assert not any(name.startswith('/mask/') for name, _ in model.namedparams())


@pytest.mark.parametrize('wrong', [{'patch_size': 40}, {'mask_channels': 24}])
def test_sizes_that_are_not_multiples_are_rejected(wrong):
    with pytest.raises(ValueError, match='multiple of 16'):
        SharpMask(**{**SMALL, **wrong})


def test_a_patch_is_the_central_window_of_the_trunks_input(deepmask, patches):
    # 80 pixels give 5x5 positions and so 3x3 windows of 3x3 positions.
    features = deepmask.trunk.describe(deepmask.trunk(patches)[-1])
    assert features.shape[2:] == (3, 3)
    masks, scores = deepmask.forward(patches)
    np.testing.assert_allclose(deepmask.score(features).array[:, 1, 1], scores.array, atol=1e-5)
    np.testing.assert_allclose(deepmask.masks(features).array[..., 1, 1], masks.array, atol=1e-5)


def test_the_score_branch_replaces_values_that_are_not_positive_by_a_millionth(deepmask):
    deepmask.score.hidden.W.array[...] = 0
    deepmask.score.logit.W.array[...] = 1e6
    assert deepmask.score(np.zeros((1, 10, 1, 1), np.float32)).array == pytest.approx(7)


def test_a_refinement_step_adds_both_paths_and_doubles_the_side(sharpmask, rng):
    features = rng.normal(size=(2, 10, 1, 1)).astype(np.float32)
    skips = [rng.normal(size=(2, 16 // 2 ** k, side, side)).astype(np.float32)
             for k, side in zip(range(1, 5), (3, 6, 12, 24))]
    maps = [step.array for step in sharpmask.refine.steps(features, skips)]
    assert [step.shape[1:] for step in maps] == [
        (16, 3, 3), (8, 6, 6), (4, 12, 12), (2, 24, 24), (1, 48, 48)]
    below = sharpmask.refine.vertical2(maps[1]).array
    expected = np.maximum(skips[1] + below, 0).repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_allclose(maps[2], expected, atol=1e-6)


def test_every_weight_of_sharpmask_gets_a_gradient(sharpmask, patches):
    with chainer.using_config('train', True), chainer.force_backprop_mode():
        masks, scores = sharpmask.forward(patches)
        sharpmask.cleargrads()
        (F.sum(masks) + F.sum(scores)).backward()
    without = [name for name, value in sharpmask.namedparams() if value.grad is None]
    assert without == ['/mask/W', '/mask/b']


def test_normalise_uses_the_mean_and_deviation_of_the_colours():
    grey = normalise(np.full((1, 3, 1, 1), 0.5, np.float32))
    np.testing.assert_allclose(grey.ravel(), [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224,
                                              (0.5 - 0.406) / 0.225], rtol=1e-6)


def test_the_trunk_can_start_from_a_classifier(deepmask, rng):
    source = ResNet((1, 1, 1, 1), 3, stride_on='3x3', padding='symmetric', norm='batch', seed=5)
    for link in source.links():
        if hasattr(link, 'avg_var'):
            link.avg_mean[...] = rng.normal(size=link.avg_mean.shape)
            link.avg_var[...] = rng.uniform(0.5, 2, link.avg_var.shape)
            link.gamma.array[...] = rng.uniform(0.5, 2, link.gamma.shape)
    copy_resnet(source, deepmask.trunk.resnet)
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    expected = source(x)[2].array
    np.testing.assert_allclose(deepmask.trunk(x)[-1].array, expected, atol=1e-4 * expected.max())


def test_the_trunk_cannot_start_from_a_network_of_another_width(deepmask):
    source = ResNet((1, 1, 1, 1), 4, stride_on='3x3', norm='batch')
    with pytest.raises(TrainingError, match=r'has \(\d+, .*/conv/W, but \(\d+, .* is needed'):
        copy_resnet(source, deepmask.trunk.resnet)
