"""VOC's label images, read as ChainerCV reads them; the augmented set; and what is wrong with some."""

import shutil

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import PackedDataset, VocDataset, open_dataset, pack_dataset
from chainer_seg.errors import DatasetError, ImageError

from .test_sbd import write_example
from .voc_files import person_before_dog, save_image, write_labels, write_list, write_voc


@pytest.fixture
def folder(tmp_path):
    write_voc(tmp_path / 'VOC2012')
    return tmp_path / 'VOC2012'


@pytest.fixture
def train(folder):
    """The list of the two images."""
    return folder / 'ImageSets' / 'Segmentation' / 'train.txt'


def test_objects_have_their_masks_and_classes(train):
    image, instances = VocDataset(train)[0]
    assert image.shape == (20, 30, 3) and instances.image_size == (20, 30)
    assert [instances.name(number) for number in range(2)] == ['person', 'dog']
    assert instances.bboxes.tolist() == [[5, 8, 18, 12], [2, 3, 12, 20]]
    np.testing.assert_array_equal(instances.masks[1], person_before_dog() == 2)


def test_it_agrees_with_chainercvs_readers(train, folder):
    from chainercv.datasets import VOCInstanceSegmentationDataset, VOCSemanticSegmentationDataset
    dataset = VocDataset(train)
    objects = VOCInstanceSegmentationDataset(str(folder))
    semantic = VOCSemanticSegmentationDataset(str(folder))
    assert len(dataset) == len(objects) == 2
    for number in range(2):
        image, instances = dataset[number]
        theirs, masks, labels = objects[number]
        np.testing.assert_array_equal(image.transpose(2, 0, 1), theirs)
        np.testing.assert_array_equal(instances.masks, masks)
        np.testing.assert_array_equal(instances.labels, labels)
        classes = dataset.read_classes(number)
        np.testing.assert_array_equal(np.where(classes == 255, -1, classes.astype(int)),
                                      semantic[number][1])


def test_void_is_distinguished(train):
    np.testing.assert_array_equal(VocDataset(train).read_void(0), person_before_dog() == 255)


def test_an_object_has_the_class_of_most_of_its_pixels(train, folder):
    path = folder / 'SegmentationClass' / '2007_000001.png'
    classes = np.array(Image.open(path))
    classes[5:9, 8:12] = 12
    classes[9:12, 8:12] = 255
    write_labels(path, classes)
    assert VocDataset(train).read_instances(0).labels.tolist() == [14, 11]


def test_the_folder_is_found_from_the_list_or_given(train, folder, tmp_path):
    elsewhere = shutil.copy(train, tmp_path / 'val.txt')
    for dataset in (VocDataset(train), VocDataset(elsewhere, folder),
                    VocDataset(elsewhere, folder / 'JPEGImages')):
        assert dataset.ids == ['2007_000001', '2007_000002']
        assert dataset.image_names == ['2007_000001.jpg', '2007_000002.jpg']
        assert dataset.image_size(1) == (24, 16) and dataset.image_size(-1) == (24, 16)


def test_a_part_has_its_own_images(train):
    part = VocDataset(train).part([1])
    assert part.ids == ['2007_000002'] and part[0][0].shape == (24, 16, 3)
    assert part.read_instances(0).name(0) == 'bird'


def test_images_without_objects_can_be_skipped(train, folder):
    write_labels(folder / 'SegmentationObject' / '2007_000001.png', np.zeros((20, 30)))
    write_labels(folder / 'SegmentationClass' / '2007_000001.png', np.zeros((20, 30)))
    assert len(VocDataset(train)[0][1]) == 0
    assert VocDataset(train, skip_empty=True).ids == ['2007_000002']


def test_it_is_opened_and_packed(train, folder):
    dataset = open_dataset(train)
    assert isinstance(dataset, VocDataset) and isinstance(open_dataset(train, folder), VocDataset)
    packed = PackedDataset(pack_dataset(dataset, folder / 'train.packed'))
    assert packed.ids == dataset.ids and packed.category_ids == list(range(1, 21))
    np.testing.assert_array_equal(packed[0][0], dataset[0][0])
    np.testing.assert_array_equal(packed[0][1].masks, dataset[0][1].masks)


# The augmented set

def test_lists_of_pairs_name_the_label_images(folder):
    labels = np.full((24, 16), 7)
    write_labels(folder / 'SegmentationClassAug' / '2007_000002.png', labels)
    path = write_list(folder, 'train_aug', [
        '/JPEGImages/2007_000002.jpg /SegmentationClassAug/2007_000002.png'])
    np.testing.assert_array_equal(VocDataset(path).read_classes(0), labels)


def test_images_that_voc_has_not_marked_have_their_classes_elsewhere(folder):
    save_image(folder, '2008_000003', (10, 12))
    write_labels(folder / 'SegmentationClassAug' / '2008_000003.png', np.full((10, 12), 9))
    write_labels(folder / 'SegmentationClassAug' / '2007_000002.png', np.full((24, 16), 7))
    dataset = VocDataset(write_list(folder, 'train_aug', ['2007_000002', '2008_000003']))
    assert np.unique(dataset.read_classes(0)).tolist() == [0, 3]
    assert np.unique(dataset.read_classes(1)).tolist() == [9]


def test_sbd_has_the_objects_that_voc_has_not_marked(folder, tmp_path):
    owners = np.zeros((10, 12), int)
    owners[2:6, 3:8] = 1
    write_example(tmp_path / 'sbd', '2008_000003', owners, [20])
    save_image(folder, '2008_000003', (10, 12))
    path = write_list(folder, 'train_aug', ['2007_000002', '2008_000003'])
    dataset = VocDataset(path, sbd=tmp_path / 'sbd')
    dataset.check_objects()
    assert [dataset.read_instances(number).name(0) for number in range(2)] == ['bird', 'tvmonitor']
    np.testing.assert_array_equal(dataset.read_classes(1), 20 * owners)


def test_classes_of_custom_label_images_have_names(folder):
    write_labels(folder / 'masks' / 'x.png', np.full((24, 16), 2))
    path = write_list(folder, 'mine', ['JPEGImages/2007_000002.jpg masks/x.png'])
    dataset = VocDataset(path, class_names=('hand', 'tool'))
    assert dataset.class_names == ('hand', 'tool') and np.unique(dataset.read_classes(0)).tolist() == [2]


# What goes wrong

def test_missing_files_are_named(train, folder):
    (folder / 'SegmentationClass' / '2007_000001.png').unlink()
    (folder / 'JPEGImages' / '2007_000002.jpg').unlink()
    with pytest.raises(DatasetError, match=r'train.txt names images whose files do not exist: '
                                           r'.*SegmentationClass/2007_000001.png and 1 others'):
        VocDataset(train)


def test_missing_objects_are_reported_when_objects_are_wanted(train, folder):
    (folder / 'SegmentationObject' / '2007_000002.png').unlink()
    assert VocDataset(train).read_classes(1).any()
    with pytest.raises(DatasetError, match='whose objects do not exist: .*2007_000002.png; give the '
                                           'folder of SBD'):
        open_dataset(train)


def test_labels_of_another_size_are_reported(train, folder):
    write_labels(folder / 'SegmentationClass' / '2007_000002.png', np.zeros((10, 12)))
    dataset = VocDataset(train)
    with pytest.raises(DatasetError, match='2007_000002.png has labels for 10x12 pixels, but its '
                                           'image .*2007_000002.jpg has 24x16; download both again'):
        dataset.read_classes(1)
    write_labels(folder / 'SegmentationObject' / '2007_000001.png', np.zeros((21, 30)))
    with pytest.raises(DatasetError, match='has labels for 21x30 pixels'):
        dataset.read_instances(0)


def test_labels_out_of_range_are_reported(train, folder):
    write_labels(folder / 'SegmentationClass' / '2007_000002.png', np.full((24, 16), 37))
    with pytest.raises(DatasetError, match='has the label 37, but labels are from 0 to 20, or 255'):
        VocDataset(train).read_classes(1)


def test_an_object_without_a_class_is_reported(train, folder):
    write_labels(folder / 'SegmentationClass' / '2007_000002.png', np.zeros((24, 16)))
    with pytest.raises(DatasetError, match='The object 1 in .*2007_000002.png has no class'):
        VocDataset(train).read_instances(1)


def test_there_may_be_no_objects_at_all(train, folder):
    for number, size in (1, (20, 30)), (2, (24, 16)):
        write_labels(folder / 'SegmentationObject' / f'2007_00000{number}.png', np.zeros(size))
    with pytest.raises(DatasetError, match='has no images with objects'):
        VocDataset(train, skip_empty=True)


def test_a_broken_image_is_reported(train, folder):
    (folder / 'JPEGImages' / '2007_000001.jpg').write_bytes(b'no image')
    with pytest.raises(ImageError, match='2007_000001.jpg cannot be read'):
        VocDataset(train)[0]


@pytest.mark.parametrize('data, sentence', [
    (None, 'There is no list of images'), (b'', 'is empty'), (b'\xff\xfe\x00', 'binary data')])
def test_a_list_of_other_content_is_reported(tmp_path, data, sentence):
    if data is not None:
        (tmp_path / 'train.txt').write_bytes(data)
    for opened in VocDataset, open_dataset:
        with pytest.raises(DatasetError, match=sentence):
            opened(tmp_path / 'train.txt')
