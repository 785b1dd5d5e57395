"""SBD's MATLAB files as SciPy writes them, read as ChainerCV reads them; and what is wrong with some."""

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from PIL import Image

from chainer_seg.datasets import CocoDataset, PackedDataset, SbdDataset, open_dataset, pack_dataset
from chainer_seg.errors import DatasetError, ImageError

from .coco_files import annotation, content, write

SIZE = 20, 30


def write_mat(folder, kind, name, size=SIZE, **fields):
    """A file like SBD's: a structure with the segmentation, and the boundaries of every object."""
    (folder / kind).mkdir(parents=True, exist_ok=True)
    count = len(fields.get('Categories', range(20)))
    boundaries = np.empty((count, 1), object)
    for number in range(count):
        boundaries[number, 0] = scipy.sparse.csc_matrix(np.eye(*size, dtype=bool))
    scipy.io.savemat(folder / kind / f'{name}.mat', do_compression=True, mdict={
        f'GT{kind}': {'Boundaries': boundaries, **fields}})


def write_example(folder, name, owners, categories):
    """An image and both of its MATLAB files."""
    (folder / 'img').mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(len(name)).integers(0, 256, (*owners.shape, 3), np.uint8)
    Image.fromarray(colours).save(folder / 'img' / f'{name}.jpg')
    write_mat(folder, 'inst', name, owners.shape, Segmentation=owners.astype(np.uint8),
              Categories=np.array(categories, np.uint8)[:, None])
    classes = np.concatenate([[0], categories]).astype(np.uint8)[owners]
    write_mat(folder, 'cls', name, owners.shape, Segmentation=classes,
              CategoriesPresent=np.unique(categories).astype(np.uint8)[:, None])


@pytest.fixture
def folder(tmp_path):
    """Two images: a person (1) before a dog (2), and a bird alone."""
    owners = np.zeros(SIZE, int)
    owners[2:12, 3:20] = 2
    owners[5:18, 8:12] = 1
    write_example(tmp_path, '2008_000001', owners, [15, 12])
    owners = np.zeros((24, 16), int)
    owners[4:9, 5:9] = 1
    write_example(tmp_path, '2008_000002', owners, [3])
    (tmp_path / 'train.txt').write_text('2008_000001\n2008_000002\n')
    return tmp_path


def test_objects_have_their_masks_and_classes(folder):
    dataset = SbdDataset(folder / 'train.txt')
    image, instances = dataset[0]
    assert image.shape == (*SIZE, 3) and len(instances) == 2
    assert [instances.name(number) for number in range(2)] == ['person', 'dog']
    assert instances.labels.tolist() == [14, 11]
    assert instances.bboxes.tolist() == [[5, 8, 18, 12], [2, 3, 12, 20]]
    assert instances.masks.sum(axis=(1, 2)).tolist() == [13 * 4, 10 * 17 - 7 * 4]
    assert dataset.image_size(1) == (24, 16)


def test_it_agrees_with_chainercvs_reader(folder):
    from chainercv.datasets import SBDInstanceSegmentationDataset
    (folder / 'train_voc2012.txt').write_text('2008_000002\n2008_000001\n')
    reference = SBDInstanceSegmentationDataset(folder, 'train')
    dataset = SbdDataset(folder / 'train_voc2012.txt')
    for (image, masks, labels), (found, instances) in zip(reference, dataset):
        np.testing.assert_array_equal(found.transpose(2, 0, 1), image)
        np.testing.assert_array_equal(instances.masks, masks)
        np.testing.assert_array_equal(instances.labels, labels)


def test_pascals_names_are_chainercvs():
    from chainercv.datasets import sbd_instance_segmentation_label_names
    assert SbdDataset.class_names == sbd_instance_segmentation_label_names


def test_classes_of_pixels_are_read(folder):
    classes = SbdDataset(folder / 'train.txt').read_classes(0)
    assert classes.shape == SIZE and np.unique(classes).tolist() == [0, 12, 15]
    assert classes[6, 9] == 15 and classes[3, 4] == 12


def test_hidden_objects_and_void_are_no_objects(folder):
    owners = np.zeros(SIZE, int)
    owners[1:4, 1:4] = 2
    write_mat(folder, 'inst', '2008_000001', Segmentation=np.where(
        owners == 0, 255, owners).astype(np.uint8), Categories=np.array([[1], [2]]))
    instances = SbdDataset(folder / 'train.txt').read_instances(0)
    assert [instances.name(number) for number in range(len(instances))] == ['bicycle']


def test_images_without_objects_can_be_skipped(folder):
    write_mat(folder, 'inst', '2008_000001', Segmentation=np.zeros(SIZE, np.uint8),
              Categories=np.zeros((0, 1)))
    dataset = SbdDataset(folder / 'train.txt')
    assert len(dataset) == 2 and len(dataset[0][1]) == 0
    assert SbdDataset(folder / 'train.txt', skip_empty=True).ids == ['2008_000002']


def test_a_list_may_lie_elsewhere_and_have_more_columns(folder, tmp_path):
    (tmp_path / 'lists').mkdir()
    (tmp_path / 'lists' / 'val.txt').write_text('2008_000002  1\n\n')
    assert SbdDataset(tmp_path / 'lists' / 'val.txt', folder).ids == ['2008_000002']


def test_it_is_opened_and_packed(folder):
    dataset = open_dataset(folder / 'train.txt')
    assert isinstance(dataset, SbdDataset)
    packed = PackedDataset(pack_dataset(dataset, folder / 'train.packed'))
    assert packed.ids == dataset.ids and packed.category_ids == list(range(1, 21))
    for number in range(2):
        np.testing.assert_array_equal(packed[number][0], dataset[number][0])
        np.testing.assert_array_equal(packed[number][1].masks, dataset[number][1].masks)
        np.testing.assert_array_equal(packed[number][1].labels, dataset[number][1].labels)


def test_sbd_as_coco_json_is_a_coco_data_set(tmp_path):
    categories = [{'id': number, 'name': name} for number, name in enumerate(SbdDataset.class_names, 1)]
    path, images = write(tmp_path, content(annotation(category_id=15), categories=categories))
    dataset = CocoDataset(path, images)
    assert dataset.class_names == SbdDataset.class_names
    assert dataset[0][1].name(0) == 'person'


# What goes wrong

def test_missing_files_are_named(folder):
    (folder / 'inst' / '2008_000002.mat').unlink()
    (folder / 'img' / '2008_000001.jpg').unlink()
    with pytest.raises(DatasetError, match=r'do not exist: .*2008_000001.jpg and 1 others'):
        SbdDataset(folder / 'train.txt')


@pytest.mark.parametrize('change', [
    lambda data: b'', lambda data: data[:200], lambda data: b'no MATLAB file' * 20,
    lambda data: data[:300] + bytes(40) + data[340:]])
def test_a_damaged_file_is_named(folder, change):
    path = folder / 'inst' / '2008_000001.mat'
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DatasetError, match=r'inst/2008_000001.mat is not a file of SBD, or is damaged'):
        SbdDataset(folder / 'train.txt').read_instances(0)


def test_another_matlab_file_is_named(folder):
    scipy.io.savemat(folder / 'inst' / '2008_000001.mat', {'other': np.zeros(3)})
    with pytest.raises(DatasetError, match='is not a file of SBD'):
        SbdDataset(folder / 'train.txt')[0]


@pytest.mark.parametrize('categories, sentence', [
    ([[21], [1]], 'categories must be from 1 to 20'),
    ([[1]], 'it has objects without a category')])
def test_categories_that_do_not_fit_are_reported(folder, categories, sentence):
    owners = np.array(SbdDataset(folder / 'train.txt')._objects_of(0)[0])
    write_mat(folder, 'inst', '2008_000001', Segmentation=owners, Categories=np.array(categories))
    with pytest.raises(DatasetError, match=sentence):
        SbdDataset(folder / 'train.txt').read_instances(0)


def test_an_image_of_another_size_is_reported(folder):
    Image.new('RGB', (10, 10)).save(folder / 'img' / '2008_000001.jpg')
    with pytest.raises(DatasetError, match='has 10x10 pixels, but its objects have 20x30'):
        SbdDataset(folder / 'train.txt')[0]


def test_an_image_of_other_content_is_reported(folder):
    (folder / 'img' / '2008_000001.jpg').write_bytes(b'no image')
    with pytest.raises(ImageError, match='2008_000001.jpg cannot be read'):
        SbdDataset(folder / 'train.txt')[0]


@pytest.mark.parametrize('data, sentence', [
    (None, 'There is no list of images'), (b'', 'is empty'), (b'\xff\xfe\x00', 'binary data')])
def test_a_list_of_other_content_is_reported(tmp_path, data, sentence):
    if data is not None:
        (tmp_path / 'train.txt').write_bytes(data)
    with pytest.raises(DatasetError, match=sentence):
        SbdDataset(tmp_path / 'train.txt')
