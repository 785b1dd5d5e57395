"""Every fault of a COCO file is found and called by its kind; a clean file has none."""

import copy

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import CocoDataset, coco_statistics, validate_coco
from chainer_seg.errors import DatasetError, UserError

from .coco_files import NO_SAMPLE, SAMPLE, annotation, content, write


def kinds(folder, value, **arguments):
    path, images = write(folder, value)
    return [problem.kind for problem in validate_coco(path, images, **arguments)]


def test_a_clean_file_has_no_problems(tmp_path):
    assert kinds(tmp_path, content(annotation())) == []


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=NO_SAMPLE)
@pytest.mark.parametrize('name', ['instances_val', 'person_keypoints_val'])
def test_real_annotations_have_no_problems(name):
    assert validate_coco(SAMPLE / 'annotations' / f'{name}.json', SAMPLE / 'val',
                         read_pixels=False) == []


NAN, INFINITE = float('nan'), float('inf')
ANNOTATION_FAULTS = [
    ({'image_id': 8}, 'dangling image id'),
    ({'category_id': 4}, 'dangling category id'),
    ({'image_id': None}, 'missing field'),
    ({'category_id': None}, 'missing field'),
    ({'id': None}, 'missing field'),
    ({'id': [1]}, 'id'),
    ({'segmentation': None, 'bbox': None}, 'missing field'),
    ({'segmentation': []}, 'empty segmentation'),
    ({'segmentation': [[]]}, 'empty polygon'),
    ({'segmentation': [[1, 2, 3, 4]]}, 'polygon'),
    ({'segmentation': [[1, 2, 3, 4, 5, 6, 7]]}, 'polygon'),
    ({'segmentation': [3, 4, 5, 6, 7, 8]}, 'segmentation'),
    ({'segmentation': [[1, 2, 3, NAN, 5, 6]]}, 'not a number'),
    ({'segmentation': [[1, 2, 3, 4, 50, 6]]}, 'outside the image'),
    ({'segmentation': 3}, 'segmentation'),
    ({'segmentation': {'size': [20, 30], 'counts': [5, 5]}}, 'run-length encoding'),
    ({'segmentation': {'size': [30, 20], 'counts': [600]}}, 'run-length encoding'),
    ({'segmentation': {'size': [20, 30], 'counts': 'zz'}}, 'run-length encoding'),
    ({'segmentation': {'size': [20, 30]}}, 'run-length encoding'),
    ({'bbox': [1, 2, 3]}, 'box'),
    ({'bbox': [1, 2, INFINITE, 4]}, 'not a number'),
    ({'bbox': [8, 9, -6, -6]}, 'negative size'),
    ({'bbox': [2, 3, 0, 6]}, 'empty box'),
    ({'bbox': [2, 3, 40, 6]}, 'outside the image'),
    ({'area': -1}, 'negative size'),
    ({'area': NAN}, 'not a number'),
    ({'area': 'big'}, 'not a number'),
    ({'iscrowd': 2}, 'iscrowd'),
    ({'keypoints': [1, 2, 2]}, 'keypoints'),
]


@pytest.mark.parametrize('fields, kind', ANNOTATION_FAULTS)
def test_a_fault_of_an_annotation_is_its_only_problem(tmp_path, fields, kind):
    assert kinds(tmp_path, content(annotation(**fields))) == [kind]


@pytest.mark.parametrize('keypoints, fields, expected', [
    ([4, 5, 2, 0, 0, 0], {'num_keypoints': 1}, []),
    ([4, 5, 2], {}, ['keypoints']),
    ([4, 5, 3, 0, 0, 0], {}, ['keypoints']),
    ([4, NAN, 2, 0, 0, 0], {}, ['not a number']),
    ([4, 5, 2, 0, 0, 0], {'num_keypoints': 2}, ['keypoints']),
])
def test_keypoints_are_checked_against_their_category(tmp_path, keypoints, fields, expected):
    people = [{'id': 3, 'name': 'person', 'keypoints': ['nose', 'tail']}]
    value = content(annotation(keypoints=keypoints, **fields), categories=people)
    assert kinds(tmp_path, value) == expected


@pytest.mark.parametrize('image, kind', [
    ({'id': 7, 'height': 20, 'width': 30}, 'missing field'),
    ({'id': 7, 'file_name': 'a.png', 'width': 30}, 'missing field'),
    ({'id': 7, 'file_name': 'a.png', 'height': 0, 'width': 30}, 'image size'),
    ({'id': 7, 'file_name': 'a.png', 'height': 21, 'width': 30}, 'size mismatch'),
    ({'id': 7, 'file_name': 'b.png', 'height': 20, 'width': 30}, 'missing file'),
])
def test_a_fault_of_an_image_is_its_only_problem(tmp_path, image, kind):
    assert kinds(tmp_path, content(annotation(), images=[image])) == [kind]


def test_duplicate_ids_are_found_in_all_three_lists(tmp_path):
    value = content(annotation(), annotation())
    value['images'].append({'id': 7, 'file_name': 'c.png', 'height': 20, 'width': 30})
    value['categories'].append({'id': 3, 'name': 'fish'})
    path, images = write(tmp_path, value)
    (images / 'c.png').write_bytes((images / 'a.png').read_bytes())
    problems = validate_coco(path, images)
    assert [(p.kind, p.where) for p in problems] == [
        ('duplicate id', 'image 7'), ('duplicate id', 'annotation 1'),
        ('duplicate id', 'category 3')]


def test_duplicate_names_and_files_are_found(tmp_path):
    value = content(annotation(), categories=[{'id': 3, 'name': 'a'}, {'id': 4, 'name': 'a'}])
    value['images'].append({**value['images'][0], 'id': 8})
    assert kinds(tmp_path, value) == ['duplicate name'] * 2 + ['duplicate file'] * 2


def test_a_category_without_a_name(tmp_path):
    assert kinds(tmp_path, content(annotation(), categories=[{'id': 3}])) == ['missing field']


def test_a_truncated_image_is_found_by_reading_its_pixels(tmp_path):
    value = content(annotation(), images=[
        {'id': 7, 'file_name': 'b.jpg', 'height': 20, 'width': 30}])
    path, images = write(tmp_path, value)
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(images / 'b.jpg')
    (images / 'b.jpg').write_bytes((images / 'b.jpg').read_bytes()[:1000])
    assert [p.kind for p in validate_coco(path, images)] == ['unreadable file']
    assert validate_coco(path, images, read_pixels=False) == []


def test_a_file_that_is_no_image(tmp_path):
    path, images = write(tmp_path, content(annotation()))
    (images / 'a.png').write_text('hello')
    for read_pixels in (True, False):
        problems = validate_coco(path, images, read_pixels=read_pixels)
        assert [p.kind for p in problems] == ['unreadable file']


def test_a_image_rotated_by_exif_may_have_either_size(tmp_path):
    path, images = write(tmp_path, content(annotation()))
    exif = Image.Exif()
    exif[0x0112] = 6
    for size in ((20, 30), (30, 20)):
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(images / 'a.png', exif=exif)
        assert validate_coco(path, images) == []


def test_an_empty_data_set_is_a_problem(tmp_path):
    assert kinds(tmp_path, {'images': [], 'categories': []}) == ['empty data set']


def test_without_a_folder_the_files_are_not_checked(tmp_path):
    path, images = write(tmp_path, content(annotation()))
    (images / 'a.png').unlink()
    assert validate_coco(path) == []


def test_all_problems_are_listed_and_name_their_place(tmp_path):
    value = content(annotation(category_id=4, bbox=[2, 3, -1, 6]), annotation(id=2, image_id=9))
    problems = validate_coco(*write(tmp_path, value))
    assert [p.where for p in problems] == ['annotation 1', 'annotation 1', 'annotation 2']
    assert str(problems[2]) == 'annotation 2: there is no image with the id 9; it is skipped'


def test_files_in_other_formats_than_coco_are_an_error(tmp_path):
    with pytest.raises(DatasetError, match='no list "images"'):
        kinds(tmp_path, {'a': 1})


def test_a_missing_folder_is_an_error(tmp_path):
    path, _ = write(tmp_path, content())
    with pytest.raises(DatasetError, match='no folder of images'):
        validate_coco(path, tmp_path / 'elsewhere')


def test_statistics_count_objects(tmp_path):
    path, _ = write(tmp_path, content(
        annotation(), annotation(id=2, area=5000), annotation(id=3, area=10000, category_id=90),
        annotation(id=4, iscrowd=1)))
    assert coco_statistics(path) == {
        'images': 1, 'images without objects': 0, 'objects': 3, 'crowds': 1, 'categories': 2,
        'objects per image': 3.0, 'small': 1, 'medium': 1, 'large': 1,
        'objects per category': {'dog': 2, 'cat': 1}}


def places(value, path=()):
    """The paths of all values in a tree of dicts and lists."""
    children = value.items() if isinstance(value, dict) else (
        enumerate(value) if isinstance(value, list) else ())
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


@pytest.mark.parametrize('wrong', [None, True, -1, INFINITE, 10**30, 'x', [], {}, [[]], [None]],
                         ids=repr)
def test_a_wrong_value_anywhere_is_no_crash(tmp_path, wrong):
    whole = content(
        annotation(keypoints=[1, 2, 2, 3, 4, 0], num_keypoints=1),
        annotation(id=2, segmentation={'size': [20, 30], 'counts': [43, 6, 551]}, iscrowd=1),
        categories=[{'id': 3, 'name': 'person', 'keypoints': ['nose', 'tail']}])
    for *parents, last in places(whole):
        broken = copy.deepcopy(whole)
        entry = broken
        for key in parents:
            entry = entry[key]
        entry[last] = wrong
        paths = write(tmp_path, broken)
        for use in (lambda paths: CocoDataset(*paths)[0], lambda paths: validate_coco(*paths),
                    lambda paths: coco_statistics(paths[0])):
            try:
                use(paths)
            except UserError as error:
                assert '\n' not in str(error)
