"""Names that are loaded at first use, which keeps imports of packages fast and free of cycles."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: Its ``__name__``.
        homes: The module of the package in which each name is defined.
    """
    def getattribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        return getattr(importlib.import_module(f'{package}.{homes[name]}'), name)

    return getattribute, lambda: sorted(homes)


def function(module: str, name: str) -> Callable[..., Any]:
    """A function that imports a module at the first call and calls a function of it.

    The compatibility patches use it, because their functions are written with Chainer, which cannot be
    imported yet while it is being patched.

    Args:
        module: Dotted name of the module.
        name: Name of the function in it.
    """
    def deferred(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    deferred.__name__ = deferred.__qualname__ = name
    deferred.__doc__ = f'See ``{module}.{name}``.'
    return deferred
