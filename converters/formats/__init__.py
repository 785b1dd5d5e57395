"""The formats of weight files: from bytes to trees of arrays, knowing nothing of networks."""

import pathlib
import types
import typing

from chainer_seg.errors import WeightFileError
from converters.formats import caffe, detectron, kaffe, pytorch, tensorflow, torch7
from converters.formats.sorted_table import MAGIC
from converters.formats.tensorflow_files import locate

__all__ = ['FORMATS', 'Format', 'find_format', 'locate']

_START = 512  # Bytes by which formats are told apart.


class Format(typing.NamedTuple):
    """A format: its name for people, and a module with ``recognise(start)`` and ``read(path)``."""

    name: str
    module: types.ModuleType


TENSORFLOW = Format('TensorFlow', tensorflow)
FORMATS = (
    Format('Torch7', torch7),
    Format('PyTorch', pytorch),
    TENSORFLOW,
    Format('kaffe', kaffe),
    Format('Caffe', caffe),
    Format('Detectron', detectron),  # Any pickle may be one.
)


def find_format(path):
    """The :class:`Format` of a file, by its first bytes, or those at its end.

    Raises:
        chainer_seg.errors.WeightFileError: There is no such file, it is empty, or of no format that
            is known.
    """
    start, end = _first_and_last_bytes(path)
    if end == MAGIC:  # A packed table begins with anything.
        return TENSORFLOW
    for candidate in FORMATS:
        if candidate.module.recognise(start):
            return candidate
    raise WeightFileError(
        f'{path} is of no format that is known here: it starts with {start[:8]!r}; what can be '
        f'read is {", ".join(candidate.name for candidate in FORMATS)}.')


def _first_and_last_bytes(path):
    if pathlib.Path(path).is_dir():
        raise WeightFileError(f'{path} is a folder; name a weight file in it.')
    try:
        with open(path, 'rb') as file:
            start = file.read(_START)
            file.seek(max(file.seek(0, 2) - len(MAGIC), 0))
            end = file.read(len(MAGIC))
    except OSError as error:
        raise WeightFileError(f'{path} cannot be read: {error.strerror or error}.') from error
    if not start:
        raise WeightFileError(f'{path} is an empty file; copy or download it again.')
    return start, end
