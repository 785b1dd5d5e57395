"""scripts/prepare_dataset.py as a user runs it."""

import functools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import CocoDataset, PackedDataset, ShapesDataset, write_coco

from ..datasets.record_files import example, features_of, record
from ..datasets.voc_files import write_voc


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    """Folders with data sets of synthetic images to train and to validate on."""
    folder = tmp_path_factory.mktemp('drawn')
    for name, count, seed in (('train', 5, 0), ('val', 2, 1)):
        write_coco(ShapesDataset(count, seed, (48, 64)), folder / name)
    return folder


def arguments(train, val, out, dash='-'):
    values = {'train_image_dir': train / 'images', 'train_annotations_file': train / 'annotations.json',
              'val_image_dir': val / 'images', 'val_annotations_file': val / 'annotations.json',
              'output_dir': out}
    return [text for name, value in values.items() for text in (dash + name, str(value))]


@pytest.fixture
def call(call_here):
    return functools.partial(call_here, 'prepare_dataset.py')


def copy_of(drawn, folder):
    """A copy of the training images that may be spoilt."""
    original = CocoDataset(drawn / 'train' / 'annotations.json', drawn / 'train' / 'images')
    write_coco(original, folder)
    return folder


@pytest.mark.parametrize('dash', ['-', '--'])
def test_both_splits_are_packed_and_measured(call, drawn, tmp_path, dash):
    status, output, errors = call(*arguments(drawn / 'train', drawn / 'val', tmp_path / 'o', dash))
    assert status == 0, errors
    for name, count in (('train', 5), ('val', 2)):
        original = CocoDataset(drawn / name / 'annotations.json', drawn / name / 'images')
        packed = PackedDataset(tmp_path / 'o' / f'{name}.packed')
        assert len(packed) == count and packed.class_names == original.class_names
        np.testing.assert_array_equal(packed[1][0], original[1][0])
        np.testing.assert_array_equal(packed[1][1].masks, original[1][1].masks)
    figures = json.loads((tmp_path / 'o' / 'statistics.json').read_text())
    assert figures['images'] == 5 and len(figures['suggested anchors']['scales']) == 5
    assert Image.open(tmp_path / 'o' / 'statistics.png').size[0] > 600
    assert 'train: 5 images, no problems' in output and 'suggested anchors: scales' in output
    assert f'--annotations {tmp_path / "o" / "train.packed"}' in output


def test_given_again_it_goes_on_and_other_data_are_not_replaced_unasked(call, drawn, tmp_path):
    spoilt = copy_of(drawn, tmp_path / 'train')
    options = arguments(spoilt, drawn / 'val', tmp_path / 'o')
    assert call(*options)[0] == 0
    packed = tmp_path / 'o' / 'train.packed'
    before = packed.stat().st_mtime_ns
    (tmp_path / 'o' / 'val.packed').unlink()
    status, output, _ = call(*options)
    assert status == 0 and 'train.packed is up to date' in output and 'wrote' in output
    assert packed.stat().st_mtime_ns == before and (tmp_path / 'o' / 'val.packed').exists()
    os.utime(spoilt / 'images' / '000000.jpg')
    status, _, errors = call(*options)
    assert status == 2 and 'holds other data' in errors and errors.count('error') == 1
    assert call(*options, '--overwrite')[0] == 0
    assert packed.stat().st_mtime_ns != before


def test_images_that_cannot_be_read_are_named_and_can_be_left_out(call, drawn, tmp_path):
    spoilt = copy_of(drawn, tmp_path / 'train')
    (spoilt / 'images' / '000001.jpg').unlink()
    (spoilt / 'images' / '000003.jpg').write_bytes(b'no image')
    options = arguments(spoilt, drawn / 'val', tmp_path / 'o')
    status, output, errors = call(*options)
    assert status == 2 and 'Traceback' not in errors
    assert '2 of the 5 images' in errors and '--skip_bad' in errors
    assert 'missing file (1)' in output and 'unreadable file (1)' in output
    status, _, errors = call(*options, '-skip_bad')
    assert status == 0, errors
    assert 'skipped' in errors
    packed = PackedDataset(tmp_path / 'o' / 'train.packed')
    assert packed.image_names == ['000000.jpg', '000002.jpg', '000004.jpg']


def test_different_categories_are_refused(call, drawn, tmp_path):
    write_coco(ShapesDataset(2, size=(48, 64), classes=('star', 'ring')), tmp_path / 'val')
    status, _, errors = call(*arguments(drawn / 'train', tmp_path / 'val', tmp_path / 'o'))
    assert status == 2 and 'has other categories than' in errors and errors.count('\n') == 1


def test_tfrecord_files_share_the_classes_of_all(call, tmp_path):
    drawn = ShapesDataset(2, size=(40, 48))
    ids = list(range(1, len(drawn.class_names) + 1))
    for number, name in enumerate(('train', 'val')):
        features = features_of(*drawn[number], number, 'a.jpg', ids)
        (tmp_path / f'coco_{name}.record-00000-of-00001').write_bytes(record(example(**features)))
    status, _, errors = call('-train_annotations_file', tmp_path / 'coco_train.record',
                             '-val_annotations_file', tmp_path / 'coco_val.record',
                             '-output_dir', tmp_path / 'o')
    assert status == 0, errors
    train, val = (PackedDataset(tmp_path / 'o' / f'{name}.packed') for name in ('train', 'val'))
    occurring = {instances.name(i) for _, instances in drawn for i in range(len(instances))}
    assert set(train.class_names) == occurring and val.class_names == train.class_names
    np.testing.assert_array_equal(val[0][1].masks, drawn[1][1].masks)


@pytest.mark.parametrize('missing, sentence', [
    ('train_annotations_file', 'There is no annotation file'),
    ('val_image_dir', 'There is no folder of images')])
def test_missing_files_are_one_sentence(call, drawn, tmp_path, missing, sentence):
    options = arguments(drawn / 'train', drawn / 'val', tmp_path / 'o')
    options[options.index(f'-{missing}') + 1] = str(tmp_path / 'nothing')
    status, _, errors = call(*options)
    assert status == 2 and sentence in errors and errors.count('\n') == 1


@pytest.mark.slow
def test_lists_of_voc_and_folders_of_masks_need_no_folder_of_images(call, tmp_path):
    train = write_voc(tmp_path / 'VOC2012')
    masks = tmp_path / 'own'
    for name in ('images', 'masks'):
        (masks / name).mkdir(parents=True)
        Image.fromarray(np.eye(30, dtype=np.uint8) * 255).save(masks / name / 'a.png')
    for number, source in enumerate((train, masks)):
        options = [text for name in ('train', 'val')
                   for text in (f'--{name}_annotations_file', str(source))]
        status, _, errors = call(*options, '--output_dir', str(tmp_path / f'o{number}'))
        assert status == 0, errors
    assert len(PackedDataset(tmp_path / 'o0' / 'train.packed')) == 2
    assert len(PackedDataset(tmp_path / 'o1' / 'train.packed')[0][1]) == 1


def test_interrupted_it_leaves_no_half_written_file(repository, tmp_path):
    write_coco(ShapesDataset(400, size=(32, 32), objects=(1, 1)), tmp_path / 'many')
    process = subprocess.Popen(
        [sys.executable, repository / 'scripts' / 'prepare_dataset.py',
         *arguments(tmp_path / 'many', tmp_path / 'many', tmp_path / 'o')],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, 'OMP_NUM_THREADS': '1'})
    deadline = time.monotonic() + 200
    while (process.poll() is None and time.monotonic() < deadline
           and not list(tmp_path.glob('o/.train-*'))):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 130, errors
    assert 'Traceback' not in errors
    assert not [path for path in (tmp_path / 'o').iterdir() if path.name.startswith('.')]
