"""Click data files of whole data sets: which samples there are, and runs that are interrupted."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg import Instances
from chainer_seg.datasets import (
    ClickFilesDataset,
    ExampleList,
    PlainShapesDataset,
    open_dataset,
    pack_dataset,
    write_coco,
)
from chainer_seg.datasets.click_files import stored_scale
from chainer_seg.errors import DatasetError
from chainer_seg.jobs import write_click_files
from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps
from tests.datasets.test_sbd import write_example
from tests.datasets.voc_files import write_voc
from tests.folders import contents


@pytest.fixture(scope='module')
def drawn():
    return PlainShapesDataset(4, seed=5, size=(64, 80), objects=(1, 3))


@pytest.fixture
def coco(drawn, tmp_path):
    """The same images as a COCO file, whose images stay where they are."""
    path = write_coco(drawn, tmp_path / 'coco', suffix='.png')
    return open_dataset(path, path.parent / 'images')


def test_samples_are_written_for_every_object(drawn, tmp_path):
    path = write_click_files(drawn, tmp_path / 'out', least_area=0)
    assert path == tmp_path / 'out' / 'train_converted.txt'
    dataset = ClickFilesDataset(path)
    assert len(dataset) == 3 * sum(len(instances) for _, instances in drawn)
    _, instances = drawn[0]
    for number in range(3 * len(instances)):
        assert dataset.ids[number] == f'train-000000-{number}'
        image, maps, label = dataset[number]
        np.testing.assert_array_equal(label, instances.masks[number % len(instances)])
        clicks = clicks_of_maps(maps)
        assert clicks and stored_scale(maps) == 6
        assert all(label[int(click.y), int(click.x)] == click.positive for click in clicks)


def test_the_seed_determines_the_files_byte_by_byte(drawn, tmp_path):
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        write_click_files(drawn, tmp_path / name, seed=seed)
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')
    assert contents(tmp_path / 'a') != contents(tmp_path / 'c')


class Interrupted(PlainShapesDataset):
    """Ends a run at its third image as Ctrl-C does."""

    def __getitem__(self, index):
        if index == 2:
            raise KeyboardInterrupt
        return super().__getitem__(index)


def test_an_interrupted_run_resumes_to_the_same_files(drawn, tmp_path):
    write_click_files(drawn, tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt, match='2 of 4 images are done'):
        write_click_files(Interrupted(4, seed=5, size=(64, 80), objects=(1, 3)), tmp_path / 'out')
    assert not (tmp_path / 'out' / 'train_converted.txt').exists()
    write_click_files(drawn, tmp_path / 'out')
    assert contents(tmp_path / 'out') == contents(tmp_path / 'whole')


def test_existing_files_are_kept_unless_overwrite_is_set(drawn, tmp_path):
    write_click_files(drawn, tmp_path)
    first = tmp_path / 'data' / 'train-000000-0_pnsamples.tif'
    whole, gone = contents(tmp_path), tmp_path / 'labels' / 'train-000001-0_label.tif'
    first.write_bytes(b'of another hand')
    gone.unlink()
    write_click_files(drawn, tmp_path)
    assert first.read_bytes() == b'of another hand' and gone.is_file()
    write_click_files(drawn, tmp_path, overwrite=True)
    assert contents(tmp_path) == whole


def test_samples_of_other_settings_are_an_error(drawn, tmp_path):
    write_click_files(drawn, tmp_path, seed=1)
    with pytest.raises(DatasetError, match='click files of other settings .seed is 1 there and 0 here'):
        write_click_files(drawn, tmp_path)
    write_click_files(drawn, tmp_path, overwrite=True)


def test_samples_of_an_earlier_version_are_refused(drawn, tmp_path):
    write_click_files(drawn, tmp_path)
    (tmp_path / 'train.sqlite').unlink()
    with pytest.raises(DatasetError, match='without train.sqlite, such as those of an earlier version'):
        write_click_files(drawn, tmp_path)


def test_samples_of_images_that_have_other_names_now_are_made_again(drawn, tmp_path):
    write_click_files(Named('a.jpg', 'b.jpg'), tmp_path)
    path = write_click_files(Named('b.jpg', 'c.jpg'), tmp_path)
    assert {line.split()[0] for line in path.read_text().splitlines()} == {'b', 'c'}


def test_max_objects_limits_the_objects_and_small_ones_are_skipped(drawn, tmp_path):
    path = write_click_files(drawn, tmp_path / 'a', max_objects=3)
    assert len(ClickFilesDataset(path)) == 9
    areas = [area for _, instances in drawn for area in instances.masks.sum(axis=(1, 2))]
    least = int(np.median(areas))
    path = write_click_files(drawn, tmp_path / 'b', least_area=least)
    assert len(ClickFilesDataset(path)) == 3 * sum(area >= least for area in areas)
    with pytest.raises(DatasetError, match='no object of at least 9999 pixels'):
        write_click_files(drawn, tmp_path / 'c', least_area=9999)


def test_image_files_are_listed_in_place(coco, tmp_path):
    path = write_click_files(coco, tmp_path / 'out', sampling='paper', scale=1)
    assert not (tmp_path / 'out' / 'images').exists()
    dataset = ClickFilesDataset(path, images=coco.image_folder)
    assert path.read_text().splitlines()[0] == '000000.png 000000.png-0'
    image, maps, _ = dataset[0]
    np.testing.assert_array_equal(image, coco[0][0])
    assert stored_scale(maps) == 1


def test_packed_images_are_written_unchanged(coco, tmp_path):
    packed = open_dataset(pack_dataset(coco, tmp_path / 'train.packed'))
    path = write_click_files(packed, tmp_path / 'out', max_objects=1)
    original = coco.image_folder / '000000.png'
    assert (tmp_path / 'out' / 'images' / '000000.png').read_bytes() == original.read_bytes()
    np.testing.assert_array_equal(ClickFilesDataset(path)[0][0], coco[0][0])


def test_sbd_is_sampled(tmp_path):
    owners = np.zeros((30, 40), int)
    owners[5:25, 3:20] = 1
    write_example(tmp_path, '2008_000001', owners, [15])
    (tmp_path / 'train.txt').write_text('2008_000001\n')
    sbd = open_dataset(tmp_path / 'train.txt')
    path = write_click_files(sbd, tmp_path / 'out', max_objects=1)
    assert path.read_text().splitlines() == [
        f'2008_000001 2008_000001-{number}' for number in range(3)]
    _, _, label = ClickFilesDataset(path, images=sbd.image_folder)[0]
    np.testing.assert_array_equal(label, owners == 1)


def test_voc_is_sampled(tmp_path):
    voc = open_dataset(write_voc(tmp_path / 'voc'))
    path = write_click_files(voc, tmp_path / 'out', least_area=1)
    dataset = ClickFilesDataset(path, images=voc.image_folder)
    number = voc.ids.index(dataset.image_names[0].removesuffix('.jpg'))
    np.testing.assert_array_equal(dataset[0][2], voc.read_instances(number).masks[0])


class Named(ExampleList):
    """Images with an object, under any names."""

    has_files = True

    def __init__(self, *names):
        mask = np.zeros((1, 20, 20), bool)
        mask[0, 4:16, 4:16] = True
        super().__init__([(np.zeros((20, 20, 3), np.uint8), Instances(mask)) for _ in names])
        self._names = names

    def file_name(self, index):
        return self._names[index]


@pytest.mark.parametrize('names, sentence', [
    (('a b.jpg',), "'a b' cannot be listed"), (('/a.jpg',), "'/a' cannot be listed"),
    (('../a.jpg',), 'cannot be listed'), (('a.jpg', 'a.jpg'), '2 images have the name a')])
def test_names_that_cannot_be_listed_are_an_error(tmp_path, names, sentence):
    with pytest.raises(DatasetError, match=sentence):
        write_click_files(Named(*names), tmp_path)


def test_names_in_folders_are_listed(tmp_path):
    path = write_click_files(Named('x/a.jpg', 'y/a.jpg'), tmp_path, max_objects=2)
    assert ClickFilesDataset(path).image_names[0::3] == ['x/a.jpg', 'y/a.jpg']
    assert (tmp_path / 'data' / 'y' / 'a-0_pnsamples.tif').is_file()
    assert Image.open(tmp_path / 'images' / 'y' / 'a.jpg').size == (20, 20)


def test_two_lists_in_a_folder_cannot_share_image_names(tmp_path):
    write_click_files(Named('a.jpg'), tmp_path)
    write_click_files(Named('b.jpg'), tmp_path, 'val')
    with pytest.raises(DatasetError, match='lists images of the same names as the test images .a.'):
        write_click_files(Named('a.jpg'), tmp_path, 'test')
