"""Converted genuine Torch files against the outputs that Torch7 recorded for them, stage by stage."""

import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.masks import decode_rle
from chainer_seg.models.deepmask import normalise
from chainer_seg.models.deepmask.pyramid import PyramidLevel, build_pyramid
from chainer_seg.models.deepmask.selection import torch_candidates, torch_selection

TOLERANCE = 1e-4  # of the largest value of an array
DEEPMASKS = ['deepmask_small', 'deepmask_tiny', 'deepmask_tiny_cuda', 'deepmask_tiny_ascii',
             'deepmask_bn_cudnn', 'deepmask_constdiagonal_cuda']
SHARPMASKS = ['sharpmask_small_cuda', 'sharpmask_tiny']
WITH_SCENES = ['deepmask_small', 'deepmask_tiny', *SHARPMASKS]


pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def genuine(shared_data, request):
    """The converted model and what Torch recorded for it."""
    converters = pytest.importorskip('converters')
    folder = shared_data / 'formats' / 'torch7'
    recorded = folder / 'expected' / f'{request.param.replace("tiny_cuda", "tiny")}.npz'
    return converters.convert(folder / 'models' / f'{request.param}.t7'), np.load(recorded)


def assert_same(found, recorded):
    found = getattr(found, 'array', found)
    assert found.size == recorded.size
    assert np.abs(found.reshape(recorded.shape) - recorded).max() < TOLERANCE * np.abs(recorded).max()


def patches(recorded):
    return normalise(recorded['patch_input_u8'].astype(np.float32) / 255)


def image(recorded):
    return np.ascontiguousarray(recorded['image_u8'].transpose(1, 2, 0))


@pytest.mark.parametrize('genuine', DEEPMASKS, indirect=True)
def test_deepmask_equals_torch_on_patches(genuine):
    model, recorded = genuine
    stage = model.trunk(patches(recorded))[-1][:, :, 1:-1, 1:-1]
    reduced = model.trunk.bottleneck(stage)
    assert_same(reduced, recorded['patch_trunk_module9'])
    assert_same(F.relu(reduced), recorded['patch_trunk_module10'])
    assert_same(model.encode(patches(recorded)), recorded['patch_trunk'])
    masks, scores = model.forward(patches(recorded))
    assert_same(masks, recorded['patch_mask_lowres'])
    assert_same(scores, recorded['patch_score'])
    enlarged = F.resize_images(masks[:, None], (model.target_size,) * 2)
    assert_same(enlarged, recorded['patch_mask'])


@pytest.mark.parametrize('genuine', SHARPMASKS, indirect=True)
def test_sharpmask_equals_torch_on_patches(genuine):
    model, recorded = genuine
    stages = model.trunk(patches(recorded))
    crops = [stages[-k][:, :, 2 ** (k - 1):-2 ** (k - 1), 2 ** (k - 1):-2 ** (k - 1)]
             for k in range(1, 5)]
    features = model.trunk.describe(crops[0])
    assert_same(features, recorded['patch_trunk'])
    skips = [model.refine.skip(k, crop) for k, crop in enumerate(crops, start=1)]
    maps = model.refine.steps(features, skips)
    assert_same(maps[0], recorded['patch_ref0'])
    for k in range(1, 5):
        assert_same(skips[k - 1], recorded[f'patch_horizontal{k}'])
        assert_same(model.refine[f'vertical{k}'](maps[k - 1]), recorded[f'patch_vertical{k}'])
        assert_same(maps[k], recorded[f'patch_ref{k}_upsampled'])
    masks, scores = model.forward(patches(recorded))
    assert_same(masks, recorded['patch_mask'])
    assert_same(scores, recorded['patch_score'])
    assert_same(model.masks(features), recorded['patch_dm_mask_lowres'])


@pytest.mark.parametrize('genuine', WITH_SCENES, indirect=True)
def test_a_whole_image_at_scale_1_equals_torch(genuine):
    model, recorded = genuine
    maps = model.level_maps(PyramidLevel(image(recorded), 1.0, model.patch_size))
    assert_same(maps.features, recorded['conv_trunk'])
    assert_same(maps.scores, recorded['conv_score'])
    if 'conv_mask' in recorded:
        assert_same(model.mask(maps.features[None]), recorded['conv_mask'])
    for k, skip in enumerate(maps.skips, start=1):
        assert_same(skip, recorded[f'conv_horizontal{k}'])


@pytest.mark.parametrize('genuine', WITH_SCENES, indirect=True)
def test_the_levels_of_the_pyramid_equal_torch(genuine):
    model, recorded = genuine
    compared = 0
    for number, level in enumerate(
            build_pyramid(image(recorded), recorded['scales'], model.patch_size), start=1):
        border = model.patch_size // 2
        inner = level.read()[:, border:-border, border:-border]
        maps = model.level_maps(level, dm=True)
        found = {f'infer_score_scale{number}': F.sigmoid(maps.scores),
                 f'infer_scorelogit_scale{number}': maps.scores}
        if f'infer_resized_scale{number}' in recorded:
            assert_same(inner, normalise(recorded[f'infer_resized_scale{number}']))
        if f'infer_masklogit_scale{number}' in recorded:
            logits = model.masks(maps.features[None])
            assert_same(F.transpose(logits[0], (2, 3, 0, 1)), recorded[f'infer_masklogit_scale{number}'])
        for key in recorded.keys() & found.keys():
            assert_same(found[key], recorded[key])
            compared += 1
    assert compared >= len(recorded['scales'])


@pytest.mark.parametrize('branch', ['', 'dm_'])
@pytest.mark.parametrize('genuine', WITH_SCENES, indirect=True)
def test_proposals_of_the_exact_mode_equal_torch(genuine, branch):
    model, recorded = genuine
    if f'infer_{branch}top' not in recorded:
        pytest.skip('only a SharpMask has a second branch')
    top, masks = recorded[f'infer_{branch}top'], recorded[f'infer_{branch}masks']
    found = model.propose_rle(image(recorded), len(top), recorded['scales'], dm=bool(branch),
                              exact=True)
    np.testing.assert_allclose(found.scores, top[:, 0], rtol=TOLERANCE)
    np.testing.assert_allclose(found.scales, recorded['scales'][top[:, 1].astype(int) - 1], rtol=1e-6)
    differing = decode_rle(found.codes, masks.shape[1:]) != masks.astype(bool)
    assert differing.sum(axis=(1, 2)).max() <= 1


@pytest.mark.parametrize('genuine', SHARPMASKS, indirect=True)
def test_windows_of_the_exact_mode_and_their_refinement_equal_torch(genuine):
    model, recorded = genuine
    levels = build_pyramid(image(recorded), recorded['scales'], model.patch_size)
    n = len(recorded['infer_top'])
    side = model.patch_size // 16
    candidates = [torch_candidates(level, model.level_maps(level), n, side) for level in levels]
    chosen = list(zip(*torch_selection(candidates, n)))
    rows = [(score, level + 1, candidates[level].rows[within] + 1, candidates[level].columns[within] + 1)
            for level, within, score in chosen]
    np.testing.assert_allclose(rows, recorded['infer_top'], rtol=TOLERANCE)
    for number, (level, within, _) in enumerate(chosen):
        features, windows = candidates[level].windows([within])
        assert_same(features, recorded['infer_toppatches1'][number])
        assert_same(windows[0], recorded['infer_toppatches2'][number])
        assert_same(windows[3], recorded['infer_toppatches5'][number])
        maps = model.refine.steps(features, windows)
        assert_same(maps[0], recorded['infer_ref0'][number])
        assert_same(maps[4], recorded['infer_ref4_upsampled'][number])
        assert_same(model.window_masks(features, windows), recorded['infer_mask_logits'][number])
        assert_same(model.window_masks(features, ()), recorded['infer_dm_mask_logits'][number])
