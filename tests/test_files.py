import errno
import json
import os

import pytest

from chainer_seg.errors import DiskFullError
from chainer_seg.files import atomic_write, write_json, write_text


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
def test_a_really_full_device_is_told(tmp_path):
    with pytest.raises(DiskFullError, match='the disk is full'), \
            atomic_write(tmp_path / 'a.txt'), open('/dev/full', 'w') as full:
        full.write('x')
        full.flush()


def test_file_in_the_way_of_a_folder_is_told(tmp_path):
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
