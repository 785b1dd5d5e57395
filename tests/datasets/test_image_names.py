"""Image files under the names that other programs gave them: found, with one warning, or refused."""

import json
import logging

import pytest
from PIL import Image

from chainer_seg.datasets import CocoDataset, validate_coco
from chainer_seg.datasets.image_names import find_images
from chainer_seg.errors import ImageError

from .coco_files import annotation, content

FILES = ('a.png', 'sub/b.png', 'sub/deep/c.JPG', 'x/twice.png', 'y/twice.png', 'sp ace/d e.png', 'f.jpg',
         'g.png.json', 'h.png', 'h.jpg', '100%25.png')


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'images'
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (30, 20)).save(folder / name, 'PNG')
    Image.new('RGB', (30, 20)).save(tmp_path / 'outside.png')
    return folder


@pytest.mark.parametrize('name, file', [
    ('a.png', 'a.png'), ('./a.png', 'a.png'), ('sub/b.png', 'sub/b.png'), ('sub/../a.png', 'a.png'),
    ('sub//b.png', 'sub/b.png'), ('sp ace/d e.png', 'sp ace/d e.png'), ('100%25.png', '100%25.png')])
def test_a_name_that_is_right_is_taken_as_it_is(folder, name, file):
    [found] = find_images([name], folder)
    assert (found.name, found.how, found.fault) == (file, '', '')


@pytest.mark.parametrize('name, file', [
    ('sub\\b.png', 'sub/b.png'), ('sub\\deep\\c.jpg', 'sub/deep/c.JPG'), ('images/a.png', 'a.png'),
    ('images\\a.png', 'a.png'), ('data/images/sub/b.png', 'sub/b.png'),
    ('/home/somebody/images/sub/b.png', 'sub/b.png'), ('C:\\data\\images\\a.png', 'a.png'),
    ('D:/data/a.png', 'a.png'), ('a.PNG', 'a.png'), ('sub/b.PNG', 'sub/b.png'), ('a', 'a.png'),
    ('sub/deep/c', 'sub/deep/c.JPG'), ('b.png', 'sub/b.png'), ('c.jpg', 'sub/deep/c.JPG'),
    ('c', 'sub/deep/c.JPG'), ('sp%20ace/d%20e.png', 'sp ace/d e.png'),
    ('http://host.org/x/sub/b.png?size=big', 'sub/b.png'), ('../images/a.png', 'a.png'),
    ('../a.png', 'a.png'), ('../other/sub/b.png', 'sub/b.png')])
def test_a_name_of_another_system_is_found_and_says_how(folder, name, file):
    [found] = find_images([name], folder)
    assert (found.name, found.fault) == (file, '') and found.how


def test_an_absolute_name_in_the_folder_is_found(folder):
    [found] = find_images([str(folder / 'sub' / 'b.png')], folder)
    assert found.name == 'sub/b.png' and not found.fault


@pytest.mark.parametrize('name, reason', [
    ('twice.png', '2 files with this name'), ('z/twice.png', '2 files with this name'),
    ('h', '2 files with this name'), ('nothing.png', 'no file with this name'), ('g.png', 'no file'),
    ('f.png', 'f.jpg with another extension'), ('../outside.png', 'outside the folder'),
    ('/etc/passwd', 'outside the folder'), ('../../../etc/passwd', 'outside the folder'),
    ('', 'outside'), ('.', 'outside'), ('..', 'outside'), ('/', 'outside'), ('a\0.png', 'outside'),
    ('x' * 5000, 'no file'), ('\\', 'no file'), ('http://', 'outside')])
def test_a_name_that_cannot_be_found_says_which_of_these_it_is(folder, name, reason):
    [found] = find_images([name], folder)
    assert reason in found.fault


def test_an_absolute_name_outside_is_rejected_although_the_file_is_there(folder):
    [found] = find_images([str(folder.parent / 'outside.png')], folder)
    assert 'outside the folder' in found.fault


def test_names_that_lead_to_one_file_are_rejected_but_for_the_right_one(folder):
    right, *guessed = find_images(['a.png', 'train/a.png', 'val/a.png'], folder)
    assert not right.fault and all('3 names could stand for' in each.fault for each in guessed)


def test_one_name_given_twice_is_no_doubt(folder):
    assert [each.name for each in find_images(['b.png', 'b.png'], folder)] == ['sub/b.png'] * 2


def test_links_in_the_folder_are_followed(folder):
    (folder / 'link.png').symlink_to(folder.parent / 'outside.png')
    [found] = find_images(['link.png'], folder)
    assert not found.how and not found.fault


def dataset(folder, *names, **fields):
    value = content(*(annotation(id=number, image_id=number) for number, _ in enumerate(names)), images=[
        {'id': number, 'file_name': name, 'height': 20, 'width': 30, **fields}
        for number, name in enumerate(names)])
    path = folder.parent / 'annotations.json'
    path.write_text(json.dumps(value))
    return path, folder


def test_the_data_set_reports_once_how_names_were_found(folder, caplog):
    paths = dataset(folder, 'a.png', 'sub\\b.png', 'sub\\deep\\c.JPG')
    found = CocoDataset(*paths)
    assert found.image_names == ['a.png', 'sub/b.png', 'sub/deep/c.JPG']
    assert all(len(found[number][1]) == 1 for number in range(3))
    [warning] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert '2 of 3 images' in warning and 'backslashes' in warning
    listed = validate_coco(*paths)
    assert [(each.kind, each.fatal) for each in listed] == [('file name', False)] * 2


def test_a_name_in_doubt_is_rejected_when_its_image_is_read(folder):
    paths = dataset(folder, 'a.png', 'twice.png')
    found = CocoDataset(*paths)
    assert len(found[0][1]) == 1
    with pytest.raises(ImageError, match='2 files with this name in subfolders'):
        found[1]
    [problem] = validate_coco(*paths)
    assert problem.kind == 'missing file' and problem.fatal and '2 files' in problem.sentence


@pytest.mark.parametrize('field', ['coco_url', 'flickr_url'])
def test_an_image_with_an_address_alone_is_found_by_its_last_part(folder, caplog, field):
    paths = dataset(folder, None, **{field: 'http://images.cocodataset.org/val2017/a.png?x=1'})
    assert CocoDataset(*paths).image_names == ['a.png']
    assert any(field in each.getMessage() for each in caplog.records)
    assert [(each.kind, each.fatal) for each in validate_coco(*paths)] == [('file name', False)]
