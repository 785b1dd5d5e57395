"""scripts/view_dataset.py as a user runs it: pages of the images that were asked for."""

import functools

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import CocoDataset, ShapesDataset, pack_dataset, write_coco
from chainer_seg.models.yolact.augmentation import augment
from chainer_seg.visualization import contact_sheet

SIZE = 64, 96


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    """A folder with the COCO files of seven synthetic images of two classes."""
    folder = tmp_path_factory.mktemp('drawn')
    shapes = ShapesDataset(7, 3, SIZE, objects=(1, 2), classes=('star', 'ring'))
    write_coco(shapes, folder, suffix='.png')
    return folder


@pytest.fixture
def call(call_here):
    return functools.partial(call_here, 'view_dataset.py')


def page(folder, number):
    return np.asarray(Image.open(folder / f'page_{number:02d}.png'))


def test_pages_hold_the_images_in_their_order(call, drawn, tmp_path):
    status, output, errors = call(
        '--annotations', drawn / 'annotations.json', '--images', drawn / 'images', '--out', tmp_path,
        '--columns', 2, '--rows', 2, '--no-labels', '--no-masks')
    assert status == 0, errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ['page_01.png', 'page_02.png']
    assert f'wrote 2 pages to {tmp_path}' in output
    dataset = CocoDataset(drawn / 'annotations.json', drawn / 'images')
    expected = contact_sheet(
        [dataset[number] for number in range(4)], 2, captions=[f'{n} {n:06d}.png' for n in range(4)],
        boxes=False, labels=False, alpha=0)
    np.testing.assert_array_equal(page(tmp_path, 1), expected)


def test_augmented_versions_follow_their_image(call, drawn, tmp_path):
    packed = pack_dataset(CocoDataset(drawn / 'annotations.json', drawn / 'images'),
                          tmp_path / 'a.packed')
    status, _, errors = call('--annotations', packed, '--out', tmp_path / 'o', '--n', 1, '--augment', 2,
                             '--seed', 4, '--first', 5)
    assert status == 0, errors
    image, instances = CocoDataset(drawn / 'annotations.json', drawn / 'images')[5]
    versions = [augment(image, instances, np.random.default_rng((4, 5, version)))
                for version in range(2)]
    expected = contact_sheet([(image, instances), *versions], 3, captions=['5 000005.png'], boxes=False,
                             alpha=0.45, contour=True)
    np.testing.assert_array_equal(page(tmp_path / 'o', 1), expected)


def test_images_with_a_class_are_picked(call, drawn, tmp_path):
    dataset = CocoDataset(drawn / 'annotations.json', drawn / 'images')
    wanted = [number for number in range(7) if 1 in dataset[number][1].labels][:2]
    call('--annotations', drawn / 'annotations.json', '--images', drawn / 'images', '--out', tmp_path,
         '--class', 'ring', '--n', 2, '--columns', 2, '--boxes')
    expected = contact_sheet(
        [dataset[number] for number in wanted], 2, captions=[f'{n} {n:06d}.png' for n in wanted],
        alpha=0.45, contour=True)
    np.testing.assert_array_equal(page(tmp_path, 1), expected)


def test_without_data_shapes_are_drawn(call, tmp_path):
    status, output, _ = call('--out', tmp_path, '--n', 2, '--side', 64)
    assert status == 0 and 'wrote 1 pages' in output
    assert page(tmp_path, 1).shape == (64 + 12, 4 * 70 + 6, 3)


@pytest.mark.parametrize('options, sentence', [
    (('--annotations', 'nothing.json', '--images', '.'), 'There is no annotation file nothing.json'),
    (('--class', 'unicorn'), 'has no class'),
    (('--annotations', 'nothing.json'), 'needs its folder of images')])
def test_wrong_options_are_one_sentence(call, tmp_path, options, sentence):
    status, _, errors = call('--out', tmp_path, *options)
    assert status == 2 and sentence in errors and errors.count('\n') == 1
