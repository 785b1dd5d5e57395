"""A packed data set gives what was packed, to any number of processes, and tells what is damaged."""

import io
import json
import multiprocessing
import pickle
import resource
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import (
    CocoDataset,
    ObjectIndex,
    PackedDataset,
    ShapesDataset,
    open_dataset,
    pack_dataset,
)
from chainer_seg.errors import DatasetError, DiskFullError, ImageError
from chainer_seg.instances import Instances

from .coco_files import NO_SAMPLE, SAMPLE, annotation, content, write

needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=NO_SAMPLE)


def assert_same_examples(packed, original):
    assert len(packed) == len(original) and packed.class_names == original.class_names
    for number in range(len(original)):
        (image, found), (expected_image, expected) = packed[number], original[number]
        np.testing.assert_array_equal(image, expected_image)
        np.testing.assert_array_equal(found.masks, expected.masks)
        assert found.masks.flags.c_contiguous and found.class_names == expected.class_names
        for name in ('bboxes', 'labels', 'scores', 'crowds'):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
        if expected.areas is not None:
            np.testing.assert_array_equal(found.areas, expected.areas)
        assert (found.keypoints is None) == (expected.keypoints is None)
        if found.keypoints is not None:
            np.testing.assert_array_equal(found.keypoints, expected.keypoints)


@pytest.fixture
def shapes(tmp_path):
    """Six synthetic images and their packed file; some have a crowd."""
    drawn = ShapesDataset(6, size=(48, 64), crowd_probability=0.5)
    return drawn, pack_dataset(drawn, tmp_path / 'shapes.packed')


@needs_sample
@pytest.mark.parametrize('name', ['instances_val', 'person_keypoints_val'])
def test_real_images_are_the_same_packed(name, tmp_path):
    original = CocoDataset(SAMPLE / 'annotations' / f'{name}.json', SAMPLE / 'val').part(range(8))
    packed = PackedDataset(pack_dataset(original, tmp_path / 'val.packed'))
    assert_same_examples(packed, original)
    assert packed.ids == original.ids and packed.image_names == original.image_names
    assert packed.category_ids == original.category_ids


@needs_sample
def test_image_files_are_stored_as_they_are(tmp_path):
    original = CocoDataset(SAMPLE / 'annotations' / 'instances_val.json', SAMPLE / 'val')
    packed = PackedDataset(pack_dataset(original.part([3]), tmp_path / 'val.packed'))
    data, _ = packed.read_file(0)
    assert data == (SAMPLE / 'val' / original.image_names[3]).read_bytes()


def test_synthetic_images_with_crowds_are_the_same_packed(shapes):
    drawn, path = shapes
    assert_same_examples(PackedDataset(path), drawn)


@pytest.mark.parametrize('size, shape', [((20, 30), (20, 30)), ((30, 20), (30, 20))])
def test_turned_images_are_turned_as_their_annotations_are(tmp_path, size, shape):
    path, images = write(tmp_path, content(images=[
        {'id': 7, 'file_name': 'a.jpg', 'height': size[0], 'width': size[1]}]))
    turned = Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30))
    exif = turned.getexif()
    exif[0x0112] = 6  # turned by a quarter
    turned.save(images / 'a.jpg', exif=exif)
    original = CocoDataset(path, images)
    packed = PackedDataset(pack_dataset(original, tmp_path / 'a.packed'))
    image, instances = packed[0]
    assert image.shape[:2] == shape == instances.image_size
    np.testing.assert_array_equal(image, original[0][0])


def test_category_ids_and_names_are_kept(tmp_path):
    original = CocoDataset(*write(tmp_path, content(annotation(category_id=90))))
    packed = PackedDataset(pack_dataset(original, tmp_path / 'a.packed', source='mine'))
    assert packed.category_ids == [3, 90] and packed.class_names == ('dog', 'cat')
    assert packed[0][1].labels.tolist() == [1] and packed.source == 'mine'


def test_missing_areas_are_those_of_the_masks(shapes):
    _, path = shapes
    for _, instances in PackedDataset(path):
        np.testing.assert_array_equal(instances.areas, instances.masks.sum(axis=(1, 2)))


def test_images_without_objects_are_kept_or_skipped(tmp_path):
    crowd = Instances(np.ones((1, 8, 8), bool), crowds=[True])
    single = Instances(np.ones((1, 8, 8), bool))
    image = np.zeros((8, 8, 3), np.uint8)

    class Few(list):
        class_names = ('thing',)

    few = Few((image, each) for each in (Instances.empty(8, 8), single, crowd, Instances.empty(8, 8)))
    path = pack_dataset(few, tmp_path / 'few.packed')
    assert [len(instances) for _, instances in PackedDataset(path)] == [0, 1, 1, 0]
    filled = PackedDataset(path, skip_empty=True)
    assert filled.ids == [1] and len(filled[0][1]) == 1
    with pytest.raises(DatasetError, match='no images with objects'):
        PackedDataset(pack_dataset(Few(few[2:]), tmp_path / 'none.packed'), skip_empty=True)


def test_keypoints_can_be_omitted_but_not_invented(tmp_path, shapes):
    points = np.arange(6, dtype=np.float32).reshape(1, 2, 3)

    class One(list):
        class_names = ('thing',)

    one = One([(np.zeros((8, 8, 3), np.uint8), Instances(np.ones((1, 8, 8), bool), keypoints=points))])
    path = pack_dataset(one, tmp_path / 'one.packed')
    np.testing.assert_array_equal(PackedDataset(path)[0][1].keypoints, points)
    assert PackedDataset(path, keypoints=False)[0][1].keypoints is None
    with pytest.raises(DatasetError, match='has no keypoints'):
        PackedDataset(shapes[1], keypoints=True)


def test_a_part_has_the_chosen_images_alone(shapes):
    packed = PackedDataset(shapes[1])
    part = packed.part([4, 1])
    assert part.ids == [4, 1] and len(packed) == 6
    np.testing.assert_array_equal(part[1][0], packed[1][0])
    np.testing.assert_array_equal(part.part([0])[0][1].masks, packed[4][1].masks)


def test_numbers_out_of_range_are_reported(shapes):
    with pytest.raises(IndexError):
        PackedDataset(shapes[1])[6]


def test_the_object_index_needs_no_image(shapes):
    drawn, path = shapes
    found, expected = ObjectIndex(PackedDataset(path)), ObjectIndex(drawn)
    for name in ('image_numbers', 'places', 'labels', 'bboxes', 'areas', 'crowds'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


def test_it_travels_to_other_processes(shapes):
    drawn, path = shapes
    packed = pickle.loads(pickle.dumps(PackedDataset(path).part([5, 2])))
    np.testing.assert_array_equal(packed[0][0], drawn[5][0])
    whole = PackedDataset(path)
    with multiprocessing.get_context('fork').Pool(2) as pool:
        sums = pool.map(sum_of_image, [(whole, number) for number in range(6)], chunksize=1)
    assert sums == [int(image.sum()) for image, _ in drawn]


def sum_of_image(task):
    dataset, number = task
    return int(dataset[number][0].sum())


def test_any_zip_program_opens_the_file(shapes):
    drawn, path = shapes
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        with Image.open(io.BytesIO(archive.read('images/00000002'))) as image:
            np.testing.assert_array_equal(np.asarray(image), drawn[2][0])


def test_packed_files_are_opened_as_data_sets_are(shapes, tmp_path):
    assert isinstance(open_dataset(shapes[1]), PackedDataset)
    assert isinstance(open_dataset(*write(tmp_path, content(annotation()))), CocoDataset)
    with pytest.raises(DatasetError, match='needs its folder of images'):
        open_dataset(tmp_path / 'annotations.json')


# What goes wrong

def damaged(path, place, tmp_path):
    """A copy of the file with one byte turned over."""
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    copy = tmp_path / 'damaged.packed'
    copy.write_bytes(data)
    return copy


def place_of(path, name, offset=0):
    """Where the bytes of an entry begin in the file."""
    with zipfile.ZipFile(path) as archive:
        return path.read_bytes().index(archive.read(name)[:100]) + offset


def test_a_damaged_image_is_named(shapes, tmp_path):
    path = damaged(shapes[1], place_of(shapes[1], 'images/00000003', 200), tmp_path)
    packed = PackedDataset(path)
    packed[2]
    with pytest.raises(ImageError, match='000003.png in .* is damaged; pack the data again'):
        packed[3]


def test_damaged_objects_are_reported(shapes, tmp_path):
    packed = PackedDataset(damaged(shapes[1], place_of(shapes[1], 'index/codes', 3), tmp_path))
    packed.read_image(0)
    with pytest.raises(DatasetError, match='objects of 000000.png .* are damaged'):
        packed.read_instances(0)


def test_a_damaged_index_is_reported(shapes, tmp_path):
    path = damaged(shapes[1], place_of(shapes[1], 'index/labels.npy', 80), tmp_path)
    with pytest.raises(DatasetError, match='damaged or truncated; pack the data again'):
        PackedDataset(path)


@pytest.mark.parametrize('change', [lambda data: data[:-100], lambda data: data[:50],
                                    lambda data: b'', lambda data: b'{"images": []}'])
def test_what_is_truncated_or_something_else_is_reported(shapes, tmp_path, change):
    (tmp_path / 'bad.packed').write_bytes(change(shapes[1].read_bytes()))
    with pytest.raises(DatasetError, match='not a packed data set, or is damaged'):
        PackedDataset(tmp_path / 'bad.packed')


def test_a_directory_that_points_past_the_end_is_reported(shapes, tmp_path):
    data = bytearray(shapes[1].read_bytes())
    entry = data.rindex(b'index/codes') - 46  # its record in the central directory of the archive
    data[entry + 42:entry + 46] = (len(data) - 7).to_bytes(4, 'little')
    (tmp_path / 'bad.packed').write_bytes(data)
    with pytest.raises(DatasetError, match='not a packed data set, or is damaged'):
        PackedDataset(tmp_path / 'bad.packed')


def test_another_zip_file_is_reported(tmp_path):
    with zipfile.ZipFile(tmp_path / 'other.zip', 'w') as archive:
        archive.writestr('index/header.json', '{"format": "another"}')
    with pytest.raises(DatasetError, match='not a packed data set'):
        PackedDataset(tmp_path / 'other.zip')


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(DatasetError, match='The packed data set .*nothing.packed cannot be read'):
        PackedDataset(tmp_path / 'nothing.packed')


def test_an_image_that_cannot_be_read_stops_packing_or_is_omitted(tmp_path):
    path, images = write(tmp_path, content(images=[
        {'id': number, 'file_name': f'{name}.png', 'height': 20, 'width': 30}
        for number, name in enumerate('ab')]))
    original = CocoDataset(path, images)
    with pytest.raises(ImageError, match='The image b.png .* was not found'):
        pack_dataset(original, tmp_path / 'a.packed')
    assert not (tmp_path / 'a.packed').exists()
    failures = []
    packed = PackedDataset(pack_dataset(
        original, tmp_path / 'a.packed', on_error=lambda *failure: failures.append(failure)))
    assert packed.image_names == ['a.png']
    assert [number for number, _ in failures] == [1]


def test_a_full_disk_is_reported_in_one_sentence_and_leaves_nothing(tmp_path):
    drawn = ShapesDataset(3, size=(200, 200))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A limit on the size of files ends writing in the middle of one, as a full disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, limits[1]))
    try:
        with pytest.raises(DiskFullError, match='disk is full'):
            pack_dataset(drawn, tmp_path / 'a.packed')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_the_file_before_untouched(shapes):
    class Interrupted(ShapesDataset):
        def __getitem__(self, index):
            if index == 2:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    before = shapes[1].read_bytes()
    with pytest.raises(KeyboardInterrupt):
        pack_dataset(Interrupted(6, size=(48, 64)), shapes[1])
    assert shapes[1].read_bytes() == before
    assert [path.name for path in shapes[1].parent.iterdir()] == ['shapes.packed']


# What somebody made with right checksums

def forged(path, tmp_path, **changes):
    """A copy with other arrays, header entries, or codes; all checksums are right."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(entries['index/header.json'])
    header.update({name: changes.pop(name) for name in list(changes) if name in header})
    entries['index/header.json'] = json.dumps(header).encode()
    if 'codes' in changes:  # of the one object of each image
        codes = changes.pop('codes')
        entries['index/codes'] = b''.join(codes)
        changes['code_checksums'] = np.array([zlib.crc32(code) for code in codes], np.uint32)
        changes['code_starts'] = np.cumsum([0] + [len(code) for code in codes])
    for name, array in changes.items():
        file = io.BytesIO()
        np.save(file, array)
        entries[f'index/{name}.npy'] = file.getvalue()
    with zipfile.ZipFile(tmp_path / 'forged.packed', 'w') as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return tmp_path / 'forged.packed'


@pytest.fixture
def two(tmp_path):
    """The packed file of two images of 8x8 pixels with one object each."""
    class Two(list):
        class_names = ('thing',)

    objects = Instances(np.eye(8, dtype=bool)[None])
    image = np.zeros((8, 8, 3), np.uint8)
    return pack_dataset(Two([(image, objects), (image, objects)]), tmp_path / 'two.packed')


def test_forged_is_as_the_original_without_changes(two, tmp_path):
    assert_same_examples(PackedDataset(forged(two, tmp_path)), PackedDataset(two))


@pytest.mark.parametrize('code', [
    b'', b'`', b'0', b'P3', b'Q2', b'P10', b'1n1', b'N', b'oooooooo0', b'\xff', b'\x00', b'5' * 3000,
    b'n_O' * 20])
def test_run_length_encodings_that_do_not_cover_the_image_do_not_reach_c_code(two, tmp_path, code):
    packed = PackedDataset(forged(two, tmp_path, codes=[b'P2', code]))
    assert not packed.read_instances(0).masks.any()  # P2 is one run of 64 pixels.
    with pytest.raises(DatasetError, match='masks of 000001.png in .* cannot be read'):
        packed.read_instances(1)


def test_masks_that_would_fill_the_memory_are_rejected(two, tmp_path):
    path = forged(two, tmp_path, sizes=np.array([[60_000, 60_000], [8, 8]], np.int32))
    with pytest.raises(DatasetError, match='masks of 60000x60000 pixels exceed the limit'):
        PackedDataset(path).read_instances(0)


@pytest.mark.parametrize('change', [
    {'sizes': np.array([[0, 8], [8, 8]], np.int32)}, {'sizes': np.array([[-8, 8], [8, 8]], np.int32)},
    {'sizes': np.array([[8, 8]], np.int32)}, {'sizes': np.full((2, 2), 10 ** 9, np.int32)},
    {'sizes': np.full((2, 2), 8.0)}, {'image_starts': np.array([-1, 0])},
    {'image_starts': np.array([2 ** 62, 0])}, {'image_lengths': np.array([2 ** 62, 5])},
    {'labels': np.array([0, 1], np.int32)}, {'labels': np.array([-1, 0], np.int32)},
    {'labels': np.array(['a', 'b'])}, {'bboxes': np.full((2, 4), np.nan, np.float32)},
    {'object_starts': np.array([0, 2, 1])}, {'object_starts': np.array([0, 1, 3])},
    {'object_starts': np.array([0, -1, 2])}, {'code_starts': np.array([0, 10 ** 9, 2])},
    {'code_starts': np.array([1, 1, 1])}, {'areas': np.zeros((2, 1), np.float32)},
    {'ids': [1]}, {'ids': 'ab'}, {'image_names': [1, 2]}, {'image_names': ['a']}, {'class_names': []},
    {'category_ids': [1, 2]}, {'class_names': None}, {'optional': ['keypoints']}, {'optional': ['x']},
    {'version': '1'}, {'version': -1}, {'format': 'another'}])
def test_an_index_that_cannot_be_is_reported(two, tmp_path, change):
    with pytest.raises(DatasetError, match='is not a packed data set, or is damaged'):
        PackedDataset(forged(two, tmp_path, **change))


def test_a_file_that_once_ended_the_process_is_one_sentence(shared_cases):
    with pytest.raises(DatasetError, match='is not a packed data set, or is damaged'):
        PackedDataset(shared_cases / 'attacks' / 'x.packed')
