"""Definitions of Caffe networks as found in practice (.prototxt).

They may begin with long comments or byte order marks, and use layers and fields of custom versions of Caffe
that are not in caffe.proto; some are templates to be filled in by a script.
"""

import mmap
import os
import re

from chainer.links.caffe.protobuf3 import caffe_pb2
from google.protobuf import text_format

from chainer_seg.errors import WeightFileError, quoted, shortened
from chainer_seg.files import decode_text

_LONGEST = 1 << 20  # Maximum bytes of a definition.

_MARKS = (b'\xff\xfe', b'\xfe\xff')  # Byte order marks of UTF-16.
_BLANK = re.compile(rb'(?:\xef\xbb\xbf)?(?:\s++|#[^\n]*+(?:\n|\Z))*+')
_FIELD = re.compile(rb'([A-Za-z_]\w*+)\s*+[:{<]')
_LAYER = re.compile(rb'(?:^|[\s}>;,])layers?\s*+:?\s*+[{<]')
_SOLVER = {b'net', b'train_net', b'test_net', b'train_net_param', b'net_param', b'base_lr',
           b'solver_mode', b'test_iter', b'lr_policy', b'snapshot'}
_FIELDS = {name.encode() for name in caffe_pb2.NetParameter.DESCRIPTOR.fields_by_name}

# Strings and comments, in which nothing is replaced, and replaceable tokens.
_TOKEN = re.compile(r'''
    (?P<kept> "(?:[^"\\\n]|\\.)*+" | '(?:[^'\\\n]|\\.)*+' | \#[^\n]*+ )
    | (?P<template> \$\{[^}\n]*+\} | \$\([^)\n]*+\) | \{\{[^}\n]*+\}\} | \$[A-Za-z_]\w*+ | @\w++@ )
    | \btype\s*+:\s*+(?P<type> [A-Za-z_]\w*+ )
    | \b(?P<hole> hole )(?=\s*+:)''', re.X)
_OLD_TYPES = caffe_pb2.V1LayerParameter.LayerType.keys()


def is_text(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether the bytes of a file, an ``mmap`` or ``bytes``, are a definition rather than weights."""
    if data[:2] in _MARKS:
        data = _decoded_utf16(data)
    first = _first_field(data)
    return first is not None and (
        first[1] in _FIELDS or first[1] in _SOLVER or _LAYER.search(data) is not None)


def _first_field(data: bytes | mmap.mmap | memoryview) -> re.Match | None:
    blank = _BLANK.match(data)
    return _FIELD.match(data, blank.end() if blank else 0)


def parse(data: bytes | mmap.mmap | memoryview,
          path: str | os.PathLike) -> tuple[caffe_pb2.NetParameter, list[str]]:
    """The network of a definition.

    Args:
        data: The bytes of the file.
        path: The file, for messages.

    Returns:
        A ``NetParameter``, and the types of its layers that are not in caffe.proto, in order and in the
        spelling of the old generation. Unknown fields are dropped, except DeepLab's ``hole``, which becomes
        ``dilation``.

    Raises:
        chainer_seg.errors.WeightFileError: It is too long, a template, a solver, or not a definition.
    """
    if len(data) > _LONGEST:
        raise WeightFileError(f'{path} has {len(data)} bytes, but a prototxt may have at most {_LONGEST}.')
    text, unknown = _known_words(_decoded(bytes(data), path), path)
    network = caffe_pb2.NetParameter()
    try:
        text_format.Parse(text, network, allow_unknown_field=True)
    except (text_format.ParseError, ValueError, RecursionError) as error:
        reason = shortened(str(error))
        raise WeightFileError(f'{path} cannot be read as a prototxt: {reason}.') from error
    if not network.layers and not network.layer:
        _refuse_solver(text, path)
    return network, unknown


def _decoded(data: bytes, path: str | os.PathLike) -> str:
    """The text; comments are dropped if their encoding differs from the rest."""
    try:
        return decode_text(data, str(path), WeightFileError)
    except WeightFileError:
        if data[:2] in _MARKS:
            raise
        return decode_text(re.sub(rb'#[^\n]*', b'', data), str(path), WeightFileError)


def _decoded_utf16(data: bytes | mmap.mmap | memoryview) -> bytes:
    return bytes(data[:_LONGEST]).decode('utf-16', 'replace').encode('utf-8', 'replace')


def _known_words(text: str, path: str | os.PathLike) -> tuple[str, list[str]]:
    """The text with only the names in caffe.proto, and a list of the unknown layer types."""
    unknown = []

    def replaced(match: re.Match) -> str:
        if match['kept']:
            return match[0]
        if match['template']:
            raise WeightFileError(
                f'{path} is a template, not a prototxt: it has {quoted(match["template"], 60)} in '
                f'place of a value; insert the value, such as the number of classes.')
        if match['hole']:
            return 'dilation'
        if match['type'] in _OLD_TYPES and match['type'] != 'NONE':
            return match[0]
        unknown.append(match['type'])
        return 'type: NONE'

    return _TOKEN.sub(replaced, text), unknown


def _refuse_solver(text: str, path: str | os.PathLike) -> None:
    first = _first_field(text.encode('utf-8'))
    if first is not None and first[1] in _SOLVER:
        raise WeightFileError(f'{path} is the definition of a solver; give the prototxt of the network '
                              f'that it trains.')
