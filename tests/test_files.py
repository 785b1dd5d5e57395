import errno
import json
import os

import pytest

from chainer_seg.errors import DiskFullError, LinkError
from chainer_seg.files import atomic_write, check_inside, file_names, write_json, write_text


def test_content_appears_under_the_name_when_all_is_written(tmp_path):
    path = tmp_path / 'deep' / 'a.txt'
    with atomic_write(path) as temporary:
        temporary.write_text('hello')
        assert not path.exists()
    assert path.read_text() == 'hello'
    assert os.listdir(path.parent) == ['a.txt']


def test_temporary_name_keeps_the_ending(tmp_path):
    with atomic_write(tmp_path / 'a.png') as temporary:
        assert temporary.suffix == '.png'


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['a.txt']


def test_full_disk_is_one_sentence_and_loses_nothing(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(DiskFullError, match=r'a\.txt could not be written: the disk is full'), \
            atomic_write(path):
        raise OSError(errno.ENOSPC, 'No space left on device')
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['a.txt']


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='there is no /dev/full here')
def test_a_really_full_device_is_reported(tmp_path):
    with pytest.raises(DiskFullError, match='the disk is full'), \
            atomic_write(tmp_path / 'a.txt'), open('/dev/full', 'w') as full:
        full.write('x')
        full.flush()


def test_file_in_the_way_of_a_folder_is_reported(tmp_path):
    (tmp_path / 'a').touch()
    with pytest.raises(DiskFullError, match='in each other'):
        write_text(tmp_path / 'a' / 'b.txt', 'x')


def test_written_files_are_readable_as_the_umask_says(tmp_path):
    old = os.umask(0o022)
    try:
        write_text(tmp_path / 'a.txt', 'x')
    finally:
        os.umask(old)
    assert (tmp_path / 'a.txt').stat().st_mode & 0o777 == 0o644


def test_json_is_written(tmp_path):
    write_json(tmp_path / 'a.json', {'a': [1, 2]})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'a': [1, 2]}


@pytest.mark.parametrize('text, name', [
    ('model.pth', 'model.pth'), ('m.data-00000-of-00001', 'm.data-00000-of-00001'),
    ('yolact_base_54_800000.pth', 'yolact_base_54_800000.pth'), ('Käse 模型.t7', 'Käse-模型.t7'),
    ('', 'unnamed'), ('.', 'unnamed'), ('..', 'unnamed'), ('...', 'unnamed'), ('/', 'unnamed'),
    ('a\0b.pth', 'a-b.pth'), ('\0', 'unnamed'), ('../../etc/passwd', 'etc-passwd'),
    ('C:\\fakepath\\a.npz', 'C-fakepath-a.npz'), ('/a/b.npz', 'a-b.npz'), ('.hidden.pth', 'hidden.pth'),
    ('a\nb?.pth ', 'a-b-.pth'), ('NUL', 'NUL-'), ('con.tar.npz', 'con.tar-.npz'), ('\ud800.pth', 'pth')])
def test_names_from_elsewhere_become_names_of_files(tmp_path, text, name):
    assert file_names([text]) == [name]
    write_text(tmp_path / name, 'x')
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize('text', ['x' * 300 + '.pth', '猫' * 300 + '.pth', 'x' * 5000])
def test_long_names_are_shortened_and_keep_their_ending(tmp_path, text):
    name, = file_names([text])
    assert len(name.encode()) <= 200 and name.endswith('.pth') == text.endswith('.pth')
    write_text(tmp_path / name, 'x')


def test_an_ending_of_any_length_is_shortened():
    assert len(file_names(['a.' + 'x' * 300])[0]) <= 200


def test_names_that_become_the_same_are_distinguished():
    assert file_names(['a b.pth', 'a-b.pth', 'A/B.pth', '']) == [
        'a-b.pth', 'a-b-2.pth', 'A-B-3.pth', 'unnamed']


def test_nul_in_a_name_is_one_sentence(tmp_path):
    with pytest.raises(DiskFullError, match=r'a\\x00b.txt cannot be the name of a file'):
        write_text(f'{tmp_path}/a\0b.txt', 'x')


def test_link_out_of_the_folder_is_rejected(tmp_path):
    inside, outside = tmp_path / 'in', tmp_path / 'out'
    inside.mkdir()
    outside.mkdir()
    (inside / 'images').symlink_to(outside)
    with pytest.raises(LinkError, match=f'images leads out of the folder, to {outside}'):
        check_inside(inside, 'images')


def test_links_within_the_folder_and_to_it_are_followed(tmp_path):
    (tmp_path / 'real' / 'a').mkdir(parents=True)
    (tmp_path / 'real' / 'images').symlink_to('a')
    (tmp_path / 'link').symlink_to('real')
    check_inside(tmp_path / 'link', 'images', 'missing')
