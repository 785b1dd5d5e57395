"""Makes roles in docstrings, such as :class:`chainer_seg.Instances`, links of the site (mkdocs.yml)."""

import pydoc
import re
from typing import Any

import griffe

ROLE = re.compile(r':(?:attr|class|data|exc|func|meth|mod):`~?([\w.]+)`')


class Roles(griffe.Extension):
    """Links to what the reference contains; what it does not contain is set as code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites the docstring of an object after it has been read."""
        if obj.docstring is not None:
            text = ROLE.sub(lambda role: _link(role[1], obj), obj.docstring.value)
            obj.docstring.value = re.sub(r'::$', ':', text, flags=re.MULTILINE)


def _link(name: str, obj: griffe.Object) -> str:
    try:
        path = name if name.startswith(('chainer_seg.', 'converters.')) else obj.resolve(name)
    except griffe.NameResolutionError:
        path = name
    return f'<autoref optional identifier="{_home(path)}"><code>{name}</code></autoref>'


def _home(path: str) -> str:
    """Where the object of a path is defined; packages export names of their modules."""
    value = pydoc.locate(path)
    if hasattr(value, '__module__') and hasattr(value, '__qualname__'):
        return f'{value.__module__}.{value.__qualname__}'
    parent, _, name = path.rpartition('.')
    owner = pydoc.locate(parent)
    return f'{owner.__module__}.{owner.__qualname__}.{name}' if isinstance(owner, type) else path
