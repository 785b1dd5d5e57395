"""Labels found in images, kept in a folder: what is there, what goes on, what is refused."""

import numpy as np
import pytest
from PIL import Image

from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.label_folder import LabelFolder

NAMES = ('2007_000032', '2007_000039', '2007_000063')
LABELS = np.array([[0, 5, 20], [1, 1, 0]], np.int32)
SETTINGS = {'model': 'a', 'scales': [1, 0.5]}


def test_labels_are_files_of_their_images_names_with_vocs_palette(tmp_path):
    folder = LabelFolder(tmp_path / 'l', NAMES, SETTINGS)
    folder.add(1, LABELS)
    picture = Image.open(tmp_path / 'l' / '2007_000039.png')
    assert picture.mode == 'P' and picture.getpalette()[3:6] == [128, 0, 0]
    np.testing.assert_array_equal(picture, LABELS)
    assert [number in folder for number in range(3)] == [False, True, False] and len(folder) == 1


def test_a_later_run_finds_what_is_there(tmp_path):
    LabelFolder(tmp_path, NAMES, SETTINGS).add(2, LABELS)
    again = LabelFolder(tmp_path, NAMES, SETTINGS)
    assert 2 in again and 0 not in again
    labels = again.labels(2)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, LABELS)


def test_other_settings_are_refused_or_begin_anew(tmp_path):
    LabelFolder(tmp_path, NAMES, SETTINGS).add(0, LABELS)
    Image.new('L', (2, 2)).save(tmp_path / 'mine.png')
    other = {**SETTINGS, 'model': 'b'}
    with pytest.raises(DatasetError, match='labels of other settings .model is a there and b here'):
        LabelFolder(tmp_path, NAMES, other)
    assert len(LabelFolder(tmp_path, NAMES, other, overwrite=True)) == 0
    assert not (tmp_path / '2007_000032.png').exists() and (tmp_path / 'mine.png').exists()


def test_label_images_of_unknown_origin_are_refused(tmp_path):
    Image.new('L', (2, 2)).save(tmp_path / f'{NAMES[0]}.png')
    with pytest.raises(DatasetError, match='nobody knows the settings of'):
        LabelFolder(tmp_path, NAMES, SETTINGS)


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / 'l').write_text('')
    with pytest.raises(DatasetError, match='name a folder'):
        LabelFolder(tmp_path / 'l', NAMES, SETTINGS)
