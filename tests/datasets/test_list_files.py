"""Lists as Windows, other tools and other data sets write them, and lists that lead astray."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import SbdDataset, VocDataset
from chainer_seg.datasets.list_files import IMAGE_ENDINGS, Line, ListedFiles, read_lines
from chainer_seg.errors import DatasetError

from .test_sbd import write_example
from .voc_files import write_list, write_voc

NAMES = ['2007_000001', '2007_000002']


@pytest.fixture
def folder(tmp_path):
    write_voc(tmp_path / 'VOC2012')
    return tmp_path / 'VOC2012'


def listed(folder, content, **options):
    path = folder / 'ImageSets' / 'Segmentation' / 'mine.txt'
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return VocDataset(path, **options)


@pytest.mark.parametrize('content', [
    b'\xef\xbb\xbf2007_000001\r\n2007_000002\r\n', '2007_000001\r\n2007_000002'.encode('utf-16'),
    '2007_000001.jpg\n2007_000002.JPG\n', '2007_000001.png  \n\n# mine\n\t2007_000002\n',
    '2007_000001  1\n2007_000002 -1\n', 'JPEGImages\\2007_000001.jpg\nJPEGImages\\2007_000002.jpg\n',
    'C:\\data\\VOC\\JPEGImages\\2007_000001.jpg\nD:/VOC/JPEGImages/2007_000002\n',
    '/home/me/JPEGImages/2007_000001.jpg\n/home/me/JPEGImages/2007_000002.jpg\n',
    'VOCdevkit/VOC2012/JPEGImages/2007_000001.jpg\nVOCdevkit/VOC2012/JPEGImages/2007_000002.jpg\n',
    '"2007_000001"\n"2007_000002"\n', '../../JPEGImages/2007_000001\n../../JPEGImages/2007_000002\n',
    'JPEGImages\\2007_000001.jpg SegmentationClass\\2007_000001.png\n'
    '/JPEGImages/2007_000002.jpg,/SegmentationClass/2007_000002.png\n'])
def test_names_are_found_however_they_are_written(folder, content):
    dataset = listed(folder, content)
    assert dataset.ids == NAMES and dataset.image_names == [f'{name}.jpg' for name in NAMES]
    assert dataset.image_folder == folder / 'JPEGImages'
    assert np.unique(dataset.read_classes(1)).tolist() == [0, 3]


def test_what_is_odd_is_reported_once(folder, caplog):
    listed(folder, 'JPEGImages\\2007_000001.png 1\nJPEGImages\\2007_000002.png 1\n')
    assert len(caplog.messages) == 3
    assert sum('written with backslashes, such as line 1' in text for text in caplog.messages) == 1
    assert sum('files have the extension .jpg' in text for text in caplog.messages) == 1
    assert sum('further columns, which are not used' in text for text in caplog.messages) == 1


def test_images_and_labels_may_be_of_other_formats_with_spaces_in_their_names(folder):
    for kind, new in (('JPEGImages', '.png'), ('SegmentationClass', '.bmp'),
                      ('SegmentationObject', '.bmp')):
        [path] = (folder / kind).glob('2007_000001.*')
        Image.open(path).save(folder / kind / f'my image 1{new}')
        path.unlink()
    dataset = listed(folder, 'my image 1\n2007_000002\n')
    assert dataset.ids == ['my image 1', '2007_000002'] and dataset.image_names[0] == 'my image 1.png'
    dataset.check_objects()
    assert dataset[0][0].shape == (20, 30, 3) and len(dataset.read_instances(0)) == 2


def test_a_list_may_lie_elsewhere_and_be_seen_from_there_or_from_the_current_folder(
        folder, tmp_path, monkeypatch, caplog):
    (tmp_path / 'lists').mkdir()
    path = tmp_path / 'lists' / 'l.txt'
    path.write_text('VOC2012/JPEGImages/2007_000001.jpg VOC2012/SegmentationClass/2007_000001.png\n')
    monkeypatch.chdir(tmp_path)
    assert VocDataset(path, tmp_path / 'lists').ids == ['2007_000001']
    assert ['relative to the current folder' in text for text in caplog.messages] == [True]
    caplog.clear()
    (tmp_path / 'l.txt').write_text(path.read_text())
    monkeypatch.chdir('/')
    assert VocDataset(tmp_path / 'l.txt', tmp_path / 'lists').ids == ['2007_000001']
    assert ['relative to the list' in text for text in caplog.messages] == [True]


def test_gbk_is_named_as_another_encoding(folder):
    with pytest.raises(DatasetError, match='list of images .*mine.txt is not UTF-8'):
        listed(folder, '图像'.encode('gbk'))


@pytest.mark.parametrize('name', ['{}/secret.jpg', '../../../secret.jpg', '..\\..\\..\\secret.jpg',
                                  '../../../not_there.jpg'])
def test_names_outside_the_folder_are_rejected(folder, name):
    Image.new('RGB', (30, 20)).save(folder.parent / 'secret.jpg')
    text = f'{name.format(folder.parent)} SegmentationClass/2007_000001.png\n'
    with pytest.raises(DatasetError, match='Line 2 of .*mine.txt names .*outside the folders of the list '
                                           'and its images; .*--allow-outside'):
        listed(folder, '2007_000001\n' + text)
    if 'secret' in name:
        assert listed(folder, text, allow_outside=True).read_image(0).shape == (20, 30, 3)


def test_whole_paths_and_links_in_the_folder_are_the_owners(folder, tmp_path):
    (folder / 'JPEGImages').rename(tmp_path / 'elsewhere')
    (folder / 'JPEGImages').symlink_to(tmp_path / 'elsewhere')
    assert listed(folder, f'{folder}/JPEGImages/2007_000001.jpg\n2007_000002\n').ids == NAMES


def test_images_may_lie_in_folders_below(folder, caplog):
    for kind in ('JPEGImages', 'SegmentationClass'):
        (folder / kind / 'Train' / 'Data').mkdir(parents=True)
    [image] = (folder / 'JPEGImages').glob('2007_000001.*')
    image.rename(folder / 'JPEGImages' / 'Train' / 'Data' / image.name)
    dataset = listed(folder, '2007_000001\n2007_000002.jpg\n')
    assert dataset.image_names == ['Train/Data/2007_000001.jpg', '2007_000002.jpg']
    assert ['files are in subfolders, such as line 1' in text for text in caplog.messages] == [True]
    dataset.check_objects()
    assert dataset[0][0].shape == (20, 30, 3) and dataset.read_classes(0).shape == (20, 30)


def test_a_label_image_is_not_mistaken_for_a_missing_image(folder):
    (folder / 'JPEGImages' / '2007_000001.jpg').unlink()
    (folder / 'SegmentationObject' / '2007_000001.png').unlink()
    with pytest.raises(DatasetError, match='do not exist: .*JPEGImages/2007_000001.jpg'):
        listed(folder, '2007_000001\n')


@pytest.mark.parametrize('name', ['nowhere', 'a' * 5000, 'a' * 300 + '.jpg', '/' * 50, '.', '*', '-1'])
def test_missing_files_are_an_error_of_one_sentence(folder, name):
    with pytest.raises(DatasetError) as told:
        listed(folder, name)
    assert 'mine.txt names images whose files do not exist' in str(told.value)
    assert len(str(told.value)) < 700


def test_sbd_names_are_found_however_they_are_written(tmp_path):
    owners = np.zeros((10, 12), int)
    owners[2:6, 3:8] = 1
    write_example(tmp_path, '2008_000003', owners, [20])
    path = tmp_path / 'l.txt'
    for text in ('2008_000003.jpg', 'img\\2008_000003.jpg', 'inst/2008_000003.mat', 'img/2008_000003 1',
                 'C:\\sbd\\img\\2008_000003.jpg', f'{tmp_path}/img/2008_000003.jpg'):
        path.write_text(f'\ufeff{text}\r\n', encoding='utf-8')
        dataset = SbdDataset(path)
        assert dataset.ids == ['2008_000003'] and dataset[0][1].name(0) == 'tvmonitor'


def test_files_of_several_endings_are_taken_in_their_order(tmp_path):
    for ending in ('.bmp', '.png', '.jpg'):
        Image.new('L', (4, 4)).save(tmp_path / f'a{ending}')
    files = ListedFiles(tmp_path / 'l.txt', tmp_path)
    assert files.find(Line(1, 'a'), 'a', ('',), IMAGE_ENDINGS) == tmp_path / 'a.jpg'
    assert files.find(Line(1, 'a.bmp'), 'a.bmp', ('',), IMAGE_ENDINGS) == tmp_path / 'a.bmp'


def test_lines_have_their_numbers(tmp_path):
    (tmp_path / 'l.txt').write_text('\n# a comment\n x  y \n')
    assert read_lines(tmp_path / 'l.txt') == [Line(3, 'x  y')]
    assert write_list(tmp_path, 'l', ['#']).exists()
    with pytest.raises(DatasetError, match='is empty; it must have a name in each line'):
        read_lines(pathlib.Path(tmp_path / 'ImageSets' / 'Segmentation' / 'l.txt'))
