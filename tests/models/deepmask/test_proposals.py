"""Proposals for whole images: the right windows, in any kind of image, within bounds."""

import chainer
import numpy as np
import pytest

from chainer_seg.errors import UserError
from chainer_seg.masks import decode_rle
from chainer_seg.models.deepmask import DeepMask, SharpMask, pieces
from chainer_seg.models.deepmask.proposals import ProposalModel
from chainer_seg.models.deepmask.pyramid import build_pyramid
from tests.models.deepmask.test_model import SMALL

SCALES = (0.5, 1.0)


@pytest.fixture(params=['deepmask', 'sharpmask'])
def model(request):
    if request.param == 'deepmask':
        return DeepMask(**SMALL)
    return SharpMask(mask_channels=16, skip_channels=6, **SMALL)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (70, 90, 3), np.uint8)


class Averages(chainer.Link):
    """A trunk without weights: the mean colour of each 16x16 pixels, and of 2x2 of these."""

    reach = 0

    def forward(self, x):
        _, channels, height, width = x.shape
        x = x[:, :, :height // 16 * 16, :width // 16 * 16]
        return (x.reshape(1, channels, height // 16, 16, width // 16, 16).mean(axis=(3, 5)),)

    def describe(self, stage):
        return chainer.Variable(sum(stage[:, :, y:stage.shape[2] - 1 + y, x:stage.shape[3] - 1 + x]
                                    for y in (0, 1) for x in (0, 1)) / 4)


class BrightWindows(ProposalModel):
    """Finds the brightest windows of 32 pixels; a mask is all of its window."""

    patch_size = 32

    def __init__(self, mask_logit=9):
        super().__init__()
        self.mask_logit = mask_logit
        with self.init_scope():
            self.trunk = Averages()

    def score(self, features):
        return chainer.functions.sum(features, axis=1)

    def window_masks(self, features, skips):
        return chainer.Variable(np.full((len(features), 8, 8), self.mask_logit, np.float32))


def image_with_a_bright_square(top, left, side, size=(160, 192)):
    image = np.zeros(size + (3,), np.uint8)
    image[top:top + side, left:left + side] = 255
    return image


def test_the_best_window_is_at_the_object():
    # Windows begin at multiples of 16 less half a window.
    found = BrightWindows().propose(image_with_a_bright_square(48, 96, 32), 1, scales=[1])
    assert found.bboxes.tolist() == [[48, 96, 80, 128]]


def test_exact_mode_takes_the_window_one_row_up_and_one_column_right():
    found = BrightWindows().propose(image_with_a_bright_square(48, 96, 32), 1, scales=[1], exact=True)
    assert found.bboxes.tolist() == [[32, 112, 64, 144]]


def test_an_object_is_proposed_at_its_scale():
    found = BrightWindows().propose_rle(image_with_a_bright_square(32, 64, 64), 1, scales=[0.5, 1])
    assert found.scales.tolist() == [0.5]
    assert found.bboxes.tolist() == [[32, 64, 96, 128]]


def test_zoom_adds_the_scale_two():
    image = image_with_a_bright_square(40, 56, 16)
    assert BrightWindows().propose_rle(image, 1, scales=[1], zoom=True).scales.tolist() == [2]


def test_windows_are_clipped_to_the_image():
    found = BrightWindows().propose(image_with_a_bright_square(0, 176, 16), 4, scales=[1])
    assert (found.bboxes[:, :2] >= 0).all()
    assert (found.bboxes[:, 2:] <= (160, 192)).all()
    assert found.masks.shape == (4, 160, 192)


def test_proposals_are_the_best_of_all_levels(model, image):
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        levels = build_pyramid(image, SCALES, model.patch_size)
        logits = np.concatenate([model.level_maps(level).scores.ravel() for level in levels])
    expected = np.sort(1 / (1 + np.exp(-logits)))[::-1][:12]
    found = model.propose_rle(image, 12, SCALES, threshold=0.01)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-5)


def test_instances_equal_the_decoded_rle_proposals(model, image):
    found, codes = model.propose(image, 9, SCALES), model.propose_rle(image, 9, SCALES)
    np.testing.assert_array_equal(found.masks, decode_rle(codes.codes, image.shape[:2]))
    np.testing.assert_array_equal(found.bboxes, codes.bboxes)
    np.testing.assert_array_equal(found.scores, codes.scores)


def test_there_are_no_more_proposals_than_windows(model, image):
    levels = build_pyramid(image, SCALES, model.patch_size)
    found = model.propose(image, 10 ** 6, SCALES)
    assert 0 < len(found) <= sum(np.prod(level.positions) for level in levels)


def test_exact_mode_pads_its_table_with_ones(model, image):
    last = build_pyramid(image, SCALES, model.patch_size)[-1]
    windows = int(np.prod(last.positions))
    found = model.propose_rle(image, windows + 3, SCALES, exact=True)
    assert len(found.scores) == windows + 3
    assert (found.scores[:windows] < 1).all() and found.scores[windows:].tolist() == [1, 1, 1]
    assert found.scales[windows:].tolist() == [SCALES[0]] * 3


def test_empty_masks_are_omitted():
    image = image_with_a_bright_square(48, 96, 32)
    assert len(BrightWindows(mask_logit=-9).propose(image, 5, scales=[1])) == 0
    kept = BrightWindows(mask_logit=-9).propose(image, 5, scales=[1], exact=True)
    assert len(kept) == 5 and not kept.masks.any()


def test_nms_drops_proposals_covered_by_a_better_box():
    image = image_with_a_bright_square(48, 96, 32)
    boxes = BrightWindows().propose(image, 20, scales=[1], nms=0.3).bboxes
    assert boxes[0].tolist() == [48, 96, 80, 128]
    # Neighbours 16 pixels away share a third of the union with it.
    assert not (np.abs(boxes[1:] - boxes[0]).sum(axis=1) == 32).any()
    assert len(boxes) < 20


@pytest.mark.parametrize('size', [(5, 7), (1, 1), (1, 2000), (2000, 1)])
def test_images_smaller_than_a_patch_give_proposals(model, size):
    found = model.propose(np.full(size + (3,), 80, np.uint8), 10)
    assert found.image_size == size


def test_an_image_without_pixels_at_all_scales_is_an_error(model):
    with pytest.raises(UserError, match='1x1 pixels .* 0.1, 0.2; use larger scales'):
        model.propose(np.zeros((1, 1, 3), np.uint8), 10, scales=[0.1, 0.2])


@pytest.mark.parametrize('channels', [(), (1,), (4,)])
def test_grey_and_transparent_images_are_accepted(model, rng, channels):
    array = rng.integers(0, 256, (40, 50) + channels, np.uint8)
    assert model.propose(array, 3, [1.0]).image_size == (40, 50)


@pytest.mark.parametrize(('wrong', 'sentence'), [
    ({'n': 0}, 'at least 1'), ({'n': -3}, 'at least 1'), ({'threshold': 0}, 'between 0 and 1'),
    ({'threshold': 1}, 'between 0 and 1'), ({'nms': 0}, 'above 0'), ({'scales': [1, -1]}, 'positive'),
    ({'scales': [float('nan')]}, 'positive'), ({'scales': []}, 'larger scales')])
def test_invalid_arguments_are_errors(model, image, wrong, sentence):
    with pytest.raises(UserError, match=sentence):
        model.propose(image, **wrong)


def test_a_missing_deepmask_branch_is_an_error(image):
    model = SharpMask(mask_channels=16, **{**SMALL, 'mask_size': None})
    with pytest.raises(UserError, match='has no DeepMask branch'):
        model.propose(image, dm=True)


def test_the_deepmask_branch_gives_other_masks_of_the_same_windows(image):
    model = SharpMask(mask_channels=16, skip_channels=6, **SMALL)
    fine, coarse = (model.propose_rle(image, 5, SCALES, dm=dm, exact=True) for dm in (False, True))
    np.testing.assert_array_equal(fine.scores, coarse.scores)
    assert fine.codes != coarse.codes


def test_large_levels_in_pieces_give_the_same_proposals(model, rng, monkeypatch):
    image = rng.integers(0, 256, (390, 610, 3), np.uint8)
    whole = model.propose_rle(image, 50, [1.0])
    monkeypatch.setattr(pieces, 'PIECE_PIXELS', 300 ** 2)
    in_pieces = model.propose_rle(image, 50, [1.0])
    np.testing.assert_allclose(in_pieces.scores, whole.scores, rtol=1e-5)
    np.testing.assert_array_equal(in_pieces.bboxes, whole.bboxes)


def test_masks_of_pieces_are_those_of_the_whole_image(rng, monkeypatch):
    sharpmask = SharpMask(mask_channels=16, skip_channels=6, **SMALL)
    image = rng.integers(0, 256, (390, 610, 3), np.uint8)
    whole = sharpmask.propose(image, 40, [0.5, 1.0])
    monkeypatch.setattr(pieces, 'PIECE_PIXELS', 300 ** 2)
    in_pieces = sharpmask.propose(image, 40, [0.5, 1.0])
    np.testing.assert_allclose(in_pieces.scores, whole.scores, rtol=1e-5)
    different = (in_pieces.masks != whole.masks).mean(axis=(1, 2))
    assert whole.masks.any(axis=(1, 2)).all() and different.max() < 1e-3


def test_maps_of_pieces_equal_those_of_the_whole_level(model, rng, monkeypatch):
    level, = build_pyramid(rng.integers(0, 256, (390, 610, 3), np.uint8), [1.0], model.patch_size)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        whole = model.level_maps(level)
        monkeypatch.setattr(pieces, 'PIECE_PIXELS', 300 ** 2)
        joined = model.level_maps(level)
    for a, b in zip([whole.features, whole.scores, *whole.skips],
                    [joined.features, joined.scores, *joined.skips]):
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max())


@pytest.mark.gpu
def test_a_gpu_gives_the_same_proposals(model, image):
    pytest.importorskip('cupy')
    expected = model.propose_rle(image, 20, SCALES)
    model.to_device('@cupy:0')
    found = model.propose_rle(image, 20, SCALES)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
    np.testing.assert_allclose(found.bboxes, expected.bboxes, atol=1)


@pytest.mark.slow
def test_memory_is_bounded_for_a_thousand_proposals_on_twelve_megapixels(memory_of):
    model = DeepMask(**SMALL)
    image = np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)
    # The masks alone, as arrays, would take 12 GB.
    assert memory_of(lambda: model.propose_rle(image, 1000, [0.177, 0.5])) < 1e9
