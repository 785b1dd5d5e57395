"""TFRecord files of the TensorFlow tool give what was put in; damage is told by file and record."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import (
    ObjectIndex,
    PackedDataset,
    ShapesDataset,
    TFRecordDataset,
    open_dataset,
    pack_dataset,
)
from chainer_seg.checksums import masked_crc32c
from chainer_seg.datasets.category_names import find_categories
from chainer_seg.datasets.tfrecord import with_shared_categories
from chainer_seg.datasets.tfrecord_files import find_shards, parse_example
from chainer_seg.errors import DatasetError, ImageError

from .record_files import checksum, crc32c, example, features_of, record

CATEGORY_IDS = list(range(3, 99, 2))


@pytest.fixture(scope='module')
def drawn():
    return ShapesDataset(5, size=(40, 56), objects=(2, 4), crowd_probability=0.5)


@pytest.fixture(scope='module')
def examples(drawn):
    return [features_of(*drawn[number], 100 + number, f'{number}.jpg', CATEGORY_IDS)
            for number in range(5)]


def write_shards(folder, examples, shards=2):
    """As the tool does it: record i goes to shard i modulo their number."""
    for shard in range(shards):
        (folder / f'coco_train.record-{shard:05d}-of-{shards:05d}').write_bytes(
            b''.join(record(example(**each)) for each in examples[shard::shards]))
    return folder / 'coco_train.record'


@pytest.fixture
def prefix(tmp_path, examples):
    return write_shards(tmp_path, examples)


def test_checksums_are_those_of_the_definition(rng):
    assert crc32c(b'123456789') == 0xE3069283  # the check value of the catalogue of CRCs
    for length in (0, 1, 8, 1000):
        data = rng.bytes(length)
        assert masked_crc32c(data).to_bytes(4, 'little') == checksum(data)


def test_an_example_is_parsed_by_its_types():
    parsed = parse_example(example(a=[b'x', b''], b__c=[1, 300, 2 ** 40], d=[0.5, -2.0], e=[]))
    assert parsed == {'a': [b'x', b''], 'b/c': [1, 300, 2 ** 40], 'd': [0.5, -2.0], 'e': []}


def test_all_objects_are_read(prefix, drawn):
    dataset = TFRecordDataset(prefix)
    assert dataset.ids == [100, 102, 104, 101, 103]  # shard by shard
    assert dataset.image_names[1] == '2.jpg'
    for number, image_id in enumerate(dataset.ids):
        image, expected = drawn[image_id - 100]
        found_image, found = dataset[number]
        file = io.BytesIO()
        Image.fromarray(image).save(file, 'JPEG')
        np.testing.assert_array_equal(found_image, np.asarray(Image.open(file)))
        np.testing.assert_array_equal(found.masks, expected.masks)
        np.testing.assert_allclose(found.bboxes, expected.bboxes, atol=1e-4)
        np.testing.assert_array_equal(found.crowds, expected.crowds)
        np.testing.assert_array_equal(found.areas, expected.masks.sum(axis=(1, 2)))
        assert ([found.name(i) for i in range(len(found))]
                == [expected.name(i) for i in range(len(expected))])


def test_classes_are_those_that_occur_in_the_order_of_their_ids(prefix, drawn):
    dataset = TFRecordDataset(prefix)
    labels = sorted({int(label) for _, instances in drawn for label in instances.labels})
    assert dataset.category_ids == [CATEGORY_IDS[label] for label in labels]
    assert dataset.class_names == tuple(drawn.class_names[label] for label in labels)


def test_other_categories_can_be_given(prefix, drawn):
    everything = dict(zip(CATEGORY_IDS, drawn.class_names))
    dataset = TFRecordDataset(prefix).with_categories(everything)
    assert dataset.class_names == drawn.class_names
    assert dataset[0][1].labels.tolist() == drawn[0][1].labels.tolist()
    with pytest.raises(DatasetError, match='which are not among'):
        dataset.with_categories({1: 'dog'})


@pytest.mark.parametrize('pattern', ['coco_train.record', 'coco_train.record-*', 'coco_*.record-*'])
def test_shards_are_found_by_pattern_or_beginning(prefix, pattern):
    assert len(TFRecordDataset(prefix.parent / pattern)) == 5


def test_a_single_file_is_enough(prefix):
    assert TFRecordDataset(f'{prefix}-00001-of-00002').ids == [101, 103]


def test_records_without_masks_give_the_pixels_of_the_boxes(tmp_path, examples, drawn):
    bare = {name: values for name, values in examples[0].items() if 'mask' not in name}
    _, found = TFRecordDataset(write_shards(tmp_path, [bare], 1))[0]
    for mask, (top, left, bottom, right) in zip(found.masks, drawn[0][1].bboxes.astype(int)):
        assert mask[top:bottom, left:right].all()
        assert mask.sum() == pytest.approx((bottom - top) * (right - left), abs=200)


def test_names_of_tensorflows_detection_models_are_read(tmp_path, examples):
    renamed = {name.replace('label_text', 'text').replace('label_id', 'label'): values
               for name, values in examples[0].items()}
    found = TFRecordDataset(write_shards(tmp_path, [renamed], 1))
    assert found.category_ids == sorted(set(examples[0]['image__object__class__label_id']))


def test_an_image_without_objects_is_kept_or_skipped(tmp_path, examples):
    none = {name: values if 'object' not in name else [] for name, values in examples[0].items()}
    prefix = write_shards(tmp_path, [none, examples[1]], 1)
    assert [len(instances) for _, instances in TFRecordDataset(prefix)] == [
        0, len(examples[1]['image__object__is_crowd'])]
    assert TFRecordDataset(prefix, skip_empty=True).ids == [101]


def test_it_is_indexed_packed_opened_and_sent_to_other_processes(prefix, tmp_path):
    dataset = open_dataset(prefix)
    assert isinstance(dataset, TFRecordDataset)
    packed = PackedDataset(pack_dataset(dataset, tmp_path / 'a.packed'))
    sent = pickle.loads(pickle.dumps(dataset))
    for number in range(5):
        np.testing.assert_array_equal(packed[number][0], dataset[number][0])
        np.testing.assert_array_equal(packed[number][1].masks, sent[number][1].masks)
    np.testing.assert_array_equal(ObjectIndex(dataset).labels, ObjectIndex(packed).labels)


# What goes wrong

def test_a_damaged_record_is_named(prefix):
    path = prefix.parent / 'coco_train.record-00001-of-00002'
    data = bytearray(path.read_bytes())
    data[-500] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match='Record 1 of .*00001-of-00002 is damaged: the checksum of its d'):
        TFRecordDataset(prefix)


def test_a_damaged_length_is_named(prefix):
    path = prefix.parent / 'coco_train.record-00000-of-00002'
    data = bytearray(path.read_bytes())
    data[1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match='Record 0 .* is damaged: the checksum of its length'):
        TFRecordDataset(prefix)


@pytest.mark.parametrize('left', [-1, -4, -100, 5])
def test_a_file_truncated_is_named(tmp_path, examples, left):
    path = tmp_path / 'one.record'
    path.write_bytes(record(example(**examples[0])) + record(example(**examples[1]))[:left])
    with pytest.raises(DatasetError, match='Record 1 .*one.record is truncated'):
        TFRecordDataset(path)


def test_damage_after_opening_is_reported(prefix):
    dataset = TFRecordDataset(prefix)
    path = prefix.parent / 'coco_train.record-00000-of-00002'
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match='The record at byte 0 .*00000-of-00002 is damaged'):
        dataset[0]


def test_a_file_of_other_content_is_reported(tmp_path):
    (tmp_path / 'a.record').write_bytes(b'\x89PNG and so on, longer than a record')
    with pytest.raises(DatasetError, match='Record 0 .* is damaged'):
        TFRecordDataset(tmp_path / 'a.record')
    (tmp_path / 'a.record').write_bytes(b'')
    with pytest.raises(DatasetError, match='contain no records'):
        TFRecordDataset(tmp_path / 'a.record')


@pytest.mark.parametrize('change, sentence', [
    ({'image__encoded': None}, 'Record 0 .* cannot be used: it has no image/encoded'),
    ({'image__height': None}, 'it has no image/height'),
    ({'image__object__bbox__xmin': [0.5]}, 'image/object/bbox/xmin has 1 values for')])
def test_missing_features_are_named(tmp_path, examples, change, sentence):
    prefix = write_shards(tmp_path, [{**examples[0], **change}], 1)
    with pytest.raises(DatasetError, match=sentence):
        TFRecordDataset(prefix)


def test_a_record_of_something_else_is_named(tmp_path):
    (tmp_path / 'a.record').write_bytes(record(b'\xff\xff no example'))
    with pytest.raises(DatasetError, match='Record 0 .* cannot be used: it is not a tf.train.Example'):
        TFRecordDataset(tmp_path / 'a.record')


@pytest.mark.parametrize('masks, sentence', [
    ([b'no image'], 'there are 1 for'), (None, 'one is not a PNG file')])
def test_masks_that_do_not_fit_are_reported(tmp_path, examples, masks, sentence):
    masks = masks or [b'no image'] * len(examples[0]['image__object__mask'])
    prefix = write_shards(tmp_path, [{**examples[0], 'image__object__mask': masks}], 1)
    with pytest.raises(DatasetError, match=f'masks of 0.jpg .* cannot be used: {sentence}'):
        TFRecordDataset(prefix).read_instances(0)


def test_an_image_of_another_size_is_reported(tmp_path, examples):
    prefix = write_shards(tmp_path, [{**examples[0], 'image__height': [41]}], 1)
    with pytest.raises(DatasetError, match='has 40x56 pixels, but its record says 41x56'):
        TFRecordDataset(prefix).read_image(0)


def test_an_image_of_other_content_is_reported(tmp_path, examples):
    prefix = write_shards(tmp_path, [{**examples[0], 'image__encoded': [b'no image']}], 1)
    with pytest.raises(ImageError, match='0.jpg cannot be read'):
        TFRecordDataset(prefix).read_image(0)


def test_missing_shards_are_reported(prefix):
    (prefix.parent / 'coco_train.record-00000-of-00002').unlink()
    with pytest.raises(DatasetError, match='Only 1 of the 2 TFRecord files .*coco_train.record-'):
        find_shards(prefix)
    with pytest.raises(DatasetError, match='There are no TFRecord files .*nothing'):
        find_shards(prefix.parent / 'nothing')


@pytest.mark.parametrize('change', [
    {'image__height': [0]}, {'image__height': [10 ** 6]}, {'image__width': [b'56']},
    {'image__width': [float('inf')]}, {'image__height': [40.5]}, {'image__encoded': [3]},
    {'image__filename': [3]}, {'image__source_id': [0.5]}, {'image__object__class__label_id': [b'x']},
    {'image__object__class__label_text': [3]}, {'image__object__area': [float('nan')]},
    {'image__object__bbox__xmin': [1e30]}, {'image__object__is_crowd': [b'0']}])
def test_features_of_another_kind_are_one_sentence(tmp_path, examples, change):
    count = len(examples[0]['image__object__area'])
    one = {**examples[0], **{name: values * (count if 'object' in name else 1)
                             for name, values in change.items()}}
    with pytest.raises(DatasetError, match='Record 0 .* cannot be used'):
        TFRecordDataset(write_shards(tmp_path, [one], shards=1))


def test_masks_that_would_fill_the_memory_are_rejected(tmp_path, examples):
    huge = {**examples[0], 'image__height': [50_000], 'image__width': [50_000]}
    dataset = TFRecordDataset(write_shards(tmp_path, [huge], shards=1))
    with pytest.raises(DatasetError, match='masks of 50000x50000 pixels exceed the limit'):
        dataset.read_instances(0)


@pytest.fixture
def parts(tmp_path, drawn):
    """Two data sets of the same categories, of which one image each occurs, and the second without names."""
    found = []
    for number in range(2):
        features = features_of(*drawn[number], 100 + number, f'{number}.jpg', CATEGORY_IDS)
        if number:
            del features['image__object__class__label_text']
        path = tmp_path / f'{number}.record'
        path.write_bytes(record(example(**features)))
        found.append(TFRecordDataset(path))
    return found


def test_parts_share_all_categories_that_occur_with_the_names_that_one_has(parts):
    first, second = parts
    shared = with_shared_categories(parts)
    assert first.category_ids != second.category_ids
    for dataset, before in zip(shared, parts):
        assert dataset.category_ids == sorted({*first.category_ids, *second.category_ids})
        names = dict(zip(dataset.category_ids, dataset.class_names))
        for number in first.category_ids:
            assert names[number] == first.categories[number]
        ids = [dataset.category_ids[label] for label in dataset.read_boxes(0)[0]]
        assert ids == [before.category_ids[label] for label in before.read_boxes(0)[0]]


def test_parts_that_name_a_category_differently_are_refused(parts):
    first, _ = parts
    number = first.category_ids[0]
    other = first.with_categories({**first.categories, number: 'something else'})
    with pytest.raises(DatasetError, match=f'calls the category {number} .something else., which is'):
        with_shared_categories([first, other])


def test_categories_are_named_as_coco_or_pascal_does_or_as_a_file(tmp_path):
    assert find_categories('coco')[90] == 'toothbrush' and len(find_categories('coco')) == 80
    assert find_categories('pascal')[20] == 'tvmonitor'
    path = tmp_path / 'names.json'
    path.write_text('{"images": [], "categories": [{"id": 7, "name": "cup"}]}')
    assert find_categories(path) == {7: 'cup'}
    path.write_text('{"images": [], "categories": [{"id": 7}]}')
    with pytest.raises(DatasetError, match='does not name every category'):
        find_categories(path)
