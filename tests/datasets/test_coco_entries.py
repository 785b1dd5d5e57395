"""Ids, sizes and fields as other programs write them: one meaning, or refused; the check lists both."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import CocoDataset, coco_statistics, validate_coco
from chainer_seg.datasets.coco_json import Ids, as_id, as_number
from chainer_seg.errors import DatasetError, UserError

from .coco_files import annotation, content, write


def objects(folder, value):
    """The labels of all objects that the data set reads, image by image."""
    dataset = CocoDataset(*write(folder, value))
    return [dataset.read_instances(number).labels.tolist() for number in range(len(dataset))]


def problems(folder, value):
    """(kind, fatal) of all that the check lists."""
    return [(problem.kind, problem.fatal) for problem in validate_coco(*write(folder, value))]


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def two_images(first, second):
    """One object in each of two images, with these image ids; the second image has no file."""
    return content(annotation(id=1, image_id=first[1]), annotation(id=2, image_id=second[1]), images=[
        {'id': first[0], 'file_name': 'a.png', 'height': 20, 'width': 30},
        {'id': second[0], 'file_name': 'b.png', 'height': 20, 'width': 30}])


@pytest.mark.parametrize('ids', [(3.0, 3), (3, 3.0), (3.0, 3.0)])
def test_a_whole_number_written_as_a_float_is_that_id(tmp_path, caplog, ids):
    value = two_images(ids, (4, 4))
    path, images = write(tmp_path, value)
    (images / 'b.png').write_bytes((images / 'a.png').read_bytes())
    dataset = CocoDataset(path, images)
    assert [len(dataset[number][1]) for number in range(2)] == [1, 1]
    assert [type(each) for each in dataset.ids] == [int, int]
    assert validate_coco(path, images) == [] and warnings(caplog) == []


@pytest.mark.parametrize('ids', [('3', 3), (3, '3'), ('3', 3.0), (3, '3.0'), ('003', 3)])
def test_a_text_id_is_matched_with_its_number_and_reported_once(tmp_path, caplog, ids):
    assert objects(tmp_path, two_images(ids, (4, 4))) == [[0], [0]]
    [warning] = warnings(caplog)
    assert 'annotation 1: its image_id' in warning and ' text' in warning
    assert ('text id', False) in problems(tmp_path, two_images(ids, (4, 4)))


def test_many_text_ids_are_one_warning_with_their_number(tmp_path, caplog):
    entries = [annotation(id=number, image_id='7') for number in range(1, 6)]
    assert objects(tmp_path, content(*entries)) == [[0] * 5]
    [warning] = warnings(caplog)
    assert "annotation 1: its image_id '7' is text; it is read as 7 (5 entries with this problem" in warning


def test_text_ids_that_are_the_same_in_both_lists_are_kept(tmp_path, caplog):
    value = content(annotation(image_id='frame-a'), images=[
        {'id': 'frame-a', 'file_name': 'a.png', 'height': 20, 'width': 30}])
    assert objects(tmp_path, value) == [[0]] and warnings(caplog) == []


def test_text_that_is_no_image_id_is_rejected(tmp_path):
    with pytest.raises(DatasetError, match="there is no image with the id 'seven'"):
        objects(tmp_path, content(annotation(), annotation(id=2, image_id='seven')))


def test_two_text_ids_of_one_number_are_not_guessed_between():
    ids = Ids(['3', '03', 4])
    assert ids.find('3') == '3' and ids.find('03') == '03' and ids.find(3) is None and ids.find('4') == 4


@pytest.mark.parametrize('value, number', [
    (3, 3), (3.0, 3), ('3', 3), (' 3 ', 3), ('3.0', 3), ('-3', -3), (3.5, None), ('3.5', None),
    ('x', None), ('', None), (True, None), (None, None), ([], None), (float('nan'), None),
    (2**53, 2**53), (float(2**54), None), (2**63, None), ('٣', None)])
def test_what_number_a_value_says(value, number):
    assert as_number(value) == number


def test_ids_of_the_two_lists_may_be_read_alone():
    assert as_id(3.0) == 3 and as_id('3') == '3' and as_id(False) is None and as_id(1e300) is None


@pytest.mark.parametrize('wrong', [None, 'absent', 3.5, True, [7], {}, float('nan'), float('inf')])
@pytest.mark.parametrize('field', ['image_id', 'category_id'])
def test_an_annotation_of_no_image_or_category_is_rejected_and_listed(tmp_path, field, wrong):
    broken = annotation(id=2)
    broken[field] = wrong
    if wrong == 'absent':
        del broken[field]
    value = content(annotation(), broken)
    with pytest.raises(DatasetError, match=f'Annotation 2 of .*{field}|Annotation 2 of .* no .* with'):
        objects(tmp_path, value)
    assert [fatal for _, fatal in problems(tmp_path, value)] == [True]


def test_annotations_of_missing_images_are_counted_with_an_example(tmp_path, caplog):
    lost = [annotation(id=number, image_id=99) for number in range(2, 5)]
    assert objects(tmp_path, content(annotation(), *lost)) == [[0]]
    [warning] = warnings(caplog)
    assert ('annotation 2: there is no image with the id 99; it is skipped '
            '(3 entries with this problem') in warning
    assert problems(tmp_path, content(annotation(), *lost)) == [('dangling image id', False)] * 3


def test_a_file_whose_annotations_all_belong_to_no_image_is_rejected(tmp_path):
    with pytest.raises(DatasetError, match='no image with the id 99'):
        objects(tmp_path, content(annotation(image_id=99)))


def test_category_ids_written_as_floats_are_numbers(tmp_path, caplog):
    value = content(annotation(category_id=90.0), categories=[
        {'id': 90, 'name': 'cat'}, {'id': 3.0, 'name': 'dog'}])
    path, images = write(tmp_path, value)
    dataset = CocoDataset(path, images)
    assert dataset.category_ids == [3, 90] and dataset[0][1].labels.tolist() == [1]
    assert all(type(each) is int for each in dataset.category_ids)
    assert warnings(caplog) == [] and validate_coco(path, images) == []


@pytest.mark.parametrize('listed, used', [(['3', '90'], '90'), ([3, 90], '90'), (['3', '90'], 90)])
def test_category_ids_as_text_are_reported_and_listed(tmp_path, caplog, listed, used):
    value = content(annotation(category_id=used), categories=[
        {'id': each, 'name': f'n{each}'} for each in listed])
    assert objects(tmp_path, value) == [[1]]
    assert warnings(caplog) and all('text' in each for each in warnings(caplog))
    assert set(problems(tmp_path, value)) == {('text id', False)}


@pytest.mark.parametrize('identity', ['cat', 3.5, None, True, [3]])
def test_a_category_id_that_is_no_number_is_rejected_and_listed(tmp_path, identity):
    value = content(categories=[{'id': identity, 'name': 'cat'}])
    with pytest.raises(DatasetError, match='Category'):
        objects(tmp_path, value)
    assert (True in [fatal for _, fatal in problems(tmp_path, value)])


def test_category_ids_that_become_the_same_are_rejected(tmp_path):
    with pytest.raises(DatasetError, match='the id 3 occurs twice'):
        objects(tmp_path, content(categories=[{'id': 3, 'name': 'a'}, {'id': '3', 'name': 'b'}]))


def test_category_names_that_occur_twice_are_reported(tmp_path, caplog):
    value = content(annotation(), categories=[{'id': 3, 'name': 'a'}, {'id': 4, 'name': 'a'}])
    assert objects(tmp_path, value) == [[0]]
    assert len(warnings(caplog)) == 1 and "the name 'a' occurs twice" in warnings(caplog)[0]


def test_annotation_ids_that_occur_twice_are_reported_and_all_are_read(tmp_path, caplog):
    assert objects(tmp_path, content(annotation(), annotation())) == [[0, 0]]
    assert 'the id 1 occurs twice' in warnings(caplog)[0]


@pytest.mark.parametrize('crowd, read', [
    (0, False), (1, True), (0.0, False), (1.0, True), (False, False), (True, True), ('0', False),
    ('1', True), ('false', False), ('True', True)])
def test_iscrowd_in_its_ways_of_writing(tmp_path, crowd, read):
    value = content(annotation(iscrowd=crowd), annotation(id=2))
    dataset = CocoDataset(*write(tmp_path, value))
    assert dataset[0][1].crowds.tolist() == [read, False]
    assert dataset.read_boxes(0)[3].tolist() == [read, False]
    assert coco_statistics(dataset.path)['crowds'] == read


@pytest.mark.parametrize('crowd', ['no', 2, -1, 0.5, [], [0], {}, '', float('nan')])
def test_another_iscrowd_is_rejected_and_listed(tmp_path, crowd):
    value = content(annotation(iscrowd=crowd))
    with pytest.raises(DatasetError, match='neither 0 nor 1'):
        objects(tmp_path, value)
    assert problems(tmp_path, value) == [('iscrowd', True)]


@pytest.mark.parametrize('area', [-5, float('nan'), float('inf'), 1e300, 'big', [], True])
def test_an_area_that_cannot_be_is_reported_and_that_of_the_mask_is_taken(tmp_path, caplog, area):
    dataset = CocoDataset(*write(tmp_path, content(annotation(area=area))))
    assert dataset[0][1].areas.tolist() == [36] and dataset.read_boxes(0)[2].tolist() == [36]
    assert len(warnings(caplog)) == 1 and 'of its mask is used' in warnings(caplog)[0]


@pytest.mark.parametrize('box', [
    [1, 2, 3], [1, 2, 3, 4, 5], [], 'x', 3, [1, 2, 3, '4'], [1, 2, 3, None], [1, 2, 3, float('nan')],
    [1, 2, 3, float('inf')], [1, 2, 3, 1e300], [1, 2, 3, 10**400],
    [8, 9, -6, 6], [8, 9, 6, -6], {'x': 1}, [[1, 2, 3, 4]], [1, 2, 3, True]])
def test_a_box_without_meaning_is_rejected_and_listed(tmp_path, box):
    value = content(annotation(bbox=box))
    with pytest.raises(DatasetError, match='Annotation 1 of .* its box'):
        objects(tmp_path, value)
    assert [fatal for _, fatal in problems(tmp_path, value)] == [True]


def image(**fields):
    return {'id': 7, 'file_name': 'a.png', 'height': 20, 'width': 30, **fields}


@pytest.mark.parametrize('sides', [{'height': 20.0}, {'width': 30.0}, {'height': 20.0, 'width': 30.0}])
def test_sizes_written_as_floats_are_sizes(tmp_path, caplog, sides):
    value = content(annotation(), images=[image(**sides)])
    path, images = write(tmp_path, value)
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:5, :5] = 255
    Image.fromarray(pixels).save(images / 'a.png', exif=exif)
    read, instances = CocoDataset(path, images)[0]
    assert read.shape[:2] == instances.image_size == (20, 30) and read[2, 2].tolist() == [255] * 3
    assert warnings(caplog) == [] and validate_coco(path, images) == []


def test_sizes_as_text_are_reported(tmp_path, caplog):
    value = content(annotation(), images=[image(height='20', width='30')])
    assert CocoDataset(*write(tmp_path, value)).image_size(0) == (20, 30)
    assert len(warnings(caplog)) == 1 and "its height '20' is text" in warnings(caplog)[0]
    assert problems(tmp_path, value) == [('image size', False)] * 2


@pytest.mark.parametrize('side', [0, -20, 20.5, 'tall', [], True, float('nan'), float('inf'), '-20'])
@pytest.mark.parametrize('field', ['height', 'width'])
def test_a_size_that_cannot_be_is_rejected_and_listed(tmp_path, field, side):
    value = content(annotation(), images=[image(**{field: side})])
    with pytest.raises(DatasetError, match=f'Image 7 of .* its {field}'):
        objects(tmp_path, value)
    assert problems(tmp_path, value) == [('image size', True)]


@pytest.mark.parametrize('height, width', [(50_000, 50_000), (2**31, 1), (10**30, 1), (2**16, 2**16)])
def test_a_huge_size_is_rejected_and_listed(tmp_path, height, width):
    value = content(annotation(), images=[image(height=height, width=width)])
    with pytest.raises(DatasetError, match='megapixels|not a whole number'):
        objects(tmp_path, value)
    path, images = write(tmp_path, value)
    for folder in (images, None):
        assert ('image size', True) in [(each.kind, each.fatal) for each in validate_coco(path, folder)]


@pytest.mark.parametrize('fields', [{'height': None}, {'width': None}, {'height': None, 'width': None}])
def test_a_missing_size_is_reported_and_read_from_the_file(tmp_path, caplog, fields):
    value = content(annotation(), images=[image(**fields)])
    assert CocoDataset(*write(tmp_path, value))[0][1].image_size == (20, 30)
    assert len(warnings(caplog)) == 1 and 'its size is read from the file' in warnings(caplog)[0]


def test_swapped_height_and_width_are_named(tmp_path):
    value = content(images=[image(height=30, width=20)])
    with pytest.raises(DatasetError, match='says 30x20: height and width are swapped'):
        CocoDataset(*write(tmp_path, value))[0]
    [problem] = validate_coco(*write(tmp_path, value))
    assert problem.kind == 'size mismatch' and 'swapped' in problem.sentence and problem.fatal


def test_a_file_of_nothing_but_crowds_says_how_to_proceed(tmp_path, caplog):
    value = content(annotation(iscrowd=1), annotation(id=2, iscrowd='1'))
    assert ('all crowds', False) in problems(tmp_path, value)
    objects(tmp_path, value)
    assert any('set iscrowd to 0' in each for each in warnings(caplog))
    with pytest.raises(DatasetError, match='all 2 annotations are crowds .* set iscrowd to 0'):
        CocoDataset(*write(tmp_path, value), skip_empty=True)


def test_null_is_as_if_the_field_were_not_there(tmp_path, caplog):
    nothing = dict.fromkeys(('iscrowd', 'area', 'bbox', 'keypoints'))
    value = content({**annotation(), **nothing})
    [labels] = objects(tmp_path, value)
    assert labels == [0] and warnings(caplog) == [] and problems(tmp_path, value) == []


def test_text_in_another_encoding_is_named(tmp_path):
    path, images = write(tmp_path, content(annotation()))
    path.write_bytes(json.dumps(content(categories=[{'id': 3, 'name': '狗'}]),
                                ensure_ascii=False).encode('gbk'))
    for use in (lambda: CocoDataset(path, images), lambda: validate_coco(path, images)):
        with pytest.raises(DatasetError, match='is not UTF-8'):
            use()


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16'])
def test_byte_order_marks_are_read(tmp_path, encoding):
    path, images = write(tmp_path, content(annotation()))
    path.write_text(json.dumps(content(annotation())), encoding=encoding)
    assert len(CocoDataset(path, images)[0][1]) == 1


def test_what_the_reader_rejects_the_check_lists(tmp_path, rng):
    values = [None, True, 0, -1, 3, 3.0, 3.5, 7, 7.0, '7', '3', 'x', '', [], {}, [7], float('nan'),
              10**30, [[1, 2, 3, 4, 5, 6]], [1, 2, 3, 4], [2, 3, 6, 6], [[]],
              {'size': [20, 30], 'counts': [600]}, {'size': [20, 30], 'counts': [5]},
              [[2, 3], [8, 3], [8, 9]], [[2, 3, 8, 3, 8]], 'a.png']
    for _ in range(400):
        value = content(annotation(), annotation(id=2))
        for _ in range(rng.integers(1, 3)):
            entries = value[('images', 'annotations', 'categories')[rng.integers(3)]]
            entry = entries[rng.integers(len(entries))]
            entry[list(entry)[rng.integers(len(entry))]] = values[rng.integers(len(values))]
        paths = write(tmp_path, value)
        try:
            CocoDataset(*paths)[0]
        except UserError as error:
            listed = validate_coco(*paths)
            assert any(problem.fatal for problem in listed), (str(error), value)
        else:
            assert not any(problem.fatal for problem in validate_coco(*paths)), value


IDS = {'float': float, 'text': str, 'half float': lambda each: float(each) if each % 2 else each,
       'half text': lambda each: str(each) if each % 2 else each}


@pytest.mark.parametrize('side', ['images', 'annotations'])
@pytest.mark.parametrize('name', IDS)
def test_no_object_of_a_synthetic_set_is_lost_by_how_ids_are_written(shared_cases, tmp_path, side, name):
    folder = shared_cases / 'lost-annotations'
    value = json.loads((folder / 'annotations.json').read_text())
    field = 'id' if side == 'images' else 'image_id'
    for entry in value[side]:
        entry[field] = IDS[name](entry[field])
    path = tmp_path / 'ids.json'
    path.write_text(json.dumps(value))
    dataset = CocoDataset(path, folder / 'images')
    # pycocotools finds 25 in the file as it was.
    assert sum(len(dataset.read_instances(number)) for number in range(len(dataset))) == 25


def test_a_crafted_size_is_one_sentence_in_the_reader_and_in_the_check(shared_cases, tmp_path):
    path = shared_cases / 'attacks' / 'coco_huge_size.json'
    with pytest.raises(DatasetError, match=r'Image 1 of .*\[50000, 50000\] exceeds the maximum of 400 mega'):
        CocoDataset(path, tmp_path)
    assert ('image size', True) in [(each.kind, each.fatal) for each in validate_coco(path)]
