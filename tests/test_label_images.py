"""Label images of every kind that are met, and images that are none."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.label_images import VOC_COLORS, read_label_image, write_label_image

LABELS = np.array([[0, 1, 2], [15, 20, 255]], np.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'labels.png'


def with_palette(labels, palette):
    image = Image.fromarray(labels)
    image.putpalette(np.asarray(palette, np.uint8).ravel().tolist())
    return image


def test_the_palette_is_vocs():
    from chainercv.datasets import voc_semantic_segmentation_label_colors as colors
    from chainercv.datasets.voc.voc_utils import voc_semantic_segmentation_ignore_label_color as void
    assert VOC_COLORS[:21].tolist() == [list(color) for color in colors]
    assert tuple(VOC_COLORS[255]) == void


@pytest.mark.parametrize('image', [
    with_palette(LABELS, VOC_COLORS), Image.fromarray(LABELS), Image.fromarray(VOC_COLORS[LABELS]),
    Image.fromarray(LABELS.astype(np.uint16)), Image.fromarray(LABELS).convert('LA'),
    Image.fromarray(VOC_COLORS[LABELS]).convert('RGBA')], ids=lambda image: image.mode)
def test_numbers_are_read_from_every_kind(path, image):
    image.save(path)
    numbers = read_label_image(path)
    assert numbers.dtype == np.uint8
    np.testing.assert_array_equal(numbers, LABELS)


def test_black_and_white_is_nothing_and_one(path):
    Image.fromarray(LABELS == 2).save(path)
    np.testing.assert_array_equal(read_label_image(path), LABELS == 2)


def reordered(order):
    """LABELS by the places of their colours in a palette of another order."""
    order = np.asarray(order)
    places = np.argsort(order)[np.searchsorted(np.sort(order), LABELS)]
    return with_palette(places.astype(np.uint8), VOC_COLORS[order]), places


def test_numbers_count_though_the_palette_has_vocs_colours_in_another_order(path):
    image, places = reordered([0, 20, 15, 2, 1, 255])
    numbers = np.where(places == 5, 255, places).astype(np.uint8)
    palette = VOC_COLORS.copy()
    palette[:5] = VOC_COLORS[[0, 20, 15, 2, 1]]
    with_palette(numbers, palette).save(path)
    said = []
    found = read_label_image(path, report=lambda *guess: said.append(guess))
    np.testing.assert_array_equal(found, numbers)
    [(said_of, guess)] = said
    assert said_of == path and "VOC's colours in another order" in guess
    np.testing.assert_array_equal(read_label_image(path, 'colors'), LABELS)


def test_colours_count_where_void_has_another_number(path):
    reordered([20, 0, 255, 2, 1, 15])[0].save(path)
    np.testing.assert_array_equal(read_label_image(path), LABELS)


def test_colours_count_where_a_number_is_larger_than_the_labels(path):
    palette = VOC_COLORS[np.arange(256) % 250]
    palette[[30, 31]] = VOC_COLORS[[1, 2]]
    with_palette(np.array([[0, 30], [31, 255]], np.uint8), np.concatenate(
        [palette[:255], VOC_COLORS[255:]])).save(path)
    assert read_label_image(path, largest=20).tolist() == [[0, 1], [2, 255]]
    assert read_label_image(path).tolist() == [[0, 30], [31, 255]]


def test_a_gif_is_read_by_the_colours_that_it_keeps(path):
    for image in with_palette(LABELS, VOC_COLORS), Image.fromarray(LABELS):
        image.save(path.with_suffix('.gif'))
        np.testing.assert_array_equal(read_label_image(path.with_suffix('.gif')), LABELS)


def test_grey_in_three_channels_has_numbers(path):
    Image.fromarray(LABELS[:, :, None].repeat(3, 2)).save(path)
    np.testing.assert_array_equal(read_label_image(path), LABELS)


def test_void_may_be_minus_one_or_65535(path):
    for numbers in (np.where(LABELS == 255, -1, LABELS).astype(np.int32),
                    np.where(LABELS == 255, 65535, LABELS).astype(np.uint16)):
        Image.fromarray(numbers).save(path.with_suffix('.tif'))
        np.testing.assert_array_equal(read_label_image(path.with_suffix('.tif')), LABELS)


def test_white_is_class_1_on_request(path):
    Image.fromarray(np.where(LABELS > 2, 255, 0).astype(np.uint8)).save(path)
    np.testing.assert_array_equal(read_label_image(path, 'levels'), LABELS > 2)


def test_jpeg_is_rejected(path):
    Image.fromarray(LABELS).save(path.with_suffix('.jpg'))
    with pytest.raises(DatasetError, match='is a JPEG, which does not preserve numbers; save labels as PNG'):
        read_label_image(path.with_suffix('.jpg'))


@pytest.mark.parametrize('palette', [
    np.arange(256)[:, None].repeat(3, 1), np.zeros((256, 3)), 255 - VOC_COLORS])
def test_a_palette_of_other_colours_has_numbers(path, palette):
    with_palette(LABELS, palette).save(path)
    np.testing.assert_array_equal(read_label_image(path), LABELS)


def test_other_colours_are_no_labels(path):
    colors = VOC_COLORS[LABELS].copy()
    colors[1, 2] = 12, 34, 56
    Image.fromarray(colors).save(path)
    with pytest.raises(DatasetError, match=r'labels.png has the colour \(12, 34, 56\).*save the number'):
        read_label_image(path)


def test_large_numbers_are_no_labels(path):
    Image.fromarray(LABELS.astype(np.uint16) * 100).save(path)
    with pytest.raises(DatasetError, match='labels.png has numbers from 0 to 25500'):
        read_label_image(path)


def test_files_that_are_not_images_are_reported(path):
    path.write_bytes(b'no image')
    with pytest.raises(ImageError, match=r'labels.png cannot be read'):
        read_label_image(path)


def test_labels_are_written_with_vocs_palette(path):
    labels = LABELS.astype(np.int32)
    labels[1, 2] = -1
    write_label_image(path, labels)
    np.testing.assert_array_equal(read_label_image(path), LABELS)
    image = Image.open(path)
    assert image.mode == 'P'
    np.testing.assert_array_equal(image, LABELS)
    np.testing.assert_array_equal(image.convert('RGB'), VOC_COLORS[LABELS])


@pytest.mark.parametrize('wrong', [-2, 256])
def test_labels_that_fit_no_byte_are_not_written(path, wrong):
    with pytest.raises(DatasetError, match='Labels must be from 0 to 254, or -1 for void'):
        write_label_image(path, np.array([[0, wrong]]))
    assert not path.exists()


def test_label_images_are_png(path):
    with pytest.raises(ImageError, match='does not end in .png'):
        write_label_image(path.with_suffix('.jpg'), LABELS)
