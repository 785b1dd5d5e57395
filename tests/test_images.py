import os

import numpy as np
import pytest
from PIL import Image, ImageOps

from chainer_seg.errors import ImageError
from chainer_seg.images import (
    as_image,
    decode_image,
    find_images,
    fit_within,
    header_sizes,
    read_image,
    read_pages,
    resize,
    write_image,
)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_rgb_file_is_read_as_it_is(tmp_path, rng):
    pixels = rng.integers(0, 256, (5, 7, 3), np.uint8)
    assert (read_image(save(tmp_path / 'a.png', pixels)) == pixels).all()


def test_grey_file_becomes_rgb(tmp_path, rng):
    pixels = rng.integers(0, 256, (5, 7), np.uint8)
    image = read_image(save(tmp_path / 'a.png', pixels))
    assert image.shape == (5, 7, 3) and (image == pixels[:, :, None]).all()


def test_image_keeps_its_palette_and_its_transparency(tmp_path):
    indexed = Image.fromarray(np.array([[0, 2], [1, 2]], np.uint8), 'P')
    indexed.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0])
    indexed.save(tmp_path / 'a.png')
    image = read_pages(tmp_path / 'a.png', 1)[0]
    assert image.mode == 'P' and np.asarray(image).tolist() == [[0, 2], [1, 2]]
    save(tmp_path / 'b.png', np.full((2, 2, 4), 7, np.uint8))
    assert (np.asarray(read_pages(tmp_path / 'b.png', 1)[0]) == 7).all()


@pytest.mark.parametrize('content', [b'', b'no image', None])
def test_image_that_cannot_be_read_is_reported(tmp_path, content):
    if content is not None:
        (tmp_path / 'a.png').write_bytes(content)
    with pytest.raises(ImageError, match='a.png'):
        read_pages(tmp_path / 'a.png', 1)[0]


def test_transparency_is_laid_over_white(tmp_path):
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], np.uint8)
    image = read_image(save(tmp_path / 'a.png', pixels))
    # 51 / 255 is a fifth of black on white: 204.
    assert image.tolist() == [[[10, 20, 30], [255, 255, 255], [204, 204, 204]]]


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    pixels = np.array([[0, 257, 65535, 25700]], np.uint16)
    assert read_image(save(tmp_path / 'a.png', pixels))[0, :, 0].tolist() == [0, 1, 255, 100]


def test_palette_images_are_read_as_their_colours(tmp_path):
    palette = Image.fromarray(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)).convert('P')
    palette.save(tmp_path / 'a.gif')
    assert read_image(tmp_path / 'a.gif').tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_exif_rotation_is_applied_unless_it_is_declined(tmp_path):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show the image a quarter turn clockwise
    path = save(tmp_path / 'a.png', pixels, exif=exif)
    turned = read_image(path)
    assert turned.shape == (3, 2, 3) and turned[0, 1, 0] == 255
    assert (read_image(path, rotate=False) == pixels).all()


def test_one_pixel_file_is_an_image(tmp_path):
    assert read_image(save(tmp_path / 'a.png', np.zeros((1, 1, 3), np.uint8))).shape == (1, 1, 3)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r'There is no image .*nowhere\.jpg; check the path'):
        read_image(tmp_path / 'nowhere.jpg')


@pytest.mark.parametrize('content', [b'', b'hello', b'\x89PNG\r\n\x1a\n' + b'\0' * 50])
def test_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r'a\.png'):
        read_image(path)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif'])
def test_truncated_file_is_an_error_not_a_grey_half(tmp_path, rng, suffix):
    whole = save(tmp_path / f'a{suffix}', rng.integers(0, 256, (64, 64, 3), np.uint8))
    half = tmp_path / f'b{suffix}'
    half.write_bytes(whole.read_bytes()[:whole.stat().st_size // 2])
    with pytest.raises(ImageError, match='cannot be read'):
        read_image(half)


def test_bytes_of_a_file_are_read_as_the_file_is(tmp_path, rng):
    write_image(tmp_path / 'a.jpg', rng.integers(0, 256, (8, 9, 3), np.uint8))
    data = memoryview((tmp_path / 'a.jpg').read_bytes())
    np.testing.assert_array_equal(decode_image(data), read_image(tmp_path / 'a.jpg'))


@pytest.mark.parametrize('data', [b'', b'no image', b'\x89PNG\r\n\x1a\n'])
def test_bytes_of_no_image_are_named_without_addresses(data):
    with pytest.raises(ImageError, match=r'^The image cat\.png cannot be read \([^<]*\); it is'):
        decode_image(data, 'cat.png')


def test_folder_in_place_of_a_file_is_named(tmp_path):
    with pytest.raises(ImageError, match='is a folder'):
        read_image(tmp_path)


def test_channels_first_float_of_chainercv_is_taken():
    image = as_image(np.full((3, 4, 6), 17.2, np.float32))
    assert image.shape == (4, 6, 3) and image.dtype == np.uint8 and (image == 17).all()


def test_float_up_to_one_is_a_fraction():
    assert as_image(np.full((4, 6), 0.5))[0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize('array', [
    np.zeros((4, 6, 2), np.uint8), np.zeros(5), np.zeros((0, 4, 3)), np.full((4, 4), np.nan),
    np.full((2, 2), 'a')])
def test_array_that_is_no_image_is_rejected(array):
    with pytest.raises(ImageError):
        as_image(array)


def test_written_image_is_read_back(tmp_path, rng):
    pixels = rng.integers(0, 256, (5, 7, 3), np.uint8)
    write_image(tmp_path / 'new' / 'a.png', pixels)
    assert (read_image(tmp_path / 'new' / 'a.png') == pixels).all()


def test_a_image_is_written_with_pillows_options(tmp_path, rng):
    pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
    for quality in (10, 95):
        write_image(tmp_path / f'{quality}.jpg', pixels, quality=quality)
    assert (tmp_path / '10.jpg').stat().st_size < (tmp_path / '95.jpg').stat().st_size / 2


def test_pages_of_a_file_are_read_up_to_a_number(tmp_path, rng):
    pages = rng.integers(0, 256, (3, 5, 7), np.uint8)
    first, *others = map(Image.fromarray, pages)
    first.save(tmp_path / 'a.tif', save_all=True, append_images=others)
    for most, count in ((1, 1), (2, 2), (9, 3)):
        found = read_pages(tmp_path / 'a.tif', most)
        assert (np.stack([np.asarray(page) for page in found]) == pages[:count]).all()
        assert len(found) == count


def test_unknown_ending_is_rejected_before_anything_is_written(tmp_path):
    with pytest.raises(ImageError, match='does not have the suffix of an image format'):
        write_image(tmp_path / 'a.xyz', np.zeros((2, 2, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_shrinking_averages_areas():
    image = np.array([[0, 100], [100, 200]], np.uint8)
    assert resize(image, (1, 1)).tolist() == [[100]]


def test_fit_within_keeps_the_ratio_and_never_enlarges():
    assert fit_within((100, 50), 20) == (20, 10)
    assert fit_within((10, 5), 20) == (10, 5)
    assert fit_within((5000, 3), 100) == (100, 1)


def test_images_of_a_folder_are_found_in_order(tmp_path):
    for name in ('b.png', 'a.JPG', 'notes.txt', '.hidden.png'):
        (tmp_path / name).touch()
    assert [path.name for path in find_images(tmp_path)] == ['a.JPG', 'b.png']


def test_folder_without_images_is_named(tmp_path):
    with pytest.raises(ImageError, match='contains no images'):
        find_images(tmp_path)


@pytest.mark.parametrize('name', ['a' * 300, 'a\0b.png', 'file/a.png'])
def test_names_that_no_file_can_have_are_one_sentence(tmp_path, name):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ImageError, match=r'^(There is no image|The image) .*'):
        read_image(tmp_path / name)


def test_a_pipe_is_rejected_before_it_blocks(tmp_path):
    os.mkfifo(tmp_path / 'a.png')
    with pytest.raises(ImageError, match='a device or a pipe'):
        read_image(tmp_path / 'a.png')


def test_damaged_exif_data_leave_the_image_upright(tmp_path, rng):
    pixels = rng.integers(0, 256, (5, 7, 3), np.uint8)
    save(tmp_path / 'a.png', pixels, exif=b'Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0')
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), pixels)


@pytest.mark.parametrize('turn', range(1, 9))
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_all_orientations_are_turned_as_pillow_does(tmp_path, rng, turn, suffix):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(tmp_path / f'a{suffix}', rng.integers(0, 256, (2, 3, 3), np.uint8), exif=exif)
    with Image.open(path) as image:
        image.load()
        upright = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(read_image(path), upright)
    assert header_sizes(path)[1] == upright.shape[:2]
