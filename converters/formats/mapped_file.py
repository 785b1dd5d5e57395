"""Memory-mapped weight files: their bytes take memory only while they are accessed."""

import mmap
import os
import pathlib

import numpy as np

from chainer_seg.errors import WeightFileError


def map_file(path: str | os.PathLike) -> mmap.mmap:
    """Maps a file for reading.

    Args:
        path: The file.

    Returns:
        A read-only ``mmap``; arrays that are views of it keep it open.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, empty, a folder, or cannot be read.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise WeightFileError(f'{path} is a folder; give a file in it.')
    try:
        with open(path, 'rb') as file:
            if path.stat().st_size == 0:
                raise WeightFileError(f'{path} is an empty file; copy or download it again.')
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise WeightFileError(f'{path} cannot be read: {error.strerror or error}.') from error


def forget(array: object) -> None:
    """Releases the memory of the mapped file that an array is a view of.

    The pages are read from the file again on the next access. Other arrays are not affected.
    """
    owner = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    mapped = owner.obj if isinstance(owner, memoryview) else owner
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, 'MADV_DONTNEED'):
        mapped.madvise(mmap.MADV_DONTNEED)
