"""The data-set viewer from Python's side: where buttons go, what the augmentation gets, what fails."""

import cv2
import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.datasets import CocoDataset, ShapesDataset, write_coco  # noqa: E402
from chainer_seg.errors import DatasetError, ImageError  # noqa: E402
from chainer_seg.instances import Instances  # noqa: E402
from chainer_seg.widgets import DatasetViewer  # noqa: E402

from .controls import controls  # noqa: E402
from .saved_views import decode_saved  # noqa: E402


class Few(list):
    class_names = ('dog', 'cat')


@pytest.fixture
def few():
    """Images of a dog, nothing, a cat, a dog, whose brightness is their number."""
    def image(number, *labels):
        masks = np.zeros((len(labels), 20, 30), bool)
        masks[:, 5:10, 5:10] = True
        return np.full((20, 30, 3), number, np.uint8), Instances(
            masks, labels=labels, class_names=Few.class_names)

    return Few([image(0, 0), image(1), image(2, 1), image(3, 0)])


def test_the_first_image_is_shown_with_its_objects(few):
    viewer = DatasetViewer(few)
    np.testing.assert_array_equal(viewer.explorer.image, few[0][0])
    np.testing.assert_array_equal(viewer.explorer.instances.masks, few[0][1].masks)
    assert viewer.number == 0 and viewer.message == 'image 1: 30x20 pixels, 1 object'
    assert repr(viewer) == 'DatasetViewer(image 1 of 4)'


def test_buttons_and_field_go_to_other_images(few):
    viewer = DatasetViewer(few, number=1)
    controls(viewer, 'Button')['Next image'].click()
    assert viewer.number == 2 and viewer.explorer.image[0, 0, 0] == 2
    controls(viewer, 'Button')['Previous image'].click()
    assert viewer.number == 1
    [field] = controls(viewer, 'BoundedIntText').values()
    assert field.value == 2  # counted from 1
    field.value = 4
    assert viewer.number == 3 and viewer.explorer.image[0, 0, 0] == 3


def test_the_ends_are_reported(few):
    viewer = DatasetViewer(few)
    viewer.previous()
    assert viewer.number == 0 and viewer.message == 'There is no image before this one.'


def test_a_class_is_searched_in_both_directions(few):
    viewer = DatasetViewer(few)
    controls(viewer, 'Dropdown')['Only show images with this class'].value = 'dog'
    viewer.next()
    assert viewer.number == 3
    viewer.next()
    assert viewer.number == 3 and 'with the class dog after' in viewer.message
    viewer.previous()
    assert viewer.number == 0
    viewer.class_name = None
    viewer.next()
    assert viewer.number == 1
    with pytest.raises(DatasetError, match='no class .cow.*choose from dog, cat'):
        viewer.class_name = 'cow'


def test_images_are_found_without_being_read(tmp_path):
    drawn = ShapesDataset(4, size=(32, 32), classes=('star', 'ring'))
    path = write_coco(drawn, tmp_path)
    dataset = CocoDataset(path, tmp_path / 'images')
    wanted = [number for number in range(1, 4) if 0 in drawn[number][1].labels]
    for name in dataset.image_names[1:]:
        if dataset.image_names.index(name) not in wanted[:1]:
            (tmp_path / 'images' / name).unlink()
    viewer = DatasetViewer(dataset)
    viewer.class_name = 'star'
    viewer.next()
    assert viewer.number == wanted[0]
    assert viewer.message.startswith(f'{dataset.image_names[wanted[0]]}: 32x32 pixels')


def darken(image, instances, rng):
    """An augmentation that writes a number of its generator into the image."""
    return np.full_like(image, rng.integers(256)), instances[:0]


def test_augmentation_is_switched_on_and_off(few):
    viewer = DatasetViewer(few, darken)
    assert viewer.explorer.image[0, 0, 0] == 0
    controls(viewer, 'Checkbox')['augmented'].value = True
    first = viewer.explorer.image[0, 0, 0]
    assert first == np.random.default_rng((0, 0)).integers(256)
    assert len(viewer.explorer.instances) == 0
    viewer.augmented = False
    assert viewer.explorer.image[0, 0, 0] == 0


def test_the_seed_determines_the_augmented_image(few):
    viewer = DatasetViewer(few, darken, seed=5)
    viewer.augmented = True
    seen = {}
    for seed in (5, 6, 5):
        viewer.seed = seed
        seen.setdefault(seed, set()).add(int(viewer.explorer.image[0, 0, 0]))
    assert all(len(values) == 1 for values in seen.values()) and seen[5] != seen[6]


def test_without_an_augmentation_there_is_no_switch(few):
    viewer = DatasetViewer(few)
    viewer.augmented = True
    assert viewer.explorer.image[0, 0, 0] == 0
    assert viewer.children[0].children[-1].layout.display == 'none'


def test_an_image_that_cannot_be_read_is_reported_and_skipped(tmp_path):
    path = write_coco(ShapesDataset(3, size=(32, 32)), tmp_path)
    dataset = CocoDataset(path, tmp_path / 'images')
    (tmp_path / 'images' / '000001.jpg').write_bytes(b'no image')
    viewer = DatasetViewer(dataset)
    with pytest.raises(ImageError):
        viewer.next()
    assert viewer.number == 1 and 'Image 2 cannot be shown' in viewer.message
    viewer.next()
    assert viewer.number == 2 and viewer.message.startswith('000002.jpg')
    controls(viewer, 'Button')['Previous image'].click()
    assert 'Image 2 cannot be shown' in viewer.message


def matches(viewer):
    return viewer._matches.value


def test_the_images_with_a_class_are_counted(few):
    viewer = DatasetViewer(few)
    assert matches(viewer) == ''
    for name, expected in (('dog', 'in 2 images'), ('cat', 'in 1 image'), (None, '')):
        viewer.class_name = name
        assert matches(viewer) == expected


def test_counting_ends_after_a_second(few, monkeypatch):
    from chainer_seg.widgets import dataset_viewer
    monkeypatch.setattr(dataset_viewer, '_LONGEST', -1)
    viewer = DatasetViewer(few)
    viewer.class_name = 'dog'
    assert matches(viewer) == 'in at least 1 image'


def strip(viewer):
    return viewer.children[1]


def test_thumbnails_surround_the_image_that_is_shown(few):
    viewer = DatasetViewer(few, number=1)
    assert strip(viewer).numbers == [0, 1, 2, 3] and strip(viewer).chosen == 1
    strip(viewer).chosen = 3  # as the browser does
    assert viewer.number == 3 and viewer.explorer.image[0, 0, 0] == 3
    viewer.class_name = 'dog'
    assert strip(viewer).numbers == [0, 3]
    viewer.class_name = None
    many = DatasetViewer(Few(list(few) * 20), number=40)
    assert strip(many).numbers == list(range(28, 53)) and strip(many).chosen == 40
    many.go_to(79)
    assert strip(many).numbers == list(range(55, 80))


def test_a_thumbnail_is_made_when_the_browser_asks_for_it(few, monkeypatch):
    read = []

    class Counting(Few):
        def __getitem__(self, number):
            read.append(number)
            return super().__getitem__(number)

    viewer = DatasetViewer(Counting(few))
    assert read == [0]  # the image that is shown
    sent = []
    monkeypatch.setattr(strip(viewer), 'send', lambda content, buffers: sent.append((content, buffers)))
    strip(viewer)._handle_custom_msg({'kind': 'want', 'number': 2}, [])
    [(content, [data])] = sent
    assert content == {'kind': 'thumbnail', 'number': 2} and read == [0, 2]
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (20, 30, 3) and abs(image.astype(int) - 2).max() <= 1
    for nonsense in ({'kind': 'want', 'number': 99}, {}, 'want'):
        strip(viewer)._handle_custom_msg(nonsense, [])
    assert len(sent) == 1 and read == [0, 2]


def test_an_image_that_cannot_be_read_has_an_empty_thumbnail(tmp_path):
    path = write_coco(ShapesDataset(2, size=(32, 32)), tmp_path)
    viewer = DatasetViewer(CocoDataset(path, tmp_path / 'images'))
    (tmp_path / 'images' / '000001.jpg').write_bytes(b'no image')
    assert strip(viewer).thumbnail(0) and strip(viewer).thumbnail(1) == b''


def test_numbers_out_of_range_and_empty_data_sets_are_rejected(few):
    viewer = DatasetViewer(few)
    with pytest.raises(DatasetError, match='no image 4; the images are numbered from 0 to 3'):
        viewer.go_to(4)
    assert viewer.number == 0
    with pytest.raises(DatasetError, match='data set is empty'):
        DatasetViewer(Few())


def test_notebook_readers_without_jupyter_see_a_saved_view(few):
    viewer = DatasetViewer(few)
    assert decode_saved(viewer).shape == viewer.snapshot().shape
    np.testing.assert_array_equal(viewer.snapshot(), viewer.explorer.snapshot())
