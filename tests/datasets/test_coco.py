"""CocoDataset against pycocotools on real annotations, and case by case on small ones."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from chainer_seg.datasets import CocoDataset
from chainer_seg.errors import DatasetError, ImageError

from .coco_files import NO_SAMPLE, SAMPLE, annotation, content, write

needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=NO_SAMPLE)
SQUARE_MASK = np.zeros((20, 30), bool)
SQUARE_MASK[3:9, 2:8] = True


def dataset_of(folder, *annotations, **arguments):
    return CocoDataset(*write(folder, content(*annotations)), **arguments)


@needs_sample
@pytest.mark.parametrize('name', ['instances_val', 'person_keypoints_val'])
def test_real_annotations_read_as_pycocotools_reads_them(name, capsys):
    path = SAMPLE / 'annotations' / f'{name}.json'
    dataset, reference = CocoDataset(path, SAMPLE / 'val'), COCO(str(path))
    assert dataset.category_ids == sorted(reference.getCatIds())
    for index, image_id in enumerate(dataset.ids):
        instances = dataset.read_instances(index)
        entries = reference.imgToAnns[image_id]
        assert len(instances) == len(entries)
        for number, entry in enumerate(entries):
            assert np.array_equal(instances.masks[number], reference.annToMask(entry))
            x, y, w, h = entry['bbox']
            assert instances.bboxes[number] == pytest.approx([y, x, y + h, x + w], rel=1e-6)
            assert dataset.category_ids[instances.labels[number]] == entry['category_id']
            assert instances.crowds[number] == entry['iscrowd']
            assert instances.areas[number] == pytest.approx(entry['area'], rel=1e-6)
            if 'keypoints' in entry:
                expected = np.reshape(entry['keypoints'], (-1, 3))[:, [1, 0, 2]]
                assert np.array_equal(instances.keypoints[number], expected)


@needs_sample
def test_a_real_image_has_the_size_of_its_masks():
    dataset = CocoDataset(SAMPLE / 'annotations' / 'instances_val.json', SAMPLE / 'val')
    image, instances = dataset[0]
    assert image.dtype == np.uint8 and image.shape == (*instances.image_size, 3)
    assert dataset.image_names[0].endswith('.jpg')


@needs_sample
def test_images_without_objects_are_kept_or_skipped():
    path = SAMPLE / 'annotations' / 'instances_val.json'
    everything = CocoDataset(path, SAMPLE / 'val')
    filled = CocoDataset(path, SAMPLE / 'val', skip_empty=True)
    annotations = json.loads(path.read_text())['annotations']
    with_objects = {a['image_id'] for a in annotations if not a['iscrowd']}
    assert len(everything) == 25
    assert set(filled.ids) == with_objects and len(filled) < 25


@needs_sample
def test_a_part_has_the_chosen_images_alone():
    dataset = CocoDataset(SAMPLE / 'annotations' / 'instances_val.json', SAMPLE / 'val')
    part = dataset.part([7, 3])
    assert len(part) == 2 and len(dataset) == 25
    assert part.ids == [dataset.ids[7], dataset.ids[3]]
    assert part.image_names == [dataset.image_names[7], dataset.image_names[3]]
    image, instances = part[1]
    assert np.array_equal(image, dataset[3][0])
    assert np.array_equal(instances.masks, dataset[3][1].masks)


def test_category_ids_need_not_be_contiguous(tmp_path):
    dataset = dataset_of(tmp_path, annotation(), annotation(id=2, category_id=90))
    assert dataset.category_ids == [3, 90] and dataset.class_names == ('dog', 'cat')
    assert dataset[0][1].labels.tolist() == [0, 1]


def test_a_polygon_covers_its_pixels(tmp_path):
    _, instances = dataset_of(tmp_path, annotation())[0]
    assert np.array_equal(instances.masks[0], SQUARE_MASK)


def test_several_polygons_are_one_object(tmp_path):
    halves = [[2, 3, 5, 3, 5, 9, 2, 9], [5, 3, 8, 3, 8, 9, 5, 9]]
    _, instances = dataset_of(tmp_path, annotation(segmentation=halves))[0]
    assert len(instances) == 1 and np.array_equal(instances.masks[0], SQUARE_MASK)


def test_compressed_run_length_encodings(tmp_path):
    code = coco_mask.encode(np.asfortranarray(SQUARE_MASK.astype(np.uint8)))
    code['counts'] = code['counts'].decode()
    _, instances = dataset_of(tmp_path, annotation(segmentation=code))[0]
    assert np.array_equal(instances.masks[0], SQUARE_MASK)


def test_plain_run_length_encodings_of_a_crowd(tmp_path):
    # 2 empty columns of 20 and 3 pixels, then six times 6 of 20, then the rest
    counts = [43] + [6, 14] * 5 + [6, 600 - 43 - 5 * 20 - 6]
    code = {'size': [20, 30], 'counts': counts}
    _, instances = dataset_of(tmp_path, annotation(segmentation=code, iscrowd=1))[0]
    assert np.array_equal(instances.masks[0], SQUARE_MASK)
    assert instances.crowds.tolist() == [True]


def test_optional_fields_may_be_missing(tmp_path):
    bare = annotation(iscrowd=None, area=None, bbox=None)
    _, instances = dataset_of(tmp_path, bare)[0]
    assert instances.crowds.tolist() == [False]
    assert instances.areas.tolist() == [36]
    assert instances.bboxes.tolist() == [[3, 2, 9, 8]]


@pytest.mark.parametrize('segmentation', [None, [], [[1, 2, 3, 4]]])
def test_without_a_usable_segmentation_the_box_is_the_mask(tmp_path, segmentation):
    boxed = annotation(segmentation=segmentation, bbox=[2.4, 3.5, 5.2, 5.5])
    _, instances = dataset_of(tmp_path, boxed)[0]
    assert np.array_equal(instances.masks[0], SQUARE_MASK)


def test_a_box_that_reaches_outside_is_cut_in_the_mask(tmp_path):
    _, instances = dataset_of(tmp_path, annotation(segmentation=None, bbox=[-5, -5, 7, 8]))[0]
    assert instances.masks[0].sum() == 2 * 3


def test_keypoints_are_turned_to_y_x(tmp_path):
    people = [{'id': 3, 'name': 'person', 'keypoints': ['nose', 'tail']}]
    entries = annotation(keypoints=[4, 5, 2, 0, 0, 0]), annotation(id=2)
    dataset = CocoDataset(*write(tmp_path, content(*entries, categories=people)))
    keypoints = dataset[0][1].keypoints
    assert keypoints.tolist() == [[[5, 4, 2], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]


def test_keypoints_can_be_omitted(tmp_path):
    people = [{'id': 3, 'name': 'person', 'keypoints': ['nose']}]
    paths = write(tmp_path, content(annotation(keypoints=[4, 5, 2]), categories=people))
    assert CocoDataset(*paths, keypoints=False)[0][1].keypoints is None


def test_an_image_without_objects_has_empty_instances(tmp_path):
    image, instances = dataset_of(tmp_path)[0]
    assert len(instances) == 0 and instances.image_size == image.shape[:2]
    assert instances.class_names == ('dog', 'cat')


def test_a_size_missing_in_the_json_is_read_from_the_file(tmp_path):
    value = content(annotation(), images=[{'id': 7, 'file_name': 'a.png'}])
    dataset = CocoDataset(*write(tmp_path, value))
    assert dataset[0][1].image_size == (20, 30)
    assert dataset.read_instances(0).image_size == (20, 30)


def test_without_categories_they_are_named_by_their_ids(tmp_path):
    value = content(annotation())
    del value['categories']
    assert CocoDataset(*write(tmp_path, value)).class_names == ('3',)


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'LA', 'I;16'])
def test_images_of_any_mode_become_rgb(tmp_path, mode):
    paths = write(tmp_path, content(annotation()))
    grey = np.full((20, 30), 100, np.uint16 if mode == 'I;16' else np.uint8)
    stored = Image.fromarray(grey)
    (stored if mode == 'I;16' else stored.convert(mode)).save(paths[1] / 'a.png')
    image, _ = CocoDataset(*paths)[0]
    assert image.shape == (20, 30, 3) and image.dtype == np.uint8


def save_turned(folder, stored_size):
    """An image whose EXIF orientation asks for a quarter turn; its stored top left is white."""
    pixels = np.zeros((*stored_size, 3), np.uint8)
    pixels[:5, :5] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(folder / 'a.png', exif=exif)


def test_a_image_of_the_stored_size_is_not_rotated(tmp_path):
    paths = write(tmp_path, content(annotation()))
    save_turned(paths[1], (20, 30))
    image, instances = CocoDataset(*paths)[0]
    assert image.shape[:2] == instances.image_size == (20, 30)
    assert image[2, 2].tolist() == [255, 255, 255]


def test_a_image_of_the_displayed_size_is_rotated(tmp_path):
    paths = write(tmp_path, content(annotation()))
    save_turned(paths[1], (30, 20))
    image, instances = CocoDataset(*paths)[0]
    assert image.shape[:2] == instances.image_size == (20, 30)
    assert image[2, 27].tolist() == [255, 255, 255]


def test_a_image_without_a_size_in_the_json_is_rotated_as_displayed(tmp_path):
    paths = write(tmp_path, content(images=[{'id': 7, 'file_name': 'a.png'}]))
    save_turned(paths[1], (30, 20))
    assert CocoDataset(*paths)[0][0].shape[:2] == (20, 30)


def test_a_file_of_another_size_is_named(tmp_path):
    dataset = CocoDataset(*write(tmp_path, content(annotation()), size=(21, 30)))
    with pytest.raises(DatasetError, match=r'a\.png has 21x30 pixels.*says 20x30'):
        dataset[0]


def test_a_missing_image_is_named(tmp_path):
    paths = write(tmp_path, content(annotation()))
    (paths[1] / 'a.png').unlink()
    with pytest.raises(ImageError, match=r'a\.png'):
        CocoDataset(*paths)[0]


BAD_FILES = {
    'empty': ('', 'is empty'),
    'not JSON': ('%PDF-1.4 hello', 'not valid JSON'),
    'truncated': ('{"images": [{"id": 1, "file_na', 'truncated'),
    'truncated list': ('{"images": [{"id": 1}, ', 'truncated'),
    'results': ('[{"image_id": 1}]', 'COCO results'),
    'another dict': ('{"a": 1}', 'no list "images"'),
    'a number': ('3', 'not a COCO annotation file'),
    'images no list': ('{"images": {}}', '"images" is not a list'),
    'no images': ('{"images": [], "annotations": [], "categories": []}', 'has no images'),
    'image without name': ('{"images": [{"id": 1}]}', 'file_name'),
    'double image': (json.dumps(content(images=[{'id': 1, 'file_name': 'a.png'}] * 2)), 'twice'),
    'double category': (json.dumps(content(categories=[{'id': 1, 'name': 'a'}] * 2)), 'twice'),
    'category without id': (json.dumps(content(categories=[{'name': 'a'}])), 'has no id'),
}


@pytest.mark.parametrize('name', BAD_FILES)
def test_a_bad_annotation_file_is_named_in_one_sentence(tmp_path, name):
    text, message = BAD_FILES[name]
    with pytest.raises(DatasetError, match=message) as caught:
        CocoDataset(*write(tmp_path, text))
    assert 'annotations.json' in str(caught.value) and '\n' not in str(caught.value)


def test_binary_data_is_not_json(tmp_path):
    path, images = write(tmp_path, '')
    path.write_bytes(b'\xff\xd8\xff\xe0\x00\x10JFIF')
    with pytest.raises(DatasetError, match='binary'):
        CocoDataset(path, images)


def test_a_missing_annotation_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r'no annotation file .*nothing\.json'):
        CocoDataset(tmp_path / 'nothing.json', tmp_path)


def test_a_folder_is_no_annotation_file(tmp_path):
    with pytest.raises(DatasetError, match='is a folder'):
        CocoDataset(tmp_path, tmp_path)


def test_a_missing_image_folder_is_named(tmp_path):
    path, _ = write(tmp_path, content(annotation()))
    with pytest.raises(DatasetError, match='no folder of images .*elsewhere'):
        CocoDataset(path, tmp_path / 'elsewhere')


def test_a_set_with_nothing_but_empty_images_cannot_skip_them_all(tmp_path):
    with pytest.raises(DatasetError, match='no images with objects'):
        dataset_of(tmp_path, annotation(iscrowd=1), skip_empty=True)


def test_keypoints_asked_for_and_absent(tmp_path):
    with pytest.raises(DatasetError, match='no category with keypoints'):
        dataset_of(tmp_path, annotation(), keypoints=True)


@pytest.mark.parametrize('fields, message', [
    ({'category_id': 4}, 'no category with the id 4'),
    ({'segmentation': None, 'bbox': None}, 'neither a segmentation nor a box'),
    ({'segmentation': [[1, 2, 3, 4, 5, 6, 7]]}, 'odd number'),
    ({'segmentation': [[1, 2, 3, 'x', 5, 6]]}, 'finite'),
    ({'segmentation': [[1, 2, 3, float('nan'), 5, 6]]}, 'finite'),
    ({'segmentation': [[1, 2, 3, 1e9, 5, 6]]}, 'far outside'),
    ({'segmentation': 'mask.png'}, 'neither polygons'),
    ({'segmentation': [1, 2, 3, 4, 5, 6]}, 'neither polygons'),
    ({'segmentation': {'size': [20, 30], 'counts': [5, 5]}}, 'covers 10 pixels'),
    ({'segmentation': {'size': [30, 20], 'counts': [600]}}, r'is for \[30, 20\]'),
    ({'segmentation': {'size': [20, 30], 'counts': '5'}}, 'covers 5 pixels'),
    ({'segmentation': {'size': [20, 30], 'counts': 'zzzz'}}, 'not a compressed'),
    ({'segmentation': {'size': [20, 30], 'counts': [-1, 601]}}, 'whole number'),
    ({'segmentation': {'counts': [600]}}, 'lacks its size'),
    ({'bbox': [1, 2, 3]}, 'four numbers'),
])
def test_an_annotation_without_meaning_is_named(tmp_path, fields, message):
    with pytest.raises(DatasetError, match=message) as caught:
        dataset_of(tmp_path, annotation(id=5, **fields))[0]
    assert 'Annotation 5' in str(caught.value)
