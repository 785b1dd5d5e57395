"""Recorded outputs of another program: a .npz of plain arrays, checked before memory is allocated."""

import os
from collections.abc import Mapping

import numpy as np

from chainer_seg.array_files import ArrayFile, ArrayFileError, ArrayHeader
from chainer_seg.errors import UserError, quoted
from chainer_seg.foreign_files import foreign_file

INPUT = 'input'  # The array that the outputs were computed from.

_MOST_INPUTS = 1 << 25  # Numbers of an input, some 11 million pixels.


def read_recorded(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by their names, ``input`` among them.

    Args:
        path: The file: ``input`` (B, C, H, W), and any number of outputs, of integers or floating-point
            numbers that are all finite.

    Raises:
        chainer_seg.errors.UserError: It is missing, damaged, or not of that form.
    """
    try:
        with ArrayFile(path) as file:
            _check_headers(file.headers, path)
            arrays = {name: file.read(name) for name in file.headers}
    except ArrayFileError as error:
        foreign = foreign_file(path)
        if foreign is not None:
            raise UserError(f'{path} {foreign}.') from error
        raise
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise UserError(f'{path} has NaN or infinite values in the array {quoted(name)}; '
                            f'record it again.')
    return arrays


def _check_headers(headers: Mapping[str, ArrayHeader], path: str | os.PathLike) -> None:
    if INPUT not in headers:
        raise UserError(f'{path} has no array named {INPUT}, the input of the recorded outputs; '
                        f'add it.')
    for name, header in headers.items():
        if header.dtype.kind not in 'fiu':
            raise UserError(f'{path} has an array {quoted(name)} of the type {header.dtype}, expected '
                            f'numbers.')
    shape, count = headers[INPUT].shape, headers[INPUT].elements
    if len(shape) != 4 or not 0 < count <= _MOST_INPUTS:
        raise UserError(f'{path} has an {INPUT} of the shape {quoted(shape, 60)}, where (images, '
                        f'channels, height, width) and at most {_MOST_INPUTS} numbers are needed.')
