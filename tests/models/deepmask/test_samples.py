"""The training patches: their distances, probabilities and values, read off the patches themselves.

The test images tell where a patch was cut: red is the column and green the row of a pixel, blue is 0
in the image and half of the range in the padding.
"""

import chainer
import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.datasets import CocoDataset
from chainer_seg.datasets.object_index import ObjectIndex
from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.models.deepmask.samples import NUMBERS, PatchSamples, stack_patches
from tests.datasets.coco_files import NO_SAMPLE, SAMPLE

SIZE = 64  # Side of the window of the masks in these tests, so an object is canonical at 37 pixels.
CANONICAL = 37  # 64 * 128 / 224 = 36.6, rounded up.
MEAN = np.array([0.485, 0.456, 0.406])[:, None, None]
STD = np.array([0.229, 0.224, 0.225])[:, None, None]


def map_image(height=250, width=250):
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width), np.arange(height)[:, None]
    return image


def boxes_to_masks(boxes, size=(250, 250)):
    rows, columns = np.mgrid[:size[0], :size[1]]
    return np.stack([(rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
                     for top, left, bottom, right in boxes])


def image_of(*boxes, **fields):
    return map_image(), Instances(boxes_to_masks(boxes), **fields)


def samples_of(*images, **settings):
    return PatchSamples(ObjectIndex(list(images)),
                        **{'patch_size': SIZE, 'target_size': SIZE, **settings})


def values(patch):
    """The patch (3, H, W) on 0..255 again."""
    return (patch * STD + MEAN) * 255


def read_place(patch):
    """(y, x) of the patch's middle, pixels of the image for one of the patch, whether mirrored."""
    pixels = values(patch)
    middle = pixels.shape[1] // 2
    red, green = pixels[0], pixels[1]
    part = np.s_[middle - 4:middle + 4, middle - 4:middle + 4]
    across = (red[part][:, -1] - red[part][:, 0]).mean() / 7
    down = (green[part][-1] - green[part][0]).mean() / 7
    return green[part].mean() + 0.5, red[part].mean() + 0.5, down, across < 0


def draw(samples, method, count=300):
    return [getattr(samples, method)(np.random.default_rng(number)) for number in range(count)]


OBJECT = (100, 110, 140, 135)  # 40 high and 25 wide, its middle at (120, 122.5).


def test_patch_is_32_pixels_wider_than_the_window_of_the_mask():
    sample = samples_of(image_of(OBJECT)).draw_mask(np.random.default_rng(0))
    assert sample['x'].shape == (3, SIZE + 32, SIZE + 32) and sample['x'].dtype == np.float32
    assert sample['mask'].shape == (SIZE, SIZE) and sample['mask'].dtype == np.float32
    assert set(np.unique(sample['mask'])) == {-1, 1}


@pytest.mark.parametrize('patch_size, longer_side', [(160, 92), (224, 128), (64, 37), (80, 46)])
def test_the_longer_side_of_an_object_is_128_of_224_pixels_rounded_up(patch_size, longer_side):
    samples = samples_of(image_of(OBJECT), patch_size=patch_size, target_size=patch_size,
                         shift=0, scale=0)
    mask = samples.draw_mask(np.random.default_rng(0))['mask'] > 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert np.ptp(rows) + 1 == pytest.approx(longer_side, abs=1)
    assert np.ptp(columns) + 1 == pytest.approx(longer_side * 25 / 40, abs=1.5)


def test_the_object_is_centred_up_to_the_shift():
    places = [read_place(sample['x']) for sample in draw(samples_of(image_of(OBJECT), scale=0),
                                                         'draw_mask')]
    for axis, middle in ((0, 120), (1, 122.5)):
        shifts = (np.array([place[axis] for place in places]) - middle) / (40 / CANONICAL)
        assert np.abs(shifts).max() <= 16.1
        # Uniform from -16 to 16: half of them within 8 pixels, and the ends are reached.
        assert 0.4 < (np.abs(shifts) < 8).mean() < 0.6
        assert shifts.min() < -14 and shifts.max() > 14


def test_the_shift_is_in_pixels_of_the_patch():
    samples = samples_of(image_of((20, 20, 180, 100)), scale=0, shift=5)
    rows = np.array([read_place(sample['x'])[0] for sample in draw(samples, 'draw_mask', 100)])
    largest = np.abs(rows - 100).max()
    assert 4 * 160 / CANONICAL < largest <= 5.1 * 160 / CANONICAL


def test_the_scale_varies_by_a_quarter_of_an_octave():
    scales = np.array([read_place(sample['x'])[2] for sample in draw(samples_of(image_of(OBJECT)),
                                                                     'draw_mask')])
    octaves = np.log2(scales / (40 / CANONICAL))
    assert np.abs(octaves).max() < 0.26
    assert 0.4 < (np.abs(octaves) < 0.125).mean() < 0.6
    assert octaves.min() < -0.22 and octaves.max() > 0.22


@pytest.mark.parametrize('method', ['draw_mask', 'draw_score'])
def test_half_of_the_patches_are_mirrored(method):
    mirrored = [read_place(sample['x'])[3] for sample in draw(samples_of(image_of(OBJECT)), method)]
    assert 0.42 < np.mean(mirrored) < 0.58


def test_the_mask_covers_its_object():
    # Without a shift the object's middle is the mask's; with one, both move and mirror together.
    for sample in draw(samples_of(image_of(OBJECT)), 'draw_mask', 50):
        pixels = values(sample['x'])[:, 16:-16, 16:-16]
        inside = ((pixels[1] + 0.5 > 100) & (pixels[1] + 0.5 < 140)
                  & (pixels[0] + 0.5 > 110) & (pixels[0] + 0.5 < 135))
        assert ((sample['mask'] > 0) != inside).mean() < 0.015


def test_pixels_outside_the_image_are_mid_grey():
    samples = samples_of(image_of((0, 0, 40, 40)), shift=0, scale=0)
    blue = values(samples.draw_mask(np.random.default_rng(0))['x'])[2]
    assert blue[0, 0] == pytest.approx(127.5, abs=1e-3)
    assert blue[-20, -50] == pytest.approx(0, abs=1e-3)


def test_categories_are_equally_likely_however_many_objects_they_have():
    boxes = [(10 * i, 10 * j, 10 * i + 10, 10 * j + 10) for i in range(5) for j in range(5)]
    # One object of category 0, 24 of category 3; the categories 1 and 2 have none.
    samples = samples_of(image_of(*boxes, labels=[0] + [3] * 24), shift=0, scale=0)
    first = [np.hypot(*(np.array(read_place(sample['x'])[:2]) - 5)) < 2
             for sample in draw(samples, 'draw_mask')]
    assert 0.42 < np.mean(first) < 0.58


def test_crowds_and_small_objects_are_never_centred():
    boxes = [(20, 20, 60, 60), (20, 150, 29, 161), (150, 20, 154, 60), (150, 150, 190, 190)]
    # The second has 99 pixels, the third is 4 pixels high, the fourth is a crowd.
    image = image_of(*boxes, crowds=[False, False, False, True])
    samples = samples_of(image, shift=0, scale=0)
    for sample in draw(samples, 'draw_mask', 40):
        assert read_place(sample['x'])[:2] == pytest.approx((40, 40), abs=0.5)
    for sample in draw(samples, 'draw_score', 40):
        if sample['score'] > 0:
            assert read_place(sample['x'])[:2] == pytest.approx((40, 40), abs=0.5)


def test_half_of_the_score_samples_are_positive():
    scores = [float(sample['score']) for sample in draw(samples_of(image_of(OBJECT)), 'draw_score')]
    assert set(scores) == {-1, 1} and 0.4 < np.mean(np.array(scores) > 0) < 0.6


def test_positive_score_samples_are_centred_like_mask_samples():
    samples = samples_of(image_of(OBJECT))
    places = [read_place(sample['x']) for sample in draw(samples, 'draw_score') if sample['score'] > 0]
    for y, x, scale, _ in places:
        assert max(abs(y - 120), abs(x - 122.5)) / scale <= 16.5
        assert abs(np.log2(scale / (40 / CANONICAL))) < 0.26


def test_negatives_keep_their_distance_from_objects_of_a_similar_scale():
    boxes = [OBJECT, (30, 40, 60, 70), (160, 60, 240, 140), (20, 200, 32, 212)]
    samples = samples_of(image_of(*boxes))
    checked = 0
    for sample in draw(samples, 'draw_score'):
        y, x, scale, _ = read_place(sample['x'])
        blue = values(sample['x'])[2, 43:53, 43:53]
        if sample['score'] > 0 or blue.max() > 1e-3:
            continue  # The place of a patch whose middle meets the padding cannot be read.
        checked += 1
        octave = np.log2(scale)
        assert -2.1 < octave < 3.1 and octave * 4 == pytest.approx(round(octave * 4), abs=0.2)
        for top, left, bottom, right in boxes:
            own = max(bottom - top, right - left) / CANONICAL
            if abs(np.log2(scale / own)) < 0.95:
                distance = np.hypot(y - (top + bottom) / 2, x - (left + right) / 2) / scale
                assert distance >= 3 * 16 - 0.7
    assert checked > 60


def test_negatives_cover_all_scales_and_positions():
    samples = samples_of(image_of((0, 0, 11, 11)))
    places = np.array([read_place(sample['x']) for sample in draw(samples, 'draw_score')
                       if sample['score'] < 0 and values(sample['x'])[2, 43:53, 43:53].max() < 1e-3])
    assert places[:, 0].min() < 40 and places[:, 0].max() > 210
    octaves = np.log2(places[:, 2])
    assert octaves.min() < -1.8 and octaves.max() > 1.8


def test_images_without_objects_are_skipped():
    empty = np.full((250, 250, 3), 255, np.uint8), Instances.empty(250, 250)
    crowd = np.full((250, 250, 3), 255, np.uint8), Instances(boxes_to_masks([OBJECT]), crowds=[True])
    samples = samples_of(empty, image_of(OBJECT), crowd)
    for method in ('draw_mask', 'draw_score'):
        for sample in draw(samples, method, 30):
            middle = values(sample['x'])[2, 44:52, 44:52]
            assert middle.max() < 130  # White would be 255.


@pytest.mark.parametrize('fields', [{'crowds': [True]}, {'areas': [99]}])
def test_a_data_set_without_usable_objects_is_an_error(fields):
    with pytest.raises(DatasetError, match='no object to train on: 1 objects'):
        samples_of(image_of(OBJECT, **fields))
    with pytest.raises(DatasetError, match='no object to train on: 0 objects'):
        samples_of((map_image(), Instances.empty(250, 250)))


def test_the_seed_determines_the_sample():
    samples = samples_of(image_of(OBJECT), seed=5)
    a, b, c = (samples(7, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)
    assert (a['x'] != c['x']).any()


def heads(samples, count):
    return ['score' in samples(number, np.random.default_rng(number)) for number in NUMBERS[:count]]


def test_a_batch_trains_one_head():
    chosen = np.reshape(heads(samples_of(image_of(OBJECT), batch_size=4), 400), (100, 4))
    assert (chosen == chosen[:, :1]).all()
    assert 0.3 < chosen[:, 0].mean() < 0.7


@pytest.mark.parametrize('share', [0, 0.2, 1])
def test_score_share_is_the_share_of_score_batches(share):
    chosen = heads(samples_of(image_of(OBJECT), batch_size=1, score_share=share), 300)
    assert np.mean(chosen) == pytest.approx(share, abs=0.07 if share not in (0, 1) else 0)


def test_the_heads_depend_only_on_the_seed():
    a, b, c = (heads(samples_of(image_of(OBJECT), batch_size=1, seed=seed), 30) for seed in (1, 1, 2))
    assert a == b and a != c


def test_a_batch_is_stacked_and_a_mixed_batch_is_an_error():
    samples = samples_of(image_of(OBJECT))
    device = chainer.get_device('@numpy')
    masks, scores = draw(samples, 'draw_mask', 2), draw(samples, 'draw_score', 3)
    assert {name: value.shape for name, value in stack_patches(masks, device).items()} == {
        'x': (2, 3, 96, 96), 'mask': (2, 64, 64)}
    assert stack_patches(scores, device)['score'].shape == (3,)
    with pytest.raises(TrainingError, match='resume with the batch size'):
        stack_patches(masks + scores, device)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=NO_SAMPLE)
def test_patches_of_coco_photographs_are_sampled():
    dataset = CocoDataset(SAMPLE / 'annotations' / 'instances_val.json', SAMPLE / 'val')
    samples = PatchSamples(ObjectIndex(dataset), 64, 112)
    for number in range(20):
        mask = samples.draw_mask(np.random.default_rng(number))['mask']
        assert mask.shape == (112, 112) and (mask > 0).any()
        assert np.isfinite(samples.draw_score(np.random.default_rng(number))['x']).all()
