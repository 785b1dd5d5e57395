"""Harmless stand-ins for the plain Python objects that training programs pickle beside weights.

A checkpoint that contains the program's arguments or a scheduler's milestones is still a weight file. Each
stand-in is a function of plain values that returns a dict, a list or text; nothing is imported.
"""

from converters.formats.pickle_values import Admitted, Name, Unfinished, plain_key

_MODULES = ('builtins', '__builtin__')
_FACTORIES = ('list', 'dict', 'int', 'float', 'str', 'tuple')  # Of a defaultdict; never called.


def inert_names() -> dict[str, Admitted]:
    """The names and their stand-ins, a mapping for :class:`~converters.formats.pickles.Machine`."""
    names: dict[str, Admitted] = {
        f'{module}.{name}': Name(name) for module in _MODULES for name in _FACTORIES}
    names |= {f'{module}.{name}': _items for module in _MODULES for name in ('set', 'frozenset')}
    names |= {f'{module}.complex': _text for module in _MODULES}
    names |= {f'pathlib{inner}.{name}': _path for inner in ('', '._local')
              for name in ('PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath')}
    return {**names, 'argparse.Namespace': _namespace, 'types.SimpleNamespace': _namespace,
            'collections.Counter': _counts, 'collections.defaultdict': _empty, 'torch.device': _text}


def _namespace() -> Unfinished:
    return Unfinished(_attributes)


def _attributes(state: object) -> dict:
    if not isinstance(state, dict):
        raise TypeError(f'the attributes of an object are a {type(state).__name__}')
    return state


def _counts(items: object = ()) -> dict:
    if not isinstance(items, dict):
        raise TypeError(f'the counts of a Counter are a {type(items).__name__}')
    return {plain_key(key): value for key, value in items.items()}


def _empty(factory: object = None) -> dict:
    """A defaultdict, whose items follow."""
    return {}


def _items(values: object = ()) -> list:
    if not isinstance(values, (list, tuple)):
        raise TypeError(f'the members of a set are a {type(values).__name__}')
    return list(values)


def _path(*parts: object) -> str:
    return '/'.join(_checked(parts))


def _text(*parts: object) -> str:
    return ':'.join(map(str, (part for part in parts if isinstance(part, (str, int, float)))))


def _checked(parts: tuple) -> tuple[str, ...]:
    if not all(isinstance(part, str) for part in parts):
        raise TypeError('the parts of a path are no text')
    return parts
