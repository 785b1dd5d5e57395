"""Masks in the layouts and files of GrabCut, Berkeley and DAVIS; and what is wrong with some."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import MaskFolder, open_dataset
from chainer_seg.datasets.mask_folder import read_mask
from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.label_images import VOC_COLORS

SIZE = 12, 16


@pytest.fixture
def mask():
    """A rectangle of 5 x 7 pixels."""
    mask = np.zeros(SIZE, bool)
    mask[4:9, 3:10] = True
    return mask


@pytest.fixture
def unknown(mask):
    """A ring of one pixel around it."""
    ring = np.zeros(SIZE, bool)
    ring[3:10, 2:11] = True
    return ring & ~mask


def write_image(path, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(path)


def write_mask(path, values, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    (image if mode is None else image.convert(mode)).save(path)


def indexed(indices, *colours):
    """An image with a palette."""
    image = Image.fromarray(indices.astype(np.uint8), 'P')
    image.putpalette(np.ravel(colours).tolist())
    return image


def trimap(mask, unknown):
    return np.where(mask, 255, np.where(unknown, 128, 0)).astype(np.uint8)


def assert_read(folder, expected, unknown=None):
    found, void = read_mask(folder)
    assert found.dtype == void.dtype == bool
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(void, np.zeros_like(expected) if unknown is None else unknown)


def test_grabcut_has_grey_trimaps_of_which_128_is_unknown(tmp_path, mask, unknown):
    write_image(tmp_path / 'data_GT' / 'banana1.bmp')
    write_image(tmp_path / 'data_GT' / '106024.jpg')
    write_mask(tmp_path / 'boundary_GT' / 'banana1.bmp', trimap(mask, unknown))
    write_mask(tmp_path / 'boundary_GT' / '106024.bmp', trimap(~mask & ~unknown, unknown))
    dataset = MaskFolder(tmp_path)
    assert dataset.ids == ['106024', 'banana1']
    assert dataset.image_names == ['106024.jpg', 'banana1.bmp']
    assert all((dataset.image_folder / name).is_file() for name in dataset.image_names)
    image, instances = dataset[1]
    assert image.shape == (*SIZE, 3) and dataset.image_size(1) == SIZE
    np.testing.assert_array_equal(instances.masks, mask[None])
    np.testing.assert_array_equal(dataset.read_void(1), unknown[None])
    np.testing.assert_array_equal(dataset.read_void(0), unknown[None])


def test_berkeley_has_some_images_with_several_masks(tmp_path, mask):
    write_image(tmp_path / 'images' / '112082.jpg')
    write_mask(tmp_path / 'masks' / '112082#1.png', mask)
    write_mask(tmp_path / 'masks' / '112082#2.png', ~mask)
    write_image(tmp_path / 'images' / '3063.jpg')
    write_mask(tmp_path / 'masks' / '3063.png', mask)
    write_image(tmp_path / 'images' / 'without.jpg')
    dataset = MaskFolder(tmp_path)
    assert dataset.ids == ['112082', '3063']
    np.testing.assert_array_equal(dataset[0][1].masks, [mask, ~mask])
    assert dataset.read_void(0).shape == (2, *SIZE) and not dataset.read_void(0).any()
    assert len(dataset[1][1]) == 1 and dataset[1][1].name(0) == 'object'


def test_each_object_may_have_an_image_of_its_own(tmp_path, mask):
    for number, part in enumerate([mask, ~mask], 1):
        write_image(tmp_path / 'images' / f'112082#{number}.jpg')
        write_mask(tmp_path / 'masks' / f'112082#{number}.png', part)
    dataset = MaskFolder(tmp_path)
    assert dataset.ids == ['112082#1', '112082#2'] and len(dataset[0][1]) == 1


def test_davis_is_opened_by_its_folders(tmp_path, mask):
    write_image(tmp_path / 'img' / 'bear_00000.jpg')
    write_mask(tmp_path / 'gt' / 'bear_00000.png', indexed(mask, (0, 0, 0), (128, 0, 0)))
    for dataset in (MaskFolder(tmp_path), MaskFolder(tmp_path / 'img', tmp_path / 'gt'),
                    open_dataset(tmp_path / 'gt', tmp_path / 'img'), open_dataset(tmp_path)):
        np.testing.assert_array_equal(dataset[0][1].masks, mask[None])


@pytest.mark.parametrize('levels', [(0, 255), (0, 1), (0, 38), (20, 200)])
@pytest.mark.parametrize('mode', ['L', 'RGB', 'RGBA', 'LA'])
def test_black_and_white_in_any_mode(tmp_path, mask, levels, mode):
    write_mask(tmp_path / 'a.png', np.where(mask, levels[1], levels[0]).astype(np.uint8), mode)
    assert_read(tmp_path / 'a.png', mask)


def test_one_bit_and_sixteen(tmp_path, mask):
    write_mask(tmp_path / 'a.png', mask)
    assert_read(tmp_path / 'a.png', mask)
    for white in (1, 65535):
        write_mask(tmp_path / 'b.png', mask.astype(np.uint16) * white)
        assert_read(tmp_path / 'b.png', mask)


def test_jpeg_blurs_the_levels_but_not_the_object(tmp_path, mask):
    large = mask.repeat(8, axis=0).repeat(8, axis=1)
    write_mask(tmp_path / 'a.jpg', large.astype(np.uint8) * 255)
    found, void = read_mask(tmp_path / 'a.jpg')
    assert (found != large).mean() < 0.01 and void.mean() < 0.01


def test_palette_of_greys_is_as_the_greys(tmp_path, mask, unknown):
    indices = np.where(mask, 0, np.where(unknown, 1, 2))
    write_mask(tmp_path / 'a.png', indexed(indices, (255,) * 3, (128,) * 3, (0,) * 3))
    assert_read(tmp_path / 'a.png', mask, unknown)


def test_coloured_palette_is_read_by_its_indices_as_vocs(tmp_path, mask, unknown):
    colours = [(0, 0, 0), (128, 0, 0), *[(0, 0, 0)] * 253, (224, 224, 192)]
    image = indexed(np.where(mask, 1, np.where(unknown, 255, 0)), *colours)
    write_mask(tmp_path / 'a.png', image)
    assert_read(tmp_path / 'a.png', mask, unknown)
    write_mask(tmp_path / 'b.png', image, 'RGB')
    assert_read(tmp_path / 'b.png', mask, unknown)


def test_labels_0_and_1_have_their_void_at_255(tmp_path, mask, unknown):
    write_mask(tmp_path / 'a.png', np.where(mask, 1, np.where(unknown, 255, 0)).astype(np.uint8))
    assert_read(tmp_path / 'a.png', mask, unknown)


def test_cut_out_object_is_what_is_opaque(tmp_path, mask, rng):
    pixels = rng.integers(0, 256, (*SIZE, 4), np.uint8)
    pixels[:, :, 3] = np.where(mask, 255, 0)
    write_mask(tmp_path / 'a.png', pixels)
    assert_read(tmp_path / 'a.png', mask)


def test_image_is_rotated_where_its_mask_is(tmp_path, mask):
    (tmp_path / 'images').mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(np.zeros((*SIZE[::-1], 3), np.uint8)).save(tmp_path / 'images' / 'a.jpg', exif=exif)
    write_mask(tmp_path / 'masks' / 'a.png', mask)
    image, instances = MaskFolder(tmp_path)[0]
    assert image.shape[:2] == instances.image_size == SIZE


def test_part_has_only_its_images(tmp_path, mask):
    for name in 'abc':
        write_image(tmp_path / 'images' / f'{name}.png')
    write_mask(tmp_path / 'masks' / 'a.png', mask)
    write_mask(tmp_path / 'masks' / 'c.png', ~mask)
    part = MaskFolder(tmp_path).part([1])
    assert part.ids == ['c']
    np.testing.assert_array_equal(part[0][1].masks, ~mask[None])


def test_each_numbered_object_has_a_row_and_a_guess_is_reported_once(tmp_path, mask, unknown, caplog):
    numbers = np.where(mask, 1, np.where(unknown, 255, 0)).astype(np.uint8)
    numbers[10:, 12:] = 2
    for name in 'ab':
        write_image(tmp_path / 'images' / f'{name}.jpg')
        write_mask(tmp_path / 'masks' / f'{name}.png', numbers)
    dataset = MaskFolder(tmp_path)
    for index in range(2):
        np.testing.assert_array_equal(dataset[index][1].masks, [numbers == 1, numbers == 2])
        np.testing.assert_array_equal(dataset.read_void(index), [numbers == 255] * 2)
    [message] = caplog.messages
    assert 'a.png has several numbers; each is a separate object, and 255 is unknown' in message


def test_masks_are_read_in_another_way_on_request(tmp_path, mask):
    write_image(tmp_path / 'images' / 'a.jpg')
    write_mask(tmp_path / 'masks' / 'a.png', np.where(mask, 250, 3).astype(np.uint8))
    assert len(MaskFolder(tmp_path).read_instances(0)) == 1
    assert len(open_dataset(tmp_path, labels_as='numbers').read_instances(0)) == 2
    with pytest.raises(DatasetError, match='is not a list of images; omit --allow-outside'):
        open_dataset(tmp_path, allow_outside=True)


@pytest.fixture
def davis(tmp_path):
    """DAVIS's own tree: a sequence whose object leaves, and one of two objects."""
    colours = VOC_COLORS.tolist()
    frames = {'bear': [1, 0], 'two cars': [2]}
    for name, objects in frames.items():
        for number, count in enumerate(objects):
            mask = np.zeros(SIZE, np.uint8)
            mask[2:5, 2:8], mask[7:11, 2:9] = min(count, 1), count // 2 * 2
            write_image(tmp_path / 'JPEGImages' / '480p' / name / f'{number:05d}.jpg')
            write_mask(tmp_path / 'Annotations' / '480p' / name / f'{number:05d}.png',
                       indexed(mask, colours))
    write_image(tmp_path / 'JPEGImages' / '480p' / 'without' / '00000.jpg')
    for year, text in (('2017', 'two cars\n'), ('480p', '/JPEGImages/480p/bear/00000.jpg '
                                                '/Annotations/480p/bear/00000.png \n')):
        (tmp_path / 'ImageSets' / year).mkdir(parents=True)
        (tmp_path / 'ImageSets' / year / 'val.txt').write_text(text)
    return tmp_path


def test_davis_own_tree_has_a_row_for_each_object(davis):
    for dataset in (open_dataset(davis), MaskFolder(davis / 'JPEGImages' / '480p',
                                                    davis / 'Annotations' / '480p')):
        assert dataset.ids == ['bear/00000', 'bear/00001', 'two cars/00000']
        assert [len(dataset.read_instances(number)) for number in range(3)] == [1, 0, 2]
        assert dataset[2][1].masks.sum(axis=(1, 2)).tolist() == [18, 28]
        assert dataset.read_void(1).shape == (0, *SIZE)
        assert (dataset.image_folder / dataset.image_names[0]).is_file()
    assert open_dataset(davis, skip_empty=True).ids == ['bear/00000', 'two cars/00000']


def test_davis_lists_name_sequences_or_pairs(davis):
    sets = davis / 'ImageSets'
    assert open_dataset(sets / '2017' / 'val.txt').ids == ['two cars/00000']
    assert open_dataset(sets / '480p' / 'val.txt').ids == ['bear/00000']
    assert open_dataset(sets / '480p' / 'val.txt', davis).ids == ['bear/00000']
    (sets / '2017' / 'val.txt').write_text('bear\nwolf\n')
    with pytest.raises(DatasetError, match="Line 2 of .*val.txt names no image with a mask: 'wolf'"):
        open_dataset(sets / '2017' / 'val.txt')


@pytest.fixture
def folder(tmp_path, mask):
    """An image and its mask."""
    write_image(tmp_path / 'images' / 'a.jpg')
    write_mask(tmp_path / 'masks' / 'a.png', mask)
    return tmp_path


def test_mask_of_another_size_is_reported(folder):
    write_mask(folder / 'masks' / 'a.png', np.ones((5, 6), bool))
    with pytest.raises(DatasetError, match=r'mask .*a.png has 5x6 pixels, but its image .* has 12x16'):
        MaskFolder(folder)[0]


def test_masks_of_two_sizes_are_reported(folder, mask):
    write_mask(folder / 'masks' / 'a#2.png', np.ones((5, 6), bool))
    with pytest.raises(DatasetError, match=r'a.png has 12x16 pixels, but .*a#2.png of the same'):
        MaskFolder(folder).read_instances(0)


def test_mask_without_image_is_reported(folder, mask):
    write_mask(folder / 'masks' / 'b.png', mask)
    with pytest.raises(DatasetError, match='b.png has no image with that name'):
        MaskFolder(folder)
    write_mask(folder / 'masks' / 'c.png', mask)
    with pytest.raises(DatasetError, match='b.png and 1 others have no image'):
        MaskFolder(folder)


@pytest.mark.parametrize('greys, sentence', [
    ((0, 0), 'a.png marks no object'), ((0, 128), 'a.png marks no object')])
def test_mask_without_an_object_is_reported(folder, mask, greys, sentence):
    write_mask(folder / 'masks' / 'a.png', np.where(mask, *greys[::-1]).astype(np.uint8))
    with pytest.raises(DatasetError, match=sentence):
        MaskFolder(folder)[0]


def test_damaged_mask_is_reported(folder):
    (folder / 'masks' / 'a.png').write_bytes((folder / 'masks' / 'a.png').read_bytes()[:50])
    with pytest.raises(ImageError, match='a.png cannot be read'):
        MaskFolder(folder).read_instances(0)


def test_two_files_of_one_name_are_reported(folder):
    write_image(folder / 'images' / 'a.bmp')
    with pytest.raises(DatasetError, match='a.bmp and a.jpg .* have the same name'):
        MaskFolder(folder)


def test_missing_and_empty_folders_are_reported(folder, tmp_path):
    with pytest.raises(DatasetError, match='no folder of masks .*nowhere'):
        MaskFolder(folder / 'images', folder / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='empty contains no images'):
        MaskFolder(folder / 'images', tmp_path / 'empty')
    with pytest.raises(DatasetError, match='named data_GT and boundary_GT, or images and masks'):
        MaskFolder(tmp_path / 'empty')
