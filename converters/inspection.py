"""The tree of a weight file as text: classes, fields, shapes, dtypes, and shared storage."""

import collections
import collections.abc
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from chainer_seg.errors import shortened
from converters.formats.torch7_values import Function, Object, Storage, Table, Tensor, readable
from converters.weight_mapping import Placement

if typing.TYPE_CHECKING:
    from converters import Conversion

_LONGEST = 60  # Maximum number of characters of a string, or of numbers of a storage, that are shown.
_SHORT = 8  # Maximum number of values of a list shown on one line.


def tree_lines(tree: object) -> Iterator[str]:
    """Yields the rows of :func:`tree_rows` as indented lines."""
    for depth, label, text in tree_rows(tree):
        yield f'{"  " * depth}{label}: {text}' if label else '  ' * depth + text


def tree_rows(tree: object) -> Iterator[tuple[int, str, str]]:
    """Yields the nodes of a tree, each before those inside it, as depth, label and description.

    Plain fields of a module are listed after its class; its arrays and other content are nodes of their own,
    without a level for ``modules`` of Torch's containers. Repeated nodes are replaced by a reference, and
    arrays show the number of their storage.
    """
    names: dict[int, str] = {}
    storages: dict[int, int] = {}
    waiting = [(0, '', '', tree)]
    while waiting:
        depth, label, name, node = waiting.pop()
        if id(node) in names:
            yield depth, label, f'the same as {names[id(node)]}'
            continue
        fields = _fields(node)
        if fields is None:
            yield depth, label, _leaf(node, storages)
            continue
        names[id(node)] = name or 'the root'
        plain = [(key, value) for key, value in fields if _is_plain(value)]
        yield depth, label, ' '.join([_class(node)] + [f'{_text(key)}={_leaf(value, storages)}'
                                                       for key, value in plain])
        waiting.extend(
            (depth + 1, _text(key), _joined(name, key), value)
            for key, value in reversed(fields) if not _is_plain(value))


def mapping_lines(mapping: Sequence[Placement]) -> Iterator[str]:
    """Yields a line for each :class:`~converters.weight_mapping.Placement`: the array and its parameter."""
    arrays = [f'{row.dtype} {shape_text(row.shape)}' for row in mapping]
    name_width = max((len(row.name) for row in mapping), default=0)
    array_width = max(map(len, arrays), default=0)
    for array, row in zip(arrays, mapping):
        yield (f'{row.name:{name_width}}  {array:{array_width}}  ->  '
               f'{row.parameter} {shape_text(row.parameter_shape)}')


def conversion_warnings(conversion: 'Conversion') -> list[str]:
    """What the user should know about a :class:`converters.Conversion`, as a list of sentences."""
    reasons = collections.defaultdict(list)
    for name, reason in conversion.skipped.items():
        reasons[reason].append(name)
    found = [f'Skipped {len(names)} array{"s" * (len(names) != 1)}, such as {names[0]}: {reason}.'
             for reason, names in reasons.items()]
    wide = {row.name for row in conversion.mapping if row.dtype == 'float64'}
    if wide:
        found.append(f'Rounded {len(wide)} array{"s" * (len(wide) != 1)} from float64 to float32.')
    model = conversion.model
    if not model.class_names and 'classes' in model.config:
        found.append('The file has no class names; classes are numbers until class_names is set.')
    return found


def _fields(node: object) -> list[tuple[Any, Any]] | None:
    """The named parts of a node as pairs; None for a leaf."""
    if isinstance(node, Object):
        if not isinstance(node.fields, Table):
            return [('fields', node.fields)]
        fields = []
        for key, value in node.fields.items():
            inside = key == 'modules' and isinstance(value, Table)
            fields += list(value.items()) if inside else [(key, value)]
        return sorted(fields, key=_order)
    if isinstance(node, Function):
        return [('upvalues', node.upvalues)]
    if isinstance(node, Table):
        return sorted(node.items(), key=_order)
    if isinstance(node, collections.abc.Mapping):
        return list(node.items())
    if isinstance(node, (list, tuple)):
        return list(enumerate(node))
    return None


def _order(field: tuple[Any, Any]) -> tuple[int, Any]:
    """Names before numbers, because Lua saves fields in no particular order."""
    key, _ = field
    if isinstance(key, str):
        return 0, key
    return (1, key) if isinstance(key, (int, float)) else (2, 0)


def _class(node: Any) -> str:
    if isinstance(node, Object):
        return node.class_name
    if isinstance(node, Function):
        return repr(node)[1:-1]
    kind = 'table' if isinstance(node, Table) else 'dict' if isinstance(node, dict) else 'list'
    return f'{kind} of {len(node)}'


def _is_plain(node: object) -> bool:
    if isinstance(node, Storage):
        return len(node.values) <= 8
    if isinstance(node, Tensor):
        return node.array.size == 0
    if isinstance(node, (list, tuple)) and len(node) <= _SHORT:
        return not any(isinstance(value, (list, tuple)) or not _is_plain(value) for value in node)
    return node is None or isinstance(node, (bool, int, float, str))


def _leaf(node: Any, storages: dict[int, int]) -> str:
    if isinstance(node, str):
        text = readable(node)
        return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + '...')
    if isinstance(node, Tensor):
        return _tensor(node, storages)
    if isinstance(node, Storage):
        shown = ' '.join(f'{value:g}' for value in node.values[:_LONGEST])
        more = ' ...' if len(node.values) > _LONGEST else ''
        return f'{node.class_name}[{len(node.values)}]({shown}{more})'
    if isinstance(node, np.ndarray):
        return f'{node.dtype} {shape_text(node.shape)}'
    if isinstance(node, (list, tuple)):
        return '[' + ', '.join(_leaf(value, storages) for value in node) + ']'
    return f'{len(node)} bytes' if isinstance(node, (bytes, memoryview)) else _text(node)


def _tensor(tensor: Tensor, storages: dict[int, int]) -> str:
    if tensor.storage is None or not tensor.shape:
        return f'{tensor.class_name}[]'
    number = storages.setdefault(id(tensor.storage), len(storages) + 1)
    dense = tensor.array.flags.c_contiguous
    return (f'{tensor.class_name} {tensor.array.dtype} {shape_text(tensor.shape)}'
            f'{"" if dense else " with strides " + shape_text(tensor.strides)}, '
            f'storage {number} from {tensor.offset} of {len(tensor.storage.values)}')


def shape_text(shape: Iterable[int]) -> str:
    """A shape as text, such as 64x3x7x7."""
    return 'x'.join(map(str, shape)) or 'scalar'


def _text(key: object) -> str:
    if isinstance(key, str):
        return shortened(readable(key))  # On one line, without terminal control characters.
    return f'{key:g}' if isinstance(key, float) else str(key)


def _joined(name: str, key: object) -> str:
    if isinstance(key, str):
        return f'{name}.{key}' if name else readable(key)
    return f'{name}[{_text(key)}]'
