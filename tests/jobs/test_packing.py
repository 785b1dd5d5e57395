"""Packing that is interrupted: the next run reads the rest, and writes the same file."""

import zipfile

import pytest

from chainer_seg.datasets import PackedDataset, ShapesDataset, open_dataset, pack_dataset, write_coco
from chainer_seg.jobs import pack
from tests.folders import names_in


@pytest.fixture(scope='module')
def coco(tmp_path_factory):
    """A data set of five image files."""
    path = write_coco(ShapesDataset(5, seed=2, size=(48, 64)), tmp_path_factory.mktemp('coco'))
    return open_dataset(path, path.parent / 'images')


def opened(coco, monkeypatch, interrupt_at=None):
    """The numbers of the images whose objects are read from now on."""
    read, numbers = type(coco).read_instances, []

    def counted(dataset, index):
        if index == interrupt_at:
            raise KeyboardInterrupt
        numbers.append(index)
        return read(dataset, index)
    monkeypatch.setattr(type(coco), 'read_instances', counted)
    return numbers


def test_the_file_is_that_of_the_plain_function_and_alone(coco, tmp_path):
    path = pack(coco, tmp_path / 'a' / 'train.packed', source='mine', progress=False)
    with zipfile.ZipFile(path) as found, zipfile.ZipFile(
            pack_dataset(coco, tmp_path / 'b.packed', source='mine')) as expected:
        assert found.namelist() == expected.namelist()
        assert all(found.read(name) == expected.read(name) for name in found.namelist())
    assert names_in(tmp_path / 'a') == ['train.packed'] and PackedDataset(path).source == 'mine'


def test_an_interrupted_run_resumes_to_the_same_file(coco, tmp_path, monkeypatch):
    whole = PackedDataset(pack(coco, tmp_path / 'whole.packed', progress=False))
    with monkeypatch.context() as patch:
        opened(coco, patch, interrupt_at=3)
        with pytest.raises(KeyboardInterrupt, match='3 of 5 images are done'):
            pack(coco, tmp_path / 'out' / 'a.packed', progress=False)
        assert names_in(tmp_path / 'out') == ['unfinished.sqlite']
    with monkeypatch.context() as patch:
        numbers = opened(coco, patch)
        again = PackedDataset(pack(coco, tmp_path / 'out' / 'a.packed', progress=False))
    assert numbers == [3, 4] and names_in(tmp_path / 'out') == ['a.packed']
    for number in range(5):
        assert again.read_file(number) == whole.read_file(number)
        assert (again[number][1].masks == whole[number][1].masks).all()


def test_another_source_starts_over(coco, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        opened(coco, patch, interrupt_at=3)
        with pytest.raises(KeyboardInterrupt):
            pack(coco, tmp_path / 'a.packed', source='a', progress=False)
    with monkeypatch.context() as patch:
        numbers = opened(coco, patch)
        pack(coco, tmp_path / 'a.packed', source='b', progress=False)
    assert numbers == list(range(5))


def test_images_without_files_are_kept_until_they_are_packed(tmp_path):
    class Interrupted(ShapesDataset):
        def __getitem__(self, index):
            if index == 2:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    class Remaining(ShapesDataset):
        def __getitem__(self, index):
            assert index >= 2
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        pack(Interrupted(3, seed=2, size=(48, 64)), tmp_path / 'a.packed', progress=False)
    packed = PackedDataset(pack(Remaining(3, seed=2, size=(48, 64)), tmp_path / 'a.packed', progress=False))
    assert (packed[0][0] == ShapesDataset(3, seed=2, size=(48, 64))[0][0]).all()
