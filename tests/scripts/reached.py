"""What reaches the work of a command, as text that two runs can be compared by."""

import argparse
import dataclasses
import functools
import hashlib
import pathlib
import types

import chainer
import numpy as np

_DEEPEST = 8


def described(value, depth=0, seen=()):
    """A text that differs where anything in a value differs that work depends on."""
    if depth > _DEEPEST or id(value) in seen:
        return type(value).__name__
    inside = functools.partial(described, depth=depth + 1, seen=(*seen, id(value)))
    if isinstance(value, np.ndarray):
        return f'{value.dtype}{value.shape}{hashlib.md5(np.ascontiguousarray(value)).hexdigest()}'
    if isinstance(value, chainer.Parameter):
        return inside(value.array)
    if isinstance(value, chainer.Link):
        # What has been set after the constructor counts, too, as the way a click model looks.
        own = {name: each for name, each in vars(value).items()
               if (isinstance(each, (int, float, str, tuple, frozenset)) or dataclasses.is_dataclass(each))
               and not name.startswith('_')}
        links = {path: inside(each) for path, each in value.namedparams()}
        return inside({**own, **links, 'config': getattr(value, 'config', None),
                       'losses': getattr(value, 'losses', None)})
    if isinstance(value, functools.partial):
        return f'{inside(value.func)}({inside(value.args)}, {inside(value.keywords)})'
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return f'{value.__qualname__}{inside(cells)}'
    if isinstance(value, types.MethodType):
        return f'{value.__func__.__qualname__} of {inside(value.__self__)}'
    if isinstance(value, argparse.Namespace):
        raise TypeError('the options themselves say nothing about what is done with them')
    if isinstance(value, dict):
        return '{' + ', '.join(f'{key}: {inside(each)}' for key, each in value.items()) + '}'
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value).__name__ + '[' + ', '.join(map(inside, value)) + ']'
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__ + inside({field.name: getattr(value, field.name)
                                              for field in dataclasses.fields(value)})
    if isinstance(value, (type, str, int, float, bytes, pathlib.PurePath, type(None), np.generic)):
        return repr(value)
    if hasattr(value, '__dict__'):
        return f'{type(value).__name__}{inside(vars(value))}'
    return type(value).__name__
