"""Masks of every kind that tools write, and images that are none."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.mask_images import read_mask, read_objects
from chainer_seg.stored_pixels import VOC_COLORS

SIZE = 96, 128


def disc(y, x, radius):
    rows, columns = np.ogrid[:SIZE[0], :SIZE[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 < radius ** 2


LEFT, RIGHT = disc(40, 40, 25), disc(60, 95, 20)
RIM = (cv2.dilate((LEFT | RIGHT).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0) & ~LEFT & ~RIGHT
# Objects 1 and 2 with a rim of void, as VOC numbers them.
NUMBERS = np.where(LEFT, 1, np.where(RIGHT, 2, np.where(RIM, 255, 0)))
WHITE = LEFT.astype(np.uint8) * 255


def encoded(image, kind='PNG', **options):
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


def with_palette(numbers, colors):
    image = Image.fromarray(numbers.astype(np.uint8))
    image.putpalette(np.asarray(colors, np.uint8).ravel().tolist())
    return image


def photograph(rng, channels=3):
    noise = rng.integers(0, 256, (*SIZE, channels), np.uint8)
    return cv2.GaussianBlur(noise, (9, 9), 0)


def posterised(rng):
    """Five greys, as some areas of a photograph."""
    grey = photograph(rng)[:, :, 0].astype(float)
    return (np.clip((grey - grey.mean()) / grey.std() * 60 + 127, 0, 255) // 52 * 51).astype(np.uint8)


def assert_both(data, unknown=RIM, numbers=(1, 2)):
    """Both objects are there, one by one, and only the rim is unknown."""
    found = read_objects(data)
    assert found.numbers == numbers
    np.testing.assert_array_equal(found.masks, [LEFT, RIGHT])
    np.testing.assert_array_equal(found.unknown, np.zeros(SIZE, bool) if unknown is None else unknown)


def assert_left(data, unknown=None):
    """The left object alone is there."""
    mask, void = read_mask(data)
    np.testing.assert_array_equal(mask, LEFT)
    np.testing.assert_array_equal(void, np.zeros(SIZE, bool) if unknown is None else unknown)


# Objects by their numbers

@pytest.mark.parametrize('image', [
    NUMBERS.astype(np.uint8), NUMBERS.astype(np.uint16), NUMBERS.astype(np.int32),
    np.where(NUMBERS == 255, 65535, NUMBERS).astype(np.uint16),
    np.where(NUMBERS == 255, -1, NUMBERS).astype(np.int32), NUMBERS.astype(np.float32)],
    ids=['8 bits', '16 bits', '32 bits', '16 bits, 65535', '32 bits, -1', 'float'])
def test_numbers_are_objects_and_255_beside_them_is_unknown(image):
    assert_both(encoded(image, 'TIFF'))


@pytest.mark.parametrize('number', [2, 7, 100])
def test_one_number_beside_255_is_the_object(number):
    rim = RIM & (disc(40, 40, 30))
    assert_left(encoded(np.where(LEFT, number, np.where(rim, 255, 0)).astype(np.uint8)), rim)


def test_numbers_without_void(rng):
    assert_both(encoded(np.where(NUMBERS == 255, 0, NUMBERS).astype(np.uint8)), None)
    numbers = np.where(LEFT, 1000, np.where(RIGHT, 24003, 0)).astype(np.uint16)
    assert_both(encoded(numbers), None, (1000, 24003))


def test_255_is_an_object_among_larger_numbers():
    tiles = np.kron(np.arange(1, 301, dtype=np.uint16).reshape(15, 20), np.ones((6, 6), np.uint16))
    found = read_objects(encoded(tiles))
    assert found.numbers == tuple(range(1, 301)) and not found.unknown.any()
    assert (found.masks.sum(axis=(1, 2)) == 36).all()


@pytest.mark.parametrize('image', [
    np.repeat(NUMBERS[:, :, None], 3, axis=2).astype(np.uint8), VOC_COLORS[NUMBERS],
    np.dstack([VOC_COLORS[NUMBERS], np.where(NUMBERS > 0, 255, 0).astype(np.uint8)]),
    with_palette(NUMBERS, VOC_COLORS)], ids=['grey RGB', 'RGB', 'RGBA', 'palette'])
def test_numbers_in_three_channels_or_vocs_colours(image):
    assert_both(encoded(image))


@pytest.mark.parametrize('kind', ['PNG', 'GIF', 'BMP', 'TIFF'])
def test_palette_in_every_format(kind):
    assert_both(encoded(with_palette(NUMBERS, VOC_COLORS), kind))


def test_a_transparent_background_leaves_the_numbers():
    assert_both(encoded(with_palette(NUMBERS, VOC_COLORS), transparency=0))


def test_a_palette_that_an_optimizer_has_shortened_is_read_by_colour():
    used = np.array([0, 1, 2, 255])
    data = encoded(with_palette(np.searchsorted(used, NUMBERS), VOC_COLORS[used]))
    assert_both(data)
    assert 'palette in another order' in read_objects(data).guess


def test_each_other_colour_is_an_object():
    colors = np.zeros((*SIZE, 3), np.uint8)
    colors[LEFT], colors[RIGHT] = (10, 10, 250), (200, 30, 10)
    assert_both(encoded(colors), None)


@pytest.mark.parametrize('kind, image', [
    ('PNG', LEFT), ('BMP', LEFT), ('GIF', LEFT), ('PNG', WHITE), ('BMP', WHITE), ('GIF', WHITE),
    ('PNG', np.dstack([WHITE] * 3)), ('PNG', LEFT.astype(np.uint16) * 65535),
    ('PNG', LEFT.astype(np.uint16)), ('TIFF', LEFT.astype(np.float32)),
    ('PNG', with_palette(LEFT, [(0, 0, 0), (255, 255, 255)])),
    ('PNG', with_palette(~LEFT, [(255, 255, 255), (0, 0, 0)])),
    ('PNG', with_palette(~LEFT, [(200, 0, 0), (0, 0, 0)]))])
def test_a_single_number_or_colour_is_the_object(kind, image):
    assert_left(encoded(image, kind))


def test_128_is_unknown_beside_one_other_number():
    rim = RIM & disc(40, 40, 30)
    assert_left(encoded(np.where(LEFT, 255, np.where(rim, 128, 0)).astype(np.uint8)), rim)
    with pytest.raises(DatasetError, match='marks no object'):
        read_mask(encoded(rim.astype(np.uint8) * 128))


# Black and white that was changed on its way

@pytest.mark.parametrize('kind, image', [
    ('JPEG', WHITE), ('JPEG', np.dstack([WHITE] * 3)), ('PNG', cv2.GaussianBlur(WHITE, (5, 5), 0)),
    ('PNG', cv2.GaussianBlur(WHITE, (5, 5), 0).astype(np.uint16) * 257),
    ('TIFF', cv2.GaussianBlur(WHITE, (5, 5), 0).astype(np.float32) / 255),
    ('PNG', np.asarray(Image.open(io.BytesIO(encoded(WHITE, 'JPEG', quality=40)))))],
    ids=['JPEG', 'RGB JPEG', 'blurred', 'blurred, 16 bits', 'probabilities', 'JPEG saved as PNG'])
def test_blurred_black_and_white_is_cut_at_half(kind, image):
    found = read_objects(encoded(image, kind))
    assert len(found.numbers) == 1 and (found.masks[0] != LEFT).mean() < 0.005
    assert 'brighter than half' in found.guess


def test_a_blurred_colour_is_cut_at_half():
    colors = np.zeros((*SIZE, 3), np.uint8)
    colors[LEFT] = 250, 10, 20
    found = read_objects(encoded(cv2.GaussianBlur(colors, (5, 5), 0)))
    assert len(found.numbers) == 1 and (found.masks[0] != LEFT).mean() < 0.005


@pytest.mark.parametrize('channels', [1, 3])
def test_a_cut_out_is_what_is_opaque(rng, channels):
    pixels = photograph(rng, channels).reshape(*SIZE, channels)
    for alpha in (WHITE, WHITE // 2, cv2.GaussianBlur(WHITE, (5, 5), 0)):
        found = read_objects(encoded(np.dstack([pixels, alpha])))
        assert len(found.numbers) == 1 and (found.masks[0] != LEFT).mean() < 0.005


def test_the_same_opacity_everywhere_says_nothing():
    assert_left(encoded(np.dstack([WHITE] * 3 + [np.full(SIZE, 200, np.uint8)])))


# What is no mask

@pytest.mark.parametrize('make', [
    lambda rng: encoded(photograph(rng)), lambda rng: encoded(photograph(rng)[:, :, 0]),
    lambda rng: encoded(photograph(rng)[:, :, 0] // 3), lambda rng: encoded(photograph(rng), 'JPEG'),
    lambda rng: encoded(Image.fromarray(photograph(rng)).quantize(64)),
    lambda rng: encoded(cv2.resize(posterised(rng), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)),
    lambda rng: encoded(np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)),
    lambda rng: encoded(np.uint8(100) * (LEFT + 2 * RIGHT).astype(np.uint8), 'JPEG')],
    ids=['colour', 'grey', 'dark', 'JPEG', 'palette', 'posterised', 'gradient', 'numbers as JPEG'])
def test_a_photograph_is_rejected(rng, make):
    with pytest.raises(DatasetError, match='The mask is not a mask: it .*; save black and white'):
        read_objects(make(rng))


def test_white_and_nearly_white_are_not_guessed():
    image = np.where(LEFT, 255, np.where(RIGHT, 254, 0)).astype(np.uint8)
    with pytest.raises(DatasetError, match='levels 254 and 255.*--labels-as numbers or levels'):
        read_objects(encoded(image))
    np.testing.assert_array_equal(read_mask(image, labels_as='levels')[0], LEFT | RIGHT)
    assert read_objects(image, labels_as='numbers').numbers == (254,)


def test_not_a_number_and_an_empty_mask_are_reported():
    with pytest.raises(DatasetError, match='NaN'):
        read_mask(np.full(SIZE, np.nan))
    with pytest.raises(DatasetError, match='marks no object'):
        read_mask(np.zeros(SIZE, bool))


def test_a_name_that_no_system_takes_is_reported(tmp_path):
    for name in ('a' * 300, 'a\0b'):
        with pytest.raises(ImageError, match='There is no image'):
            read_mask(tmp_path / name)


# Several objects, and what was asked for

def test_one_of_several_objects_is_chosen_by_its_number():
    data = encoded(NUMBERS.astype(np.uint8))
    with pytest.raises(DatasetError, match='2 objects, numbered 1, 2; choose one of them'):
        read_mask(data)
    np.testing.assert_array_equal(read_mask(data, number=2)[0], RIGHT)
    with pytest.raises(DatasetError, match='no object 3; it has 1, 2'):
        read_mask(data, number=3)


def test_guesses_are_reported():
    guesses = []
    read_mask(encoded(WHITE, 'JPEG'), 'a.jpg', report=lambda *guess: guesses.append(guess))
    [(name, guess)] = guesses
    assert name == 'a.jpg' and guess.startswith('is a JPEG')


def test_a_mask_may_be_read_in_another_way_on_request():
    reordered = encoded(with_palette(NUMBERS % 3, VOC_COLORS[[0, 2, 1]]))
    assert read_objects(reordered, labels_as='numbers').numbers == (1, 2)
    np.testing.assert_array_equal(read_objects(reordered, labels_as='colors').masks[1], LEFT)
    cut_out = np.dstack([np.full(SIZE, 255, np.uint8)] * 3 + [WHITE])
    np.testing.assert_array_equal(read_mask(encoded(cut_out), labels_as='alpha')[0], LEFT)
    with pytest.raises(DatasetError, match='equally opaque everywhere'):
        read_mask(encoded(WHITE), labels_as='alpha')


def test_a_damaged_file_is_read_or_reported(rng):
    files = [encoded(NUMBERS.astype(np.uint8)), encoded(with_palette(NUMBERS, VOC_COLORS), 'GIF'),
             encoded(NUMBERS.astype(np.uint16), 'TIFF'),
             encoded(with_palette(NUMBERS, VOC_COLORS), 'BMP')]
    told = 0
    for whole in files:
        for _ in range(150):
            data = np.frombuffer(whole, np.uint8).copy()
            data[rng.integers(0, min(len(data), 900), 3)] = rng.integers(0, 256, 3)
            try:
                read_objects(data.tobytes())
            except (DatasetError, ImageError):
                told += 1
    assert told > 100


def test_a_few_pixels_beside_white_are_not_guessed():
    image = WHITE.copy()
    image[2, 3] = image[90, 120] = 1
    with pytest.raises(DatasetError, match='levels 1 and 255, which may be an object and void'):
        read_objects(encoded(image))
    np.testing.assert_array_equal(read_mask(encoded(image), labels_as='levels')[0], LEFT)


def test_a_blurred_colour_in_a_palette_is_cut_at_half():
    ramp = np.linspace(0, 1, 5)[:, None] * [240, 20, 10]
    steps = np.minimum(cv2.blur(LEFT.astype(np.float32), (3, 3)) * 4.99, 4).astype(np.uint8)
    found = read_objects(encoded(with_palette(steps, ramp)))
    assert len(found.numbers) == 1 and (found.masks[0] != LEFT).mean() < 0.01


def test_numbers_that_are_asked_for_need_not_look_like_objects(rng):
    noise = rng.integers(0, 20, SIZE).astype(np.uint8)
    with pytest.raises(DatasetError, match='is not a mask'):
        read_objects(encoded(noise))
    assert read_objects(encoded(noise), labels_as='numbers').numbers == tuple(range(1, 20))
    with pytest.raises(DatasetError, match='is a JPEG, which does not preserve numbers'):
        read_objects(encoded(noise, 'JPEG'), labels_as='numbers')


def test_colours_without_black_are_rejected():
    colors = np.full((*SIZE, 3), 255, np.uint8)
    colors[LEFT] = 200, 0, 0
    with pytest.raises(DatasetError, match='has 2 colours, and nothing in it is black'):
        read_objects(encoded(colors))
