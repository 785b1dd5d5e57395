"""Reads NumPy's .npz files from untrusted sources: their content is checked and bounded before it is read.

A .npz is a ZIP archive of .npy files. Both formats let a file of some hundred bytes claim gigabytes: by
the shape in a header, by data that inflate a thousandfold, or by many entries with the same bytes. Here
the headers are read first; each must agree with the size of its entry, and the entries with the size of
the file.
"""

import contextlib
import math
import os
import pathlib
import typing
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np

from chainer_seg.errors import UserError, shortened

# Weights and images deflate to half, masks and empty buffers of a network to less. Large files that inflate
# more than this are decompression bombs.
MAX_INFLATION, UNSUSPECTED = 50, 64 << 20  # times; bytes

_KINDS = 'biuf'  # booleans and numbers; text is stored as bytes
_MAX_HEADER = 10_000  # NumPy's own limit, in bytes
_MAX_AXES = 32

# The errors that zipfile raises for damaged archives with invalid lengths, names and methods.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, RuntimeError,
           NotImplementedError, OverflowError, IndexError)


class ArrayFileError(UserError):
    """A .npz file is missing, truncated, damaged, or contains other things than plain numbers.

    Attributes:
        reason: What was found, as a part of a sentence.
    """

    def __init__(self, message: str, reason: str = '') -> None:
        super().__init__(message)
        self.reason = reason


class ArrayHeader(typing.NamedTuple):
    """The header of a .npy file."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool

    @property
    def elements(self) -> int:
        """The number of elements of the array."""
        return math.prod(self.shape)


class ArrayFile(contextlib.AbstractContextManager):
    """A .npz file whose arrays are read one by one; the headers are checked when it is opened.

    Args:
        path: The file.
        select: Function of the name of an entry: whether it is an array; all are by default.

    Attributes:
        headers: ``{name: ArrayHeader}``, the names without ``.npy``.

    Raises:
        ArrayFileError: The file is not a .npz, or is damaged, or claims more than it can hold.
    """

    def __init__(self, path: str | os.PathLike,
                 select: typing.Callable[[str], bool] = lambda name: True) -> None:
        self.path = pathlib.Path(path)
        with self._damage():
            self._archive = zipfile.ZipFile(self.path)
        try:
            with self._damage():
                self._check_sizes()
                self.headers = {self._array_name(entry.filename): self._header(entry)
                                for entry in self._archive.infolist() if select(entry.filename)}
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._archive.close()

    @property
    def elements(self) -> int:
        """The number of elements of all arrays together."""
        return sum(header.elements for header in self.headers.values())

    def read(self, name: str) -> np.ndarray:
        """The array of this name; KeyError if there is none, ArrayFileError if its data are damaged."""
        header = self.headers[name]
        with self._damage(), self._archive.open(f'{name}.npy') as file:
            _read_header(file)
            data = np.empty(header.elements, header.dtype)
            _fill(file, data.data.cast('B') if data.size else memoryview(b''))
            file.read(1)  # At the end of an entry its checksum is compared.
        if header.fortran_order:
            return data.reshape(header.shape[::-1]).T
        return data.reshape(header.shape)

    def read_bytes(self, name: str) -> bytes:
        """The bytes of an entry that is not an array; raises the errors of :meth:`read`."""
        with self._damage():
            return self._archive.read(name)

    def entry(self, name: str) -> zipfile.ZipInfo:
        """The position and size of an entry in the archive; raises the errors of :meth:`read`."""
        with self._damage():
            return self._archive.getinfo(name)

    def _check_sizes(self) -> None:
        entries, size = self._archive.infolist(), self.path.stat().st_size
        stored = sum(entry.compress_size for entry in entries)
        if stored > size:
            raise ValueError('its entries overlap or go beyond its end')
        if sum(entry.file_size for entry in entries) > max(UNSUSPECTED, MAX_INFLATION * stored):
            raise ValueError(f'it inflates to more than {MAX_INFLATION} times its size')
        for entry in entries:
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError('it is compressed by another method than deflate')

    def _array_name(self, name: str) -> str:
        if not name.endswith('.npy'):
            raise ValueError(f'{shortened(name)} in it is not an array')
        return name[:-len('.npy')]

    def _header(self, entry: zipfile.ZipInfo) -> ArrayHeader:
        with self._archive.open(entry) as file:
            header, length = _read_header(file)
        if length + header.elements * header.dtype.itemsize != entry.file_size:
            raise ValueError(f'{shortened(entry.filename)} has another size than its header says')
        return header

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ArrayFileError(f'There is no file {self.path}; check the path.', 'missing') from error
        except _DAMAGE as error:
            reason = getattr(error, 'strerror', None) or shortened(str(error)) or type(error).__name__
            raise ArrayFileError(f'{self.path} is truncated or damaged, or is not a .npz file '
                                 f'({reason}); copy it again.', reason) from error


def _read_header(file: typing.IO[bytes]) -> tuple[ArrayHeader, int]:
    """The ArrayHeader at the start of ``file``, and its length in bytes."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f'a header has the unknown version {version}')
    read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
            else np.lib.format.read_array_header_2_0)
    try:
        shape, fortran_order, dtype = read(file, max_header_size=_MAX_HEADER)
    except Exception as error:  # NumPy evaluates the text: tokenizer, parser and dtypes may all fail.
        raise ValueError('a header cannot be read') from error
    if dtype.kind not in _KINDS or dtype.fields or dtype.subdtype:
        raise ValueError(f'it contains {shortened(str(dtype))} where plain numbers are expected')
    if len(shape) > _MAX_AXES or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError('a header has an invalid shape')
    return ArrayHeader(shape, dtype, fortran_order), file.tell()


def _fill(file: typing.Any, view: memoryview) -> None:
    """Fills ``view`` from ``file``."""
    while len(view):
        count = file.readinto(view)
        if not count:
            raise EOFError('an array ends too early')
        view = view[count:]
