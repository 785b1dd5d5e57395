"""A .npz file is bounded by what it holds: no header, entry or compression makes it claim more."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from chainer_seg.array_files import ArrayFile, ArrayFileError


def npy(array=None, header=None, version=b'\x01\x00'):
    """The bytes of a .npy file; ``header`` in place of NumPy's own."""
    if header is None:
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()
    text = header.encode('latin-1') + b'\n'
    return b'\x93NUMPY' + version + len(text).to_bytes(2, 'little') + text


def archive(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, 'w', compression) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize('array', [
    np.arange(6, dtype=np.float32).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(7), np.zeros((0, 3), np.uint8), np.array([True, False]), np.arange(3, dtype='>i2')])
@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_are_those_that_numpy_wrote(array, save, tmp_path):
    save(tmp_path / 'a.npz', a=array)
    with ArrayFile(tmp_path / 'a.npz') as file:
        assert file.headers['a'].shape == array.shape and file.elements == array.size
        read = file.read('a')
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize('header', [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-4,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<U100000000', 'fortran_order': False, 'shape': (1,)}",
    "{'descr': [('a', '<f4', (100000, 100000))], 'fortran_order': False, 'shape': (1,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': " + '(' * 3000,
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
    "{'descr': '<f4', 'shape': (1,)}", '', '\x00', '"""', "['", '{' * 100])
def test_header_that_lies_is_an_error(header, tmp_path):
    path = archive(tmp_path / 'a.npz', {'a.npy': npy(header=header)})
    with pytest.raises(ArrayFileError, match='truncated or damaged'):
        ArrayFile(path)


def test_checksum_is_compared(tmp_path):
    np.savez(tmp_path / 'a.npz', a=np.arange(1000))
    data = bytearray((tmp_path / 'a.npz').read_bytes())
    data[5000] ^= 1
    (tmp_path / 'a.npz').write_bytes(data)
    with ArrayFile(tmp_path / 'a.npz') as file, pytest.raises(ArrayFileError, match='CRC'):
        file.read('a')


def test_file_that_inflates_a_thousandfold_is_rejected_before_it_takes_memory(tmp_path):
    zeros = npy(np.zeros(100 << 20, np.uint8))
    path = archive(tmp_path / 'a.npz', {'a.npy': zeros}, zipfile.ZIP_DEFLATED)
    del zeros
    tracemalloc.start()
    with pytest.raises(ArrayFileError, match='inflates to more than 50 times its size'):
        ArrayFile(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size < 200_000 and peak < 1_000_000


def test_entries_that_share_their_bytes_are_rejected(tmp_path):
    path = archive(tmp_path / 'a.npz', {'a.npy': npy(np.zeros(1000)), 'b.npy': npy(np.zeros(1000))})
    with zipfile.ZipFile(path, 'a') as file:
        first, second = file.infolist()
        second.header_offset, second.orig_filename = first.header_offset, second.filename
        file.filelist += [first] * 20
        file._didModify = True
    with pytest.raises(ArrayFileError):
        ArrayFile(path)


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(ArrayFileError, match='There is no file'):
        ArrayFile(tmp_path / 'a.npz')
