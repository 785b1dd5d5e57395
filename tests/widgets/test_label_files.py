"""Saving into folders with content, and opening COCO files, in the click segmenter."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.datasets import CocoDataset, ShapesDataset, write_coco  # noqa: E402
from chainer_seg.errors import DatasetError, UserError  # noqa: E402
from chainer_seg.models.deeplab import Click  # noqa: E402
from chainer_seg.widgets import ClickSegmenter  # noqa: E402

from .controls import controls  # noqa: E402
from .discs import Discs, disc  # noqa: E402
from .test_click_segmenter import push, upload  # noqa: E402

SIZE = 60, 80
CUP, CAT = (np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8) for seed in (0, 1))


def labelled(images, *places, name='cup'):
    """A segmenter with an object on its first image for each place."""
    segmenter = ClickSegmenter(images, Discs())
    for y, x in places:
        segmenter.add(Click(y, x))
        segmenter.finish(name)
    return segmenter


def choice(segmenter):
    """Whether the user is asked what to do with the labels in the folder."""
    return segmenter._controls._save._choice.layout.display is None


def masks_in(folder, number=0):
    return CocoDataset(folder / 'annotations.json', folder / 'images')[number][1].masks


@pytest.fixture
def folder(tmp_path):
    """Labels of an earlier session: a disc on the cup."""
    labelled({'cup': CUP}, (20, 20)).save_coco(tmp_path / 'labels')
    return tmp_path / 'labels'


def asked(folder, images, *places):
    """A segmenter whose user has pressed the button to save to a folder that is not empty."""
    segmenter = labelled(images, *places)
    controls(segmenter, 'Text')['Folder'].value = str(folder)
    push(segmenter, 'COCO JSON')
    assert choice(segmenter) and 'is not empty: add to its labels' in segmenter.message
    return segmenter


def test_add_keeps_the_labels_that_are_there(folder):
    segmenter = asked(folder, {'cup': CUP, 'cat': CAT}, (20, 20), (40, 60))
    segmenter.go_to(1)
    segmenter.add(Click(30, 30))
    segmenter.finish('cat')
    push(segmenter, 'Add')
    assert not choice(segmenter) and segmenter.message.startswith('Saved the objects of 2 images')
    # The disc that was there already is there once.
    np.testing.assert_array_equal(masks_in(folder), [disc(SIZE, 20, 20), disc(SIZE, 40, 60)])
    np.testing.assert_array_equal(masks_in(folder, 1), [disc(SIZE, 30, 30)])
    dataset = CocoDataset(folder / 'annotations.json', None)
    assert dataset.class_names == ('cup', 'cat') and dataset.image_names == ['cup.jpg', 'cat.jpg']
    push(segmenter, 'COCO JSON')
    assert not choice(segmenter)


def test_add_writes_another_image_of_the_same_name_under_a_free_name(folder):
    before = (folder / 'images' / 'cup.jpg').read_bytes()
    push(asked(folder, {'cup': CAT}, (40, 60)), 'Add')
    assert (folder / 'images' / 'cup.jpg').read_bytes() == before
    assert CocoDataset(folder / 'annotations.json', None).image_names == ['cup.jpg', 'cup-2.jpg']
    np.testing.assert_array_equal(masks_in(folder, 1), [disc(SIZE, 40, 60)])


def test_add_keeps_what_other_programs_wrote(folder):
    content = json.loads((folder / 'annotations.json').read_text())
    content['licenses'] = [{'id': 1, 'name': 'CC-BY'}]
    content['images'][0]['license'] = 1
    (folder / 'annotations.json').write_text(json.dumps(content))
    push(asked(folder, {'cup': CUP}, (40, 60)), 'Add')
    after = json.loads((folder / 'annotations.json').read_text())
    assert after['licenses'] == content['licenses'] and after['images'][0]['license'] == 1
    assert len({each['id'] for each in after['annotations']}) == 2


def test_replace_removes_the_labels_that_are_there(folder):
    segmenter = asked(folder, {'cup': CUP}, (40, 60))
    push(segmenter, 'Replace')
    assert not choice(segmenter)
    np.testing.assert_array_equal(masks_in(folder), [disc(SIZE, 40, 60)])


def test_cancel_and_another_folder_leave_the_labels(folder, tmp_path):
    segmenter = asked(folder, {'cup': CUP}, (40, 60))
    push(segmenter, 'Cancel')
    assert not choice(segmenter)
    push(segmenter, 'COCO JSON')
    controls(segmenter, 'Text')['Folder'].value = str(tmp_path / 'other')
    assert not choice(segmenter)
    push(segmenter, 'COCO JSON')
    np.testing.assert_array_equal(masks_in(folder), [disc(SIZE, 20, 20)])
    np.testing.assert_array_equal(masks_in(tmp_path / 'other'), [disc(SIZE, 40, 60)])


def test_add_needs_labels_to_add_to(tmp_path):
    (tmp_path / 'thesis.txt').write_text('mine')
    segmenter = asked(tmp_path, {'cup': CUP}, (40, 60))
    push(segmenter, 'Add')
    assert 'has no annotations.json to add to' in segmenter.message
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.txt']


# Opening

def test_own_labels_are_opened(folder):
    segmenter = labelled({'cat': CAT, 'cup': CUP})
    controls(segmenter, 'Text')['path of a mask or COCO file'].value = str(folder / 'annotations.json')
    push(segmenter, 'Load')
    assert segmenter.message == f'Opened 1 object on 1 open image from {folder / "annotations.json"}.'
    segmenter.go_to(1)
    assert [each.name for each in segmenter.objects] == ['cup']
    np.testing.assert_array_equal(segmenter.masks, [disc(SIZE, 20, 20)])


def test_opening_keeps_the_objects_and_clicks_and_can_be_undone(folder):
    segmenter = labelled({'cup': CUP}, (20, 20), (40, 60))
    segmenter.add(Click(10, 10))
    segmenter.open_coco(folder / 'annotations.json')
    assert len(segmenter.objects) == 2 and segmenter.clicks == (Click(10, 10),)  # one is there already
    segmenter.remove(0)
    segmenter.open_coco(folder / 'annotations.json')
    assert len(segmenter.objects) == 2
    segmenter.undo()
    assert len(segmenter.objects) == 1


def test_images_beside_the_file_are_added(folder):
    segmenter = labelled({'cat': CAT})
    segmenter.open_coco(folder / 'annotations.json')
    assert segmenter.names == ['cat', 'cup'] and segmenter.number == 1
    assert '1 more image with their objects' in segmenter.message
    np.testing.assert_array_equal(segmenter.masks, [disc(SIZE, 20, 20)])


def test_labels_of_other_programs_are_opened(tmp_path):
    dataset = ShapesDataset(2, size=(64, 64), objects=(2, 3), crowd_probability=0)
    path = write_coco(dataset, tmp_path, names=['a', 'b'])
    content = json.loads(path.read_text())
    for image in content['images']:
        image['file_name'] = 'C:\\photos\\' + image['file_name'].replace('jpg', 'png')
    content['annotations'][0]['segmentation'] = [[1, 1, 9, 1, 9, 9, 1, 9]]  # a polygon
    (tmp_path / 'other.json').write_text(json.dumps(content))
    segmenter = ClickSegmenter({'a': dataset[0][0], 'b': dataset[1][0]}, Discs())
    upload(segmenter, 'Labels', (tmp_path / 'other.json').read_bytes(), 'other.json')
    assert 'on 2 open images from the uploaded file' in segmenter.message
    assert segmenter.masks[0][1:9, 1:9].all() and segmenter.masks[0].sum() <= 81
    np.testing.assert_array_equal(segmenter.masks[1:], dataset[0][1].masks[1:])
    segmenter.go_to(1)
    np.testing.assert_array_equal(segmenter.masks, dataset[1][1].masks)


def test_a_file_about_another_size_is_refused_as_a_whole(folder):
    segmenter = labelled({'cup': CUP[:50]})
    with pytest.raises(DatasetError, match='cup has 50x80 pixels, but 60x80 in'):
        segmenter.open_coco(folder / 'annotations.json')
    assert segmenter.objects == ()


@pytest.mark.parametrize('content, sentence', [
    ('', 'is empty'), ('{"images": []', 'truncated'), ('[1]', 'is a list, like COCO results')])
def test_files_that_are_not_coco_are_refused(content, sentence, tmp_path):
    (tmp_path / 'labels.json').write_text(content)
    segmenter = labelled({'cup': CUP})
    controls(segmenter, 'Text')['path of a mask or COCO file'].value = str(tmp_path / 'labels.json')
    push(segmenter, 'Load')
    assert sentence in segmenter.message and segmenter.objects == ()


def test_a_file_about_other_images_is_refused(folder):
    segmenter = labelled({'cat': CAT})
    with pytest.raises(UserError, match='None of the images of the uploaded file is open'):
        segmenter.open_coco((folder / 'annotations.json').read_bytes())


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.webp'])
def test_a_photograph_is_refused_as_a_mask(suffix):
    photograph = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (*SIZE, 3), np.uint8), (0, 0), 3)
    data = cv2.imencode(suffix, cv2.normalize(photograph, None, 0, 255, cv2.NORM_MINMAX))[1].tobytes()
    segmenter = labelled({'cup': CUP})
    upload(segmenter, 'Labels', data, 'photo' + suffix)
    assert segmenter.message.startswith('The mask is not a mask: it has ') and not segmenter.mask.any()
    assert segmenter.message.count('. ') == 0
