"""The formats of weight files: from bytes to trees of arrays, independent of any network."""

import mmap
import os
import re
import types
import typing

from chainer_seg.errors import WeightFileError, quoted
from chainer_seg.foreign_files import foreign_content
from converters.formats import caffe, detectron, kaffe, pytorch, tensorflow, torch7
from converters.formats.mapped_file import map_file
from converters.formats.sorted_table import MAGIC
from converters.formats.tensorflow_files import locate

__all__ = ['FORMATS', 'Format', 'find_format', 'locate']


class Format(typing.NamedTuple):
    """A format: its display name, and a module with ``recognise(data)`` and ``read(path)``.

    ``recognise`` gets the whole file as ``bytes`` or an ``mmap``.
    """

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

# Formats that are recognised but not supported: how such a file begins, and how to convert it.
_SAVE_STATE = "load it with its own library and save the model's state_dict() with torch.save"
_UNREAD = (
    (re.compile(rb'\x89HDF\r\n\x1a\n'), 'an HDF5 file (of Keras, or a .caffemodel.h5)',
     'save the weights of Caffe as a .caffemodel, those of TensorFlow as a checkpoint'),
    (re.compile(rb'.{3}[\0-\x7f]\0{4}\{\s*"', re.S), 'a safetensors file', _SAVE_STATE),
    (re.compile(rb'.{4}TFL3', re.S), 'a TensorFlow Lite model',
     'convert the checkpoint that it was made of'),
    (re.compile(rb'\x08[\x01-\x20](?:[\x12\x1a\x22\x32\x3a\x42])'), 'an ONNX model',
     'convert the weights that it was exported from'),
    (re.compile(rb'MATLAB 5\.0 MAT-file|MATLAB 7'), 'a MATLAB file, such as MatConvNet\'s',
     'take the weights of another framework'),
    (re.compile(rb'\x12\x01\0{6}'), 'a file of MXNet\'s parameters',
     'take the weights of another framework'),
    (re.compile(rb'[\0\1]\0{3}[\0-\x09]\0{3}[\0-\x09]\0{3}.{8}', re.S), 'a file of Darknet\'s weights',
     'take the weights of another framework'),
    (re.compile(rb'(?:GGUF|ggjt|GGML)'), 'a GGUF file', 'take the weights of another framework'),
)
_WINDOW_OF_PAGES = 1 << 16  # Bytes in which web pages and pointer files can be recognised.
_SHOWN = 60  # Characters of a text file that an error quotes.
_CONTROL = re.compile(rb'[\0-\x08\x0e-\x1f\x7f]')


def find_format(path: str | os.PathLike) -> Format:
    """Detects the :class:`Format` of a file from its bytes.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, empty, or of an unsupported format.
    """
    data = map_file(path)
    if data[-len(MAGIC):] == MAGIC:  # A compressed table can begin with any bytes.
        return TENSORFLOW
    _refuse_unread(data, path)
    for candidate in FORMATS:
        if candidate.module.recognise(data):
            return candidate
    start = data[:_WINDOW_OF_PAGES]
    known = ', '.join(candidate.name for candidate in FORMATS)
    if not _CONTROL.search(start):
        text = quoted(' '.join(start[:4 * _SHOWN].decode('utf-8', 'replace').split()), _SHOWN)
        raise WeightFileError(f'{path} is a text file that begins with {text}, not a weight file; '
                              f'supported formats: {known}.')
    raise WeightFileError(f'{path} has an unknown format: it starts with {start[:8]!r}; supported '
                          f'formats: {known}.')


def _refuse_unread(data: mmap.mmap, path: str | os.PathLike) -> None:
    """Refuses files that are known not to be weight files, or to be of an unsupported format."""
    foreign = foreign_content(data[:_WINDOW_OF_PAGES])
    if foreign is not None:
        raise WeightFileError(f'{path} {foreign}.')
    for pattern, kind, remedy in _UNREAD:
        if pattern.match(data):
            raise WeightFileError(f'{path} is {kind}, which is not supported; {remedy}.')
