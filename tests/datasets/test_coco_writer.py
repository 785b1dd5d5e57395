"""What is written reads back exactly; nothing half written stays behind."""

import json
import resource

import numpy as np
import pytest

from chainer_seg.datasets import CocoDataset, ShapesDataset, validate_coco, write_coco
from chainer_seg.errors import DatasetError, DiskFullError, FolderInUseError, UserError
from chainer_seg.instances import Instances
from chainer_seg.locks import sole_writer


class Listed:
    """A data set of the given examples; an exception among them is raised."""

    class_names = ('dog', 'cat')

    def __init__(self, *examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        example = self.examples[index]
        if isinstance(example, BaseException):
            raise example
        return example


def example(size=(12, 16), **fields):
    masks = np.zeros((2, *size), bool)
    masks[0, 2:9, 3:11] = True
    masks[0, 4:6, 5:8] = False
    masks[1, 9:, 12:] = True
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    return image, Instances(masks, labels=[1, 0], class_names=Listed.class_names, **fields)


def test_shapes_with_holes_and_crowds_read_back_exactly(tmp_path):
    drawn = ShapesDataset(6, size=(64, 96), crowd_probability=1)
    path = write_coco(drawn, tmp_path / 'out', suffix='.png')
    read = CocoDataset(path, tmp_path / 'out' / 'images')
    assert read.class_names == drawn.class_names and len(read) == 6
    for index in range(6):
        image, expected = drawn[index]
        again, instances = read[index]
        assert np.array_equal(again, image)
        for name in ('masks', 'labels', 'crowds', 'bboxes'):
            assert np.array_equal(getattr(instances, name), getattr(expected, name)), name


def test_what_is_written_is_valid(tmp_path):
    path = write_coco(ShapesDataset(3, size=(64, 64), crowd_probability=1), tmp_path)
    assert validate_coco(path, tmp_path / 'images') == []


def test_crowds_have_plain_counts_and_objects_compressed_ones(tmp_path):
    path = write_coco(Listed(example(crowds=[True, False])), tmp_path)
    crowd, single = json.loads(path.read_text())['annotations']
    assert isinstance(crowd['segmentation']['counts'], list) and crowd['iscrowd'] == 1
    assert isinstance(single['segmentation']['counts'], str) and single['iscrowd'] == 0


def test_masks_at_the_corners_keep_their_plain_counts(tmp_path):
    masks = np.zeros((2, 4, 5), bool)
    masks[0, 0, 0] = masks[0, -1, -1] = masks[1] = True
    image = np.zeros((4, 5, 3), np.uint8)
    path = write_coco(Listed((image, Instances(masks, crowds=[True, True]))), tmp_path)
    counts = [a['segmentation']['counts'] for a in json.loads(path.read_text())['annotations']]
    assert counts == [[0, 1, 18, 1], [0, 20]]


def test_keypoints_are_written(tmp_path):
    points = np.array([[[1, 2, 2], [0, 0, 0]], [[3, 4, 1], [5, 6, 2]]], np.float32)
    path = write_coco(Listed(example(keypoints=points)), tmp_path)
    first, second = json.loads(path.read_text())['annotations']
    assert first['keypoints'] == [2, 1, 2, 0, 0, 0] and first['num_keypoints'] == 1
    assert second['num_keypoints'] == 2


def test_a_folder_with_something_in_it_is_rejected(tmp_path):
    (tmp_path / 'precious.txt').write_text('mine')
    with pytest.raises(DatasetError, match='not empty.*--overwrite'):
        write_coco(Listed(example()), tmp_path)


def test_overwriting_removes_the_old_set_and_nothing_else(tmp_path):
    write_coco(Listed(example(), example()), tmp_path)
    (tmp_path / 'images' / 'mine.jpg').write_text('mine')
    write_coco(Listed(example()), tmp_path, overwrite=True)
    names = sorted(path.name for path in (tmp_path / 'images').iterdir())
    assert names == ['000000.jpg', 'mine.jpg']


def test_a_file_in_place_of_the_folder_is_rejected(tmp_path):
    (tmp_path / 'out').write_text('mine')
    with pytest.raises(DatasetError, match='is a file'):
        write_coco(Listed(example()), tmp_path / 'out')


def test_an_interruption_leaves_whole_images_and_no_annotations(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_coco(Listed(example(), KeyboardInterrupt()), tmp_path)
    files = [path.name for path in tmp_path.rglob('*') if path.is_file()]
    assert files == ['000000.jpg']


def test_a_full_disk_is_reported_in_one_sentence(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files ends writing in the middle of one, as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(DiskFullError, match='disk is full'):
            write_coco(Listed(example((200, 200))), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path for path in tmp_path.rglob('*') if path.is_file()] == []


def test_images_may_keep_their_names(tmp_path):
    path = write_coco(Listed(example(), example()), tmp_path, names=['cup', 'a.b'], suffix='.png')
    read = CocoDataset(path, tmp_path / 'images')
    assert read.image_names == ['cup.png', 'a.b.png']
    assert np.array_equal(read[1][0], example()[0])


def test_an_image_without_objects_is_written(tmp_path):
    image, _ = example()
    path = write_coco(Listed((image, Instances.empty(12, 16))), tmp_path)
    _, instances = CocoDataset(path, tmp_path / 'images')[0]
    assert len(instances) == 0


def test_an_empty_data_set_is_rejected(tmp_path):
    with pytest.raises(DatasetError, match='data set is empty'):
        write_coco(Listed(), tmp_path)


@pytest.mark.parametrize('overwrite', [False, True])
def test_a_link_out_of_the_folder_is_not_written_through(tmp_path, overwrite):
    outside, folder = tmp_path / 'photographs', tmp_path / 'out'
    outside.mkdir()
    folder.mkdir()
    (outside / '000000.jpg').write_text('mine')
    (folder / 'images').symlink_to(outside)
    with pytest.raises(UserError, match='is not empty' if not overwrite else 'images leads out of'):
        write_coco(ShapesDataset(1, size=(32, 32)), folder, overwrite=overwrite)
    assert (outside / '000000.jpg').read_text() == 'mine'


def test_a_linked_image_is_replaced_and_not_what_it_names(tmp_path):
    folder = tmp_path / 'out'
    (folder / 'images').mkdir(parents=True)
    (tmp_path / 'photograph.jpg').write_text('mine')
    (folder / 'images' / '000000.jpg').symlink_to(tmp_path / 'photograph.jpg')
    (folder / 'annotations.json').symlink_to(tmp_path / 'photograph.jpg')
    write_coco(ShapesDataset(1, size=(32, 32)), folder, overwrite=True)
    assert (tmp_path / 'photograph.jpg').read_text() == 'mine'
    assert not (folder / 'images' / '000000.jpg').is_symlink()


def test_another_run_in_the_folder_is_rejected(tmp_path):
    with sole_writer(tmp_path), pytest.raises(FolderInUseError, match='is writing to'):
        write_coco(ShapesDataset(1, size=(32, 32)), tmp_path)


def test_what_a_killed_run_left_does_not_fill_the_folder(tmp_path):
    (tmp_path / '.lock').write_text('1 here')
    (tmp_path / '.annotations-abcdefgh.unfinished.json').touch()
    write_coco(ShapesDataset(1, size=(32, 32)), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['annotations.json', 'images']
