"""Damaged files of Detectron, PyTorch and Caffe: a value or the one error, whatever was changed."""

import contextlib
import io
import pathlib
import time
import zipfile

import numpy as np
import pytest

import converters
from chainer_seg.errors import UserError, WeightFileError
from converters import trees
from converters.formats import caffe, detectron, find_format, pytorch
from tests.conftest import SHARED_DATA

DATA = pathlib.Path(__file__).parent / 'data'
FORMATS = SHARED_DATA / 'formats'

SMALL = [(pytorch, DATA / f'{name}.pth') for name in (
    'types', 'types_stream', 'shared', 'shared_stream', 'state_dict', 'protocol_4')]
LARGE = [(detectron, FORMATS / 'detectron' / 'public_R-50_flat.pkl'),
         (detectron, FORMATS / 'detectron' / 'public_mask_c4_5.pkl'),
         (pytorch, FORMATS / 'pytorch' / 'yolact_resnet50_pascal_1_10.pth'),
         (pytorch, FORMATS / 'pytorch' / 'yolact_resnet50_pascal_legacy.pth'),
         (caffe, FORMATS / 'caffe' / 'vgg16_v1_b2.caffemodel'),
         (caffe, FORMATS / 'caffe' / 'resnet50_b4.caffemodel'),
         (caffe, FORMATS / 'caffe' / 'deeplab_r101_b2_double.caffemodel'),
         (caffe, FORMATS / 'caffe' / 'vgg16_v1_b2.prototxt')]
NETWORKS = [path for _, path in LARGE if 'vgg16' not in path.name]
LONGEST = 30  # Seconds that a single file may take, on a busy machine.

small = pytest.mark.parametrize('module, path', SMALL, ids=lambda value: getattr(value, 'name', None))
large = pytest.mark.parametrize('module, path', LARGE, ids=lambda value: getattr(value, 'name', None))


@pytest.fixture
def outcome(tmp_path, monkeypatch):
    """A function that reads bytes: True where there is a value, False where there is the error."""
    folder = tmp_path / 'empty'
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = tmp_path / 'damaged'

    def read(module, data):
        path.write_bytes(data)
        begin = time.monotonic()
        try:
            for array in trees.named_arrays(module.read(path)).values():
                array.sum()
            return True
        except WeightFileError as error:
            assert str(path) in str(error) and '\n' not in str(error)
            return False
        finally:
            assert time.monotonic() - begin < LONGEST

    with np.errstate(all='ignore'):
        yield read
    assert not list(folder.iterdir())


def genuine(path):
    if not path.exists():
        pytest.skip('the weight files of ../shared/data are not here')
    return path.read_bytes()


def changed(data, rng, places):
    """The data with one to four bytes changed."""
    data = bytearray(data)
    for at in rng.choice(places, rng.integers(1, 5)):
        data[at] = rng.choice([data[at] ^ (1 << rng.integers(8)), 0, 255, rng.integers(256)])
    return bytes(data)


@small
def test_a_small_file_cut_anywhere_is_an_error(outcome, module, path):
    data = path.read_bytes()
    for size in range(1, len(data), 29):
        assert not outcome(module, data[:size])


@large
def test_a_large_file_cut_anywhere_is_an_error(outcome, module, path, rng):
    data = genuine(path)
    for size in rng.integers(1, len(data), 12):
        # What is left of a network of Caffe that is cut between two layers is a network, too.
        assert not outcome(module, data[:size]) or module is caffe


@small
def test_a_small_file_with_changed_bytes_gives_a_value_or_the_error(outcome, module, path, rng):
    data = path.read_bytes()
    values = [outcome(module, changed(data, rng, len(data))) for _ in range(100)]
    assert 0 < sum(values) < 100


def test_a_changed_pickle_of_an_archive_gives_a_value_or_the_error(outcome, rng):
    """The checksums of the archive are right, so that the pickle is run."""
    with zipfile.ZipFile(DATA / 'shared.pth') as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    outcomes = set()
    for _ in range(300):
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w') as archive:
            for name, content in entries.items():
                is_pickle = name.endswith('data.pkl')
                archive.writestr(name, changed(content, rng, len(content)) if is_pickle else content)
        outcomes.add(outcome(pytorch, file.getvalue()))
    assert outcomes == {True, False}


@large
def test_a_large_file_with_changed_bytes_gives_a_value_or_the_error(outcome, module, path, rng):
    data = genuine(path)
    places = np.concatenate([np.arange(min(3000, len(data))), rng.integers(0, len(data), 1000),
                             np.arange(max(len(data) - 1000, 0), len(data))])
    assert outcome(module, data)
    for _ in range(15):
        outcome(module, changed(data, rng, places))  # which fails at any other error


@pytest.mark.slow
@pytest.mark.parametrize('path', NETWORKS, ids=lambda path: path.name)
def test_a_changed_network_gives_a_model_or_the_error(tmp_path, path, rng):
    data = genuine(path)
    for _ in range(4):
        copy = tmp_path / path.name
        copy.write_bytes(changed(data, rng, len(data)))
        with contextlib.suppress(UserError), np.errstate(all='ignore'):
            assert converters.convert(copy).count_params() > 0


@pytest.mark.parametrize('start', [
    b'PK\3\4', b'\x80\x02', b'\x80\x04\x95', b'(dp0\n', b'}q\x00', b'cos\n', b'\x0a', b'\x12\x05',
    b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.', b'\xa2\x06\x7f', b'layer {', b'name: "'])
def test_made_up_bytes_give_a_value_or_the_error(tmp_path, start, rng):
    for size in (0, 1, 10, 100, 1000):
        path = tmp_path / 'made up'
        path.write_bytes(start + rng.bytes(size))
        with pytest.raises(WeightFileError, match='made up'):
            find_format(path).module.read(path)
