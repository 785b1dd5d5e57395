"""What the numbers of an array mean as an image: the rules, by examples worked by hand."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg import pixel_values
from chainer_seg.errors import ImageError
from chainer_seg.images import as_image, read_image
from chainer_seg.pixel_values import bytes_of_chainercv


@pytest.fixture(autouse=True)
def forget_what_was_said():
    pixel_values._say_once.cache_clear()
    yield
    pixel_values._say_once.cache_clear()


def grey(values, dtype):
    """The first row of an image of these values."""
    return as_image(np.array([values], dtype))[0, :, 0].tolist()


@pytest.mark.parametrize('dtype', ['u2', '>u2', 'i2', 'i4', 'i8', 'u4'])
def test_whole_numbers_up_to_255_are_8_bits_in_any_type(caplog, dtype):
    for _ in range(2):
        assert grey([0, 1, 7, 255], dtype) == [0, 1, 7, 255]
    assert len(caplog.records) == 1 and 'is read as an 8-bit image' in caplog.records[0].message


@pytest.mark.parametrize('dtype, said', [('u2', 0), ('>u2', 0), ('i4', 1), ('i8', 1)])
def test_whole_numbers_up_to_65535_are_16_bits(caplog, dtype, said):
    assert grey([0, 257, 25700, 65535], dtype) == [0, 1, 100, 255]
    assert len(caplog.records) == said


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8'])
def test_floats_up_to_one_are_shares_of_white(caplog, dtype):
    assert grey([0, 0.2, 0.6, 1], dtype) == [0, 51, 153, 255]
    assert not caplog.records


def test_floats_up_to_255_are_8_bits(caplog):
    assert grey([0, 0.4, 17.2, 255], 'f4') == [0, 0, 17, 255]
    assert not caplog.records


def test_overshoot_of_resampling_is_clipped_and_reported_once(caplog):
    assert grey([-0.02, 0.6, 1.03], 'f4') == [0, 153, 255]
    assert grey([-3, 100, 262.5], 'f4') == [0, 100, 255]
    assert grey([-3, 100, 262], 'i4') == [0, 100, 255]
    assert sum('overshoot' in record.message for record in caplog.records) == 1


def test_rounding_errors_are_not_mentioned(caplog):
    assert grey([-1e-7, 1.0000001], 'f4') == [0, 255]
    assert not caplog.records


def test_float_copy_of_a_dark_image_is_not_refused():
    assert grey([0, 2, 1], 'f4') == [0, 2, 1]


@pytest.mark.parametrize('values, dtype', [
    ([-1, 0.5, 1], 'f4'), ([-2.1, 0, 2.6], 'f4'), ([0, 1.5], 'f4'), ([0, 65535], 'f4'),
    ([-123.7, 150], 'f4'), ([-5, 3000], 'i4'), ([-128, 127], 'i1'), ([-1, 0, 4], 'i4'),
    ([0, 70000], 'i4'), ([2**40, 0], 'i8')])
def test_values_of_no_known_range_are_rejected_with_their_range(values, dtype):
    with pytest.raises(ImageError, match=r'values of type \w+ from .* to .*; give'):
        grey(values, dtype)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_rejected(value):
    with pytest.raises(ImageError, match='NaN or infinite'):
        grey([0, value, 1], 'f4')


@pytest.mark.parametrize('dtype', ['c8', 'O', 'U1', 'M8[s]'])
def test_values_that_are_not_numbers_are_rejected(dtype):
    with pytest.raises(ImageError, match='cannot have values of type'):
        as_image(np.zeros((2, 2), dtype))


def test_file_of_16_bits_follows_the_same_rule(tmp_path, caplog):
    Image.fromarray(np.array([[0, 9, 255]], np.uint16)).save(tmp_path / 'a.png')
    assert read_image(tmp_path / 'a.png')[0, :, 0].tolist() == [0, 9, 255]
    assert len(caplog.records) == 1


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P', 'CMYK', 'YCbCr', '1', 'RGB', 'L'])
def test_large_images_are_converted_in_strips_as_in_one(monkeypatch, rng, mode):
    image = Image.fromarray(rng.integers(0, 256, (23, 17, 4), np.uint8)).convert(
        'RGB' if mode in ('CMYK', 'YCbCr', 'P') else 'RGBA').convert(mode)
    whole = as_image(image)
    monkeypatch.setattr(pixel_values, '_PIXELS_AT_ONCE', 17 * 5)
    np.testing.assert_array_equal(as_image(image), whole)


@pytest.mark.parametrize('transparency', [None, 2, bytes([255, 0, 51])])
@pytest.mark.parametrize('suffix', ['.png', '.gif', '.tif'])
def test_palettes_give_the_colours_that_pillow_gives(tmp_path, rng, suffix, transparency):
    image = Image.fromarray(rng.integers(0, 4, (5, 7), np.uint8), 'P')
    image.putpalette([0, 0, 0, 9, 8, 7, 200, 30, 0, 1, 2, 3])
    if suffix == '.png' or isinstance(transparency, int):
        image.info['transparency'] = transparency
    if transparency is None:
        image.info.pop('transparency', None)
    image.save(tmp_path / f'a{suffix}', **image.info)
    with Image.open(tmp_path / f'a{suffix}') as stored:
        rgba = np.asarray(stored.convert('RGBA')).astype(float)
    share = rgba[..., 3:] / 255
    np.testing.assert_allclose(read_image(tmp_path / f'a{suffix}'),
                               rgba[..., :3] * share + 255 * (1 - share), atol=0.51)


def test_pillow_image_of_a_cut_file_is_an_error_of_ours(tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / 'a.png')
    (tmp_path / 'b.png').write_bytes((tmp_path / 'a.png').read_bytes()[:4000])
    with Image.open(tmp_path / 'b.png') as image, pytest.raises(ImageError, match='cannot be read'):
        as_image(image)


def test_chainercv_images_are_never_shares_of_white_nor_mistaken_for_rows_first():
    img = np.zeros((3, 2, 3), np.float32)  # dark, and three columns wide
    img[0, 1, 2] = 1
    image = bytes_of_chainercv(img)
    assert image.shape == (2, 3, 3) and image[1, 2].tolist() == [1, 0, 0] and image.sum() == 1


@pytest.mark.parametrize('img', [np.zeros((2, 3, 3)), np.zeros((3, 4)), np.full((3, 2, 2), np.nan)])
def test_images_in_other_layouts_than_chainercvs_are_rejected(img):
    with pytest.raises(ImageError):
        bytes_of_chainercv(img)
