"""The names that torch.save writes for tensors, and their stand-ins (torch/_utils.py)."""

import dataclasses
from typing import Any

import numpy as np

from converters.formats.pickle_values import Admitted, Name, ordered_dict
from converters.formats.pickled_arrays import Budget
from converters.formats.windows import window

_BFLOAT16 = 'bfloat16'  # The upper half of a float32; not a NumPy type.
_ELEMENTS = {
    'Double': ('float64', 'f8'), 'Float': ('float32', 'f4'), 'Half': ('float16', 'f2'),
    'BFloat16': (_BFLOAT16, 'u2'), 'Long': ('int64', 'i8'), 'Int': ('int32', 'i4'),
    'Short': ('int16', 'i2'), 'Char': ('int8', 'i1'), 'Byte': ('uint8', 'u1'), 'Bool': ('bool', 'b1'),
    'ComplexFloat': ('complex64', 'c8'), 'ComplexDouble': ('complex128', 'c16')}
_UNSIGNED = {'uint16': 'u2', 'uint32': 'u4', 'uint64': 'u8'}  # Types without a storage class of their own.


@dataclasses.dataclass(frozen=True)
class Element:
    """An element type of tensors: PyTorch's name, and NumPy's type code."""

    name: str
    code: str


_BYTE = Element('uint8', 'u1')


class Storage:
    """The elements that tensors are views of.

    Args:
        data: Their bytes, a memoryview.
        order: The byte order, ``'<'`` or ``'>'``.
    """

    def __init__(self, data: memoryview, order: str) -> None:
        self.data, self.order = data, order
        self._values: dict[Element, np.ndarray] = {}

    def values(self, element: Element) -> np.ndarray:
        """The elements as a flat array: a view, or a float32 copy for bfloat16."""
        if element not in self._values:
            values = np.frombuffer(self.data, self.order + element.code)
            if element.name == _BFLOAT16:
                values = (values.astype(np.uint32) << 16).view(np.float32)
            self._values[element] = values
        return self._values[element]


def tensor_names(budget: Budget) -> dict[str, Admitted]:
    """The names of a state_dict, for :class:`~converters.formats.pickles.Machine`.

    Args:
        budget: The :class:`~converters.formats.pickled_arrays.Budget` of the file.
    """
    def tensor(typed: tuple[Storage, Element], offset: int, shape: Any, strides: Any,
               element: Element | None = None) -> np.ndarray:
        if not isinstance(typed, tuple) or not isinstance(typed[0], Storage):
            raise TypeError('a tensor has no storage')
        budget.spend(shape)
        numbers = (offset, *strides)
        if not isinstance(strides, tuple) or not all(type(number) is int for number in numbers):
            raise TypeError('a tensor has impossible strides')
        storage, stored = typed
        return window(storage.values(element or stored), offset, shape, strides)

    def tensor_2(storage: tuple[Storage, Element], offset: int, shape: Any, strides: Any,
                 requires_grad: object, hooks: object, metadata: object = None) -> np.ndarray:
        if metadata:
            raise ValueError('a tensor is conjugated or negated')
        return tensor(storage, offset, shape, strides)

    def tensor_3(storage: tuple[Storage, Element], offset: int, shape: Any, strides: Any,
                 requires_grad: object, hooks: object, dtype: Any,
                 metadata: object = None) -> np.ndarray:
        if metadata or not isinstance(dtype, Name) or not isinstance(dtype.value, Element):
            raise ValueError('a tensor has an unknown type')
        return tensor(storage, offset, shape, strides, dtype.value)

    names: dict[str, Admitted] = {
        'collections.OrderedDict': ordered_dict,
        'torch.Size': _size,
        'torch._utils._rebuild_tensor': tensor,
        'torch._utils._rebuild_tensor_v2': tensor_2,
        'torch._utils._rebuild_tensor_v3': tensor_3,
        'torch._utils._rebuild_parameter': _parameter,
        'torch._utils._rebuild_parameter_with_state': _parameter}
    for prefix, (name, code) in _ELEMENTS.items():
        element = Element(name, code)
        names[f'torch.{prefix}Storage'] = Name(f'torch.{prefix}Storage', element)
        names[f'torch.{name}'] = Name(f'torch.{name}', element)
    for name, code in _UNSIGNED.items():
        names[f'torch.{name}'] = Name(f'torch.{name}', Element(name, code))
    for name in ('torch.storage.UntypedStorage', 'torch.UntypedStorage'):
        names[name] = Name(name, _BYTE)
    return names


def parse_id(value: object) -> tuple[str, Element, int, tuple | None]:
    """Parses the persistent id of a storage.

    Returns:
        Its key, its :class:`Element`, its number of elements, and, if it is a view of another storage, a
        tuple of a key, an offset and a count, otherwise None.

    Raises:
        ValueError: It is not the id of a storage.
    """
    if not isinstance(value, tuple) or len(value) not in (5, 6) or value[0] != 'storage':
        raise ValueError('there is a persistent id that is not a storage')
    _, kind, key, _, count, *view = value
    if not isinstance(kind, Name) or not isinstance(kind.value, Element):
        raise ValueError('a storage has an unknown type')
    if not isinstance(key, str) or type(count) is not int or not 0 <= count < 1 << 60:
        raise ValueError('a storage has an impossible key or size')
    return key, kind.value, count, view[0] if view else None


def _size(sides: tuple[int, ...] = ()) -> tuple[int, ...]:
    if not isinstance(sides, (tuple, list)):
        raise TypeError('a size is no tuple')
    return tuple(sides)


def _parameter(data: Any, requires_grad: object, hooks: object, state: object = None) -> Any:
    return data
