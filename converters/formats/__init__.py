"""The formats of weight files: from bytes to trees of arrays, knowing nothing of networks."""

import pathlib
import types
import typing

from chainer_seg.errors import WeightFileError
from converters.formats import caffe, detectron, pytorch, torch7

_START = 512  # Bytes by which formats are told apart.


class Format(typing.NamedTuple):
    """A format: its name for people, and a module with ``recognise(start)`` and ``read(path)``."""

    name: str
    module: types.ModuleType


FORMATS = (
    Format('Torch7', torch7),
    Format('PyTorch', pytorch),
    Format('Caffe', caffe),
    Format('Detectron', detectron),  # Any pickle may be one.
)


def find_format(path):
    """The :class:`Format` of a file, by its first bytes.

    Raises:
        chainer_seg.errors.WeightFileError: There is no such file, it is empty, or of no format that
            is known.
    """
    start = _first_bytes(path)
    for candidate in FORMATS:
        if candidate.module.recognise(start):
            return candidate
    raise WeightFileError(
        f'{path} is of no format that is known here: it starts with {start[:8]!r}; what can be '
        f'read is {", ".join(candidate.name for candidate in FORMATS)}.')


def _first_bytes(path):
    if pathlib.Path(path).is_dir():
        raise WeightFileError(f'{path} is a folder; name a weight file in it.')
    try:
        with open(path, 'rb') as file:
            start = file.read(_START)
    except OSError as error:
        raise WeightFileError(f'{path} cannot be read: {error.strerror or error}.') from error
    if not start:
        raise WeightFileError(f'{path} is an empty file; copy or download it again.')
    return start
