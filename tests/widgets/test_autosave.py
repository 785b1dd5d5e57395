"""Labels that the click segmenter saves by itself and finds again."""

import json
import os
import pathlib

import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.datasets import CocoDataset, ShapesDataset  # noqa: E402
from chainer_seg.models.deeplab import Click  # noqa: E402
from chainer_seg.widgets import ClickSegmenter  # noqa: E402

from .controls import controls  # noqa: E402
from .discs import Discs, command, disc, press  # noqa: E402

SIZE = 60, 80
IMAGES = {name: np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
          for seed, name in enumerate(('cup', 'cat'))}
FOLDER = pathlib.Path('labels-autosave')


def opened(images=IMAGES, **options):
    return ClickSegmenter(images, Discs(), **options)


def label_two_images():
    """Labels by hand: a finished object and a current one on the first image, a finished one on the other."""
    segmenter = opened()
    controls(segmenter, 'Combobox')['name of the object'].value = 'mug'
    press(segmenter, 20, 20)
    press(segmenter, 24, 28, positive=False)
    command(segmenter, 'finish')
    press(segmenter, 40, 60)
    command(segmenter, 'next')
    press(segmenter, 30, 30, image=1)
    command(segmenter, 'finish', image=1)
    return segmenter


def notice(segmenter):
    line = segmenter._notice
    return '' if line.layout.display == 'none' else line.children[0].value


def test_labels_are_found_again_after_a_restart():
    before = label_two_images()
    after = opened()
    assert notice(after).startswith('Restored 3 objects from labels-autosave, saved at 20')
    assert [each.name for each in after.objects] == ['mug']
    assert after.objects[0].clicks == (Click(20, 20), Click(24, 28, False))
    np.testing.assert_array_equal(after.masks[0], disc(SIZE, 20, 20) & ~disc(SIZE, 24, 28))
    assert after.clicks == (Click(40, 60),)
    np.testing.assert_array_equal(after.mask, disc(SIZE, 40, 60))
    after.go_to(1)
    np.testing.assert_array_equal(after.masks, before.masks)


def test_restored_labels_of_images_that_were_not_opened_are_saved(tmp_path):
    label_two_images()
    path = opened({'new': IMAGES['cup'][:30], **IMAGES}).save_coco(tmp_path / 'all')
    read = CocoDataset(path, None)
    assert read.image_names == ['cup.jpg', 'cat.jpg']
    assert [len(read.read_instances(number)) for number in (0, 1)] == [2, 1]


def test_clicks_go_on_from_a_restored_object():
    label_two_images()
    segmenter = opened()
    press(segmenter, 40, 30)
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 40, 60) | disc(SIZE, 40, 30))
    command(segmenter, 'undo')
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 40, 60))
    segmenter.reopen(0)
    np.testing.assert_array_equal(segmenter.mask, disc(SIZE, 20, 20) & ~disc(SIZE, 24, 28))


def test_nothing_is_said_where_nothing_was_saved():
    assert notice(opened()) == '' and not FOLDER.exists()


def test_the_notice_goes_with_the_first_change():
    label_two_images()
    segmenter = opened()
    press(segmenter, 10, 10)
    assert notice(segmenter) == ''


def test_other_pixels_of_the_same_name_get_no_labels():
    label_two_images()
    assert opened({'cup': IMAGES['cat'], 'cat': IMAGES['cup']}).objects == ()


def test_two_widgets_with_one_folder_keep_their_labels_apart():
    first, second = opened({'a': IMAGES['cup']}), opened({'a': IMAGES['cat']})
    press(first, 20, 20)
    press(second, 40, 40)
    press(first, 40, 20)
    assert opened({'a': IMAGES['cup']}).clicks == (Click(20, 20), Click(40, 20))
    assert opened({'a': IMAGES['cat']}).clicks == (Click(40, 40),)


def test_discarding_removes_the_labels_and_can_be_undone():
    label_two_images()
    segmenter = opened()
    controls(segmenter, 'Button')['Discard'].click()
    assert segmenter.objects == () and not segmenter.mask.any() and notice(segmenter) == ''
    assert list(FOLDER.iterdir()) == [] and notice(opened()) == ''
    command(segmenter, 'undo')
    assert len(segmenter.objects) == 1 and segmenter.mask.any()
    assert opened().clicks == (Click(40, 60),)


def test_undone_labels_do_not_come_back():
    segmenter = opened()
    press(segmenter, 20, 20)
    command(segmenter, 'undo')
    assert list(FOLDER.iterdir()) == []


def test_changes_to_a_data_set_are_restored():
    dataset = ShapesDataset(1, size=(64, 64), objects=(2, 2), crowd_probability=0)
    segmenter = opened(dataset)
    assert not FOLDER.exists()
    for expected in (1, 0):
        controls(segmenter, 'Button')['Delete this object'].click()
        assert len(opened(dataset).objects) == len(segmenter.objects) == expected
    command(segmenter, 'undo')
    assert len(opened(dataset).objects) == 1


def test_what_code_does_is_not_saved_alone():
    segmenter = opened()
    segmenter.add(Click(20, 20))
    segmenter.finish()
    assert not FOLDER.exists()
    press(segmenter, 40, 60)
    assert len(opened().objects) == 1


def test_autosaving_can_be_switched_off():
    press(opened(autosave=False), 20, 20)
    assert not FOLDER.exists()
    press(opened(), 20, 20)
    assert opened(autosave=False).clicks == ()


def test_the_files_lie_beside_the_folder_for_labels(tmp_path):
    press(opened(folder=tmp_path / 'out' / 'mine'), 20, 20)
    [file] = (tmp_path / 'out' / 'mine-autosave').iterdir()
    assert file.name.startswith('cup-') and file.suffix == '.json'
    assert not (tmp_path / 'out' / 'mine').exists()


def test_the_files_are_coco():
    label_two_images()
    cup = next(FOLDER.glob('cup-*.json'))
    dataset = CocoDataset(cup, None)
    assert dataset.class_names == ('mug', 'object') and dataset.image_names == ['cup']
    np.testing.assert_array_equal(dataset.read_instances(0).masks[1], disc(SIZE, 40, 60))


@pytest.mark.parametrize('content', [
    '{', '[]', '{"images": [], "annotations": [], "categories": []}', 'clicks outside', 'clicks of text'])
def test_a_damaged_file_is_kept_and_reported(content):
    label_two_images()
    cup = next(FOLDER.glob('cup-*.json'))
    if content.startswith('clicks'):
        saved = json.loads(cup.read_text())
        saved['annotations'][0]['clicks'] = [[900, 2, True]] if 'outside' in content else 'many'
        content = json.dumps(saved)
    cup.write_text(content)
    segmenter = opened()
    assert 'Restored 1 object' in notice(segmenter) and cup.with_suffix('.damaged').name in notice(segmenter)
    assert cup.with_suffix('.damaged').read_text() == content
    press(segmenter, 20, 20)
    assert len(opened().clicks) == 1


def test_a_place_that_cannot_be_written_to_gives_a_line_and_loses_nothing():
    FOLDER.write_text('in the way')
    segmenter = opened()
    press(segmenter, 20, 20)
    assert segmenter.message.startswith('Not autosaved: ')
    assert 'as long as the kernel runs' in segmenter.message
    command(segmenter, 'finish')
    assert len(segmenter.objects) == 1
    FOLDER.unlink()
    press(segmenter, 40, 40)
    assert segmenter.message.startswith('1 click')
    assert len(opened().objects) == 1 and opened().clicks == (Click(40, 40),)


@pytest.mark.parametrize('number, reason', [(28, 'the disk is full'), (30, 'writing there is not permitted')])
def test_a_full_disk_and_a_read_only_folder_give_a_line(monkeypatch, number, reason):
    segmenter = opened()
    press(segmenter, 20, 20)
    saved = [file.read_bytes() for file in FOLDER.iterdir()]

    def refuse(*_):
        raise OSError(number, 'no')

    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', refuse)
        press(segmenter, 40, 60)
    assert reason in segmenter.message and len(segmenter.clicks) == 2
    assert [file.read_bytes() for file in FOLDER.iterdir()] == saved
    command(segmenter, 'finish')
    assert [each.clicks for each in opened().objects] == [(Click(20, 20), Click(40, 60))]
