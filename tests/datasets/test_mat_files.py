"""MATLAB files as SciPy writes them, read as SciPy reads them; and thousands of damaged ones."""

import time

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from chainer_seg.datasets import mat_files
from chainer_seg.datasets.mat_files import MatFileError, read_struct

FIELDS = 'Segmentation', 'Categories'


def content(rng, dtype=np.uint8):
    """What SBD's files hold: sparse boundaries, then the numbers of pixels, then categories."""
    boundaries = np.empty((2, 1), object)
    boundaries[:, 0] = [scipy.sparse.csc_matrix(np.eye(20, 30, dtype=bool))] * 2
    return {'Boundaries': boundaries, 'Segmentation': rng.integers(0, 3, (20, 30)).astype(dtype),
            'Categories': np.array([[15], [12]], dtype)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'a.mat'


@pytest.mark.parametrize('compressed', [True, False])
@pytest.mark.parametrize('dtype', ['u1', 'i1', 'u2', 'i2', 'u4', 'i4', 'u8', 'i8', 'f4', 'f8'])
def test_structures_are_those_that_scipy_reads(path, rng, compressed, dtype):
    scipy.io.savemat(path, {'before': np.eye(3), 'GTinst': content(rng, dtype), 'after': 'text'},
                     do_compression=compressed)
    found = read_struct(path, 'GTinst', FIELDS)
    expected = scipy.io.loadmat(path)['GTinst'][0, 0]
    for field in FIELDS:
        assert found[field].dtype == expected[field].dtype
        np.testing.assert_array_equal(found[field], expected[field])


def test_empty_and_small_arrays_and_long_names(path):
    scipy.io.savemat(path, {'GTcls': {'a_long_name_of_a_field': np.zeros((0, 1)), 'b': np.uint8(7)}},
                     long_field_names=True)
    found = read_struct(path, 'GTcls', ('a_long_name_of_a_field', 'b'))
    assert found['a_long_name_of_a_field'].shape == (0, 1) and found['b'].tolist() == [[7]]


def test_big_endian_files_are_read(path):
    """Written by hand: the structure s with the one field x, int16 1 and 258."""
    def element(kind, data):
        return kind.to_bytes(4) + len(data).to_bytes(4) + data + bytes(-len(data) % 8)

    def array(kind, shape, name, rest):
        return element(14, element(6, kind.to_bytes(4) + bytes(4)) + element(
            5, b''.join(side.to_bytes(4) for side in shape)) + element(1, name) + rest)
    field = array(10, (1, 2), b'', element(3, bytes([0, 1, 1, 2])))
    names = element(5, (2).to_bytes(4)) + element(1, b'x\0')
    path.write_bytes(b'MATLAB 5.0'.ljust(124) + b'\x01\x00MI' + array(2, (1, 1), b's', names + field))
    assert read_struct(path, 's', ('x',))['x'].tolist() == [[1, 258]]
    assert scipy.io.loadmat(path)['s'][0, 0]['x'].tolist() == [[1, 258]]


@pytest.mark.parametrize('variables, sentence', [
    ({'other': 1}, 'no structure GTinst'), ({'GTinst': 1}, 'not one structure'),
    ({'GTinst': {'Segmentation': 1}}, 'no Categories'),
    ({'GTinst': {'Segmentation': 'text', 'Categories': 1}}, 'its Segmentation is not an array of numb'),
    ({'GTinst': {'Segmentation': 1j, 'Categories': 1}}, 'complex')])
def test_other_content_is_said(path, variables, sentence):
    scipy.io.savemat(path, variables)
    with pytest.raises(MatFileError, match=sentence):
        read_struct(path, 'GTinst', FIELDS)


def test_other_formats_are_named(path):
    scipy.io.savemat(path, {'x': np.eye(3)}, format='4')
    with pytest.raises(MatFileError, match="not have MATLAB's format 5"):
        read_struct(path, 'x', ())
    path.write_bytes(b'MATLAB 7.3 MAT-file'.ljust(124) + b'\x00\x02IM' + bytes(384) + b'\x89HDF\r\n')
    with pytest.raises(MatFileError, match="format 7.3, which is HDF5; save it with '-v7'"):
        read_struct(path, 'x', ())


def test_what_unpacks_to_too_much_is_rejected_before_it_is_unpacked(path, rng, monkeypatch):
    monkeypatch.setattr(mat_files, 'MAX_BYTES', 100_000)
    scipy.io.savemat(path, {'GTinst': {**content(rng), 'Segmentation': np.zeros((400, 400), np.uint8)}},
                     do_compression=True)
    with pytest.raises(MatFileError, match='unpacks to more'):
        read_struct(path, 'GTinst', FIELDS)


@pytest.mark.parametrize('compressed', [True, False])
def test_a_file_truncated_anywhere_is_reported(path, rng, compressed):
    scipy.io.savemat(path, {'GTinst': content(rng)}, do_compression=compressed)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 8, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(MatFileError):
            read_struct(path, 'GTinst', FIELDS)


def damage(data, rng):
    """Some bytes, a length or a stretch of ``data`` (N,) uint8 changed."""
    data = data.copy()
    at = int(rng.integers(0, len(data) - 8))
    kind = rng.integers(4)
    if kind == 0:
        data[rng.integers(0, len(data), 3)] = rng.integers(0, 256, 3)
    elif kind == 1:
        data[at:at + 4] = np.frombuffer(rng.choice(
            np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**16], '<u4')).tobytes(), np.uint8)
    elif kind == 2:
        data[at:at + 8] = data[(at * 7) % (len(data) - 8):][:8]
    else:
        data = np.delete(data, slice(at, at + int(rng.integers(1, 9))))
    return data


@pytest.mark.parametrize('compressed', [True, False])
def test_a_damaged_file_is_read_or_reported_at_once(path, rng, compressed):
    scipy.io.savemat(path, {'GTinst': content(rng)}, do_compression=compressed)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    told, longest = 0, 0
    for _ in range(1500):
        path.write_bytes(damage(whole, rng).tobytes())
        started = time.perf_counter()
        try:
            assert set(read_struct(path, 'GTinst', FIELDS)) == set(FIELDS)
        except MatFileError:
            told += 1
        longest = max(longest, time.perf_counter() - started)
    assert told > 200 and longest < 1
