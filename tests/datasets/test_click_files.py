"""Click data files: what the TensorFlow code can read is written, what it writes can be read."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import ClickFilesDataset
from chainer_seg.datasets.click_files import (
    has_sample,
    label_path,
    maps_path,
    read_label,
    read_list,
    read_maps,
    stored_scale,
    write_maps,
    write_sample,
)
from chainer_seg.errors import DatasetError, ImageError

SIZE = 20, 30


@pytest.fixture
def maps(rng):
    return rng.integers(0, 256, (2, *SIZE), np.uint8)


@pytest.fixture
def label():
    return np.pad(np.ones((6, 16), bool), ((3, 11), (4, 10)))


@pytest.fixture
def folder(tmp_path, maps, label, rng):
    """Two samples of one image and one of another, whose ending is listed."""
    for sample in ('a-0', 'a-1', 'b.png-0'):
        write_sample(tmp_path, sample, maps, label)
    (tmp_path / 'images').mkdir()
    for name in ('a.jpg', 'b.png'):
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(tmp_path / 'images' / name)
    (tmp_path / 'train.txt').write_text('a a-0\na a-1\nb.png b.png-0\n')
    return tmp_path


def test_what_is_written_is_read(tmp_path, maps, label):
    write_sample(tmp_path, 'a-0', maps, label)
    np.testing.assert_array_equal(read_maps(maps_path(tmp_path, 'a-0')), maps)
    np.testing.assert_array_equal(read_label(label_path(tmp_path, 'a-0')), label)
    assert maps_path(tmp_path, 'a-0') == tmp_path / 'data' / 'a-0_pnsamples.tif'
    assert label_path(tmp_path, 'a-0') == tmp_path / 'labels' / 'a-0_label.tif'


def test_maps_are_two_pages_and_labels_are_0_and_255(tmp_path, maps, label):
    """What tifffile.imread, which the TensorFlow code uses, gives as (2, H, W) and (H, W)."""
    tifffile = pytest.importorskip('tifffile')
    write_sample(tmp_path, 'a-0', maps, label)
    found = tifffile.imread(maps_path(tmp_path, 'a-0'))
    assert found.shape == (2, *SIZE) and found.dtype == np.uint8
    np.testing.assert_array_equal(found, maps)
    np.testing.assert_array_equal(tifffile.imread(label_path(tmp_path, 'a-0')), 255 * label)


def test_files_of_tifffile_are_read(tmp_path, maps, label):
    """The TensorFlow code writes (2, H, W) and, of the second object of an image, 254 for 255."""
    tifffile = pytest.importorskip('tifffile')
    tifffile.imwrite(tmp_path / 'm.tif', maps, compression='zlib', photometric='minisblack')
    tifffile.imwrite(tmp_path / 'l.tif', 254 * label.astype(np.uint8), compression='zlib')
    np.testing.assert_array_equal(read_maps(tmp_path / 'm.tif'), maps)
    np.testing.assert_array_equal(read_label(tmp_path / 'l.tif'), label)


def test_an_example_is_an_image_its_maps_and_its_object(folder, maps, label):
    dataset = ClickFilesDataset(folder / 'train.txt')
    assert len(dataset) == 3 and dataset.ids == ['a-0', 'a-1', 'b.png-0']
    image, found, object_ = dataset[2]
    np.testing.assert_array_equal(image, np.asarray(Image.open(folder / 'images' / 'b.png')))
    np.testing.assert_array_equal(found, maps)
    np.testing.assert_array_equal(object_, label)


def test_the_list_may_lie_elsewhere_and_name_whole_paths(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere') / 'list.txt'
    elsewhere.write_text(f'{folder}/images/a a-0\n')
    assert ClickFilesDataset(elsewhere, folder)[0][0].shape == (*SIZE, 3)


def test_images_lie_where_the_tensorflow_code_has_them(folder):
    samples = folder / 'sample_PN_converted'
    samples.mkdir()
    for name in ('data', 'labels', 'train.txt'):
        (folder / name).rename(samples / name)
    (folder / 'sourceData').mkdir()
    (folder / 'images').rename(folder / 'sourceData' / 'JPEGImages')
    assert len(ClickFilesDataset(samples / 'train.txt')) == 3


def test_an_image_is_rotated_where_only_that_fits_the_maps(folder, rng):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(turned).save(folder / 'images' / 'a.jpg', exif=exif)
    assert ClickFilesDataset(folder / 'train.txt')[0][0].shape == (*SIZE, 3)


@pytest.mark.parametrize('line', ['../../secret a-0', '/nowhere/b a-0', 'a ../../secret'])
def test_names_outside_the_folders_are_rejected(folder, line):
    (folder / 'train.txt').write_text(f'a a-0\n{line}\n')
    with pytest.raises(DatasetError, match='Line 2 of .*train.txt names .*outside .*--allow-outside'):
        ClickFilesDataset(folder / 'train.txt')
    with pytest.raises(DatasetError, match='lists files that do not exist'):
        ClickFilesDataset(folder / 'train.txt', allow_outside=True)


def test_a_list_as_windows_writes_it(folder):
    (folder / 'train.txt').write_bytes(b'\xef\xbb\xbfa a-0\r\na.jpg a-1\r\n')
    assert ClickFilesDataset(folder / 'train.txt').image_names == ['a.jpg', 'a.jpg']


def test_a_label_of_several_objects_is_reported(folder, label):
    image = Image.fromarray(np.where(label, np.uint8(1), np.uint8(2)))
    image.save(label_path(folder, 'a-0'))
    with pytest.raises(DatasetError, match='a-0_label.tif has 2 objects, numbered 1, 2'):
        ClickFilesDataset(folder / 'train.txt')[0]


def test_one_name_in_a_line_is_image_and_sample(tmp_path):
    (tmp_path / 'l.txt').write_text('a\n\nb  b-0\n')
    assert read_list(tmp_path / 'l.txt') == [('a', 'a'), ('b', 'b-0')]


@pytest.mark.parametrize('text, sentence', [
    (b'', 'is empty'), (b'a a-0\na b c\n', 'Line 2 of'), (b'\xff\xfe', 'is empty'),
    (b'a\0', 'binary data')])
def test_a_bad_list_is_reported(tmp_path, text, sentence):
    (tmp_path / 'l.txt').write_bytes(text)
    with pytest.raises(DatasetError, match=sentence):
        read_list(tmp_path / 'l.txt')


def test_missing_files_are_reported_when_the_data_set_is_opened(folder):
    maps_path(folder, 'a-1').unlink()
    label_path(folder, 'b.png-0').unlink()
    with pytest.raises(DatasetError, match='a-1_pnsamples.tif and 1 others'):
        ClickFilesDataset(folder / 'train.txt')


def test_a_missing_folder_of_images_is_reported(folder):
    (folder / 'images').rename(folder / 'photos')
    with pytest.raises(DatasetError, match='--images'):
        ClickFilesDataset(folder / 'train.txt')
    assert len(ClickFilesDataset(folder / 'train.txt', images=folder / 'photos')) == 3


def test_maps_of_another_size_than_the_image_or_the_label_are_reported(folder, maps, label):
    write_sample(folder, 'a-0', maps[:, :10], label[:10])
    write_maps(maps_path(folder, 'a-1'), maps[:, :, :10])
    dataset = ClickFilesDataset(folder / 'train.txt')
    with pytest.raises(DatasetError, match='a.jpg has 20x30 pixels, but .*a-0_pnsamples.tif has 10x30'):
        dataset[0]
    with pytest.raises(DatasetError, match='a-1_pnsamples.tif has 20x10 pixels, but .*a-1_label.tif'):
        dataset[1]


@pytest.mark.parametrize('pages, mode', [(1, 'L'), (3, 'L'), (1, 'RGB'), (2, 'I;16')])
def test_maps_with_other_channels_are_reported(tmp_path, pages, mode):
    first, *others = [Image.new(mode, (8, 8)) for _ in range(pages)]
    first.save(tmp_path / 'm.tif', save_all=True, append_images=others)
    with pytest.raises(DatasetError, match=r'm.tif must have 2 8-bit pages .* but has .*8x8'):
        read_maps(tmp_path / 'm.tif')


def test_a_file_truncated_anywhere_is_reported(tmp_path, maps):
    path = tmp_path / 'm.tif'
    write_maps(path, maps)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 200, 97):  # what follows the pixels may be missing
        path.write_bytes(whole[:length])
        with pytest.raises((ImageError, DatasetError)):
            read_maps(path)
    with pytest.raises(ImageError, match='There is no image'):
        read_maps(tmp_path / 'none.tif')


def test_a_damaged_file_is_read_or_reported(tmp_path, rng):
    path = tmp_path / 'm.tif'
    write_maps(path, rng.integers(0, 256, (2, 6, 7), np.uint8))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    told = 0
    for _ in range(300):
        damaged = whole.copy()
        damaged[rng.integers(0, len(whole), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            assert read_maps(path).dtype == np.uint8
        except (ImageError, DatasetError):
            told += 1
    assert told > 100


def test_a_sample_that_cannot_be_written_leaves_nothing_half(tmp_path, maps, label):
    (tmp_path / 'data').write_text('in the way')
    with pytest.raises(Exception, match='could not be written'):
        write_sample(tmp_path, 'a-0', maps, label)
    assert not has_sample(tmp_path, 'a-0')
    assert [path.name for path in (tmp_path / 'labels').iterdir()] == ['a-0_label.tif']


def test_the_scale_of_maps_is_that_of_the_pixels_beside_a_click():
    maps = np.full((2, 9, 9), 255, np.uint8)
    assert stored_scale(maps) is None
    for scale in (1, 6, 40):
        rows, columns = np.mgrid[:9, :9]
        maps[1] = np.minimum(scale * np.hypot(rows - 4, columns - 2), 255)
        assert stored_scale(maps) == scale
