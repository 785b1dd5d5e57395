"""An import hook that patches named modules while Python imports them (PEP 302, PEP 451)."""

import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from chainer_seg import lazy

PACKAGES = frozenset({'chainer', 'chainermn', 'chainerx', 'onnx_chainer', 'chainercv'})


@dataclass(frozen=True)
class Patches:
    """What to change in which module.

    Attributes:
        replacements: Module name -> pairs (old text, new text) applied to its source. A text that the
            installed version does not contain is not replaced.
        rewrites: Module name -> function from its whole source to another source.
        functions: Module name -> (module of chainer_seg, names), where names maps what is replaced
            there, as ``'function'`` or ``'Class.method'``, to a function of ours.
        hooks: Module name -> function that is called with the freshly imported module to change it.
        supplied: Module name -> module of chainer_seg to use where the original is missing.
    """

    replacements: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    rewrites: dict[str, Callable[[str], str]] = field(default_factory=dict)
    functions: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    hooks: dict[str, Callable[[ModuleType], None]] = field(default_factory=dict)
    supplied: dict[str, str] = field(default_factory=dict)

    @classmethod
    def merged(cls, topics: Iterable['Patches']) -> 'Patches':
        """The patches of all topics together."""
        merged = cls()
        for patches in topics:
            for name, pairs in patches.replacements.items():
                merged.replacements[name] = merged.replacements.get(name, ()) + tuple(pairs)
            merged.rewrites.update(patches.rewrites)
            merged.functions.update(patches.functions)
            merged.hooks.update(patches.hooks)
            merged.supplied.update(patches.supplied)
        return merged

    def changes_source(self, name: str) -> bool:
        """Whether the source of module `name` is changed before it runs."""
        return name in self.replacements or name in self.rewrites

    def patch_source(self, name: str, source: str) -> str:
        """The source text that module `name` runs instead of `source`."""
        for old, new in self.replacements.get(name, ()):
            source = source.replace(old, new)
        if name in self.rewrites:
            source = self.rewrites[name](source)
        return source

    def patch_module(self, module: ModuleType) -> None:
        """Put the functions of this package into the freshly imported `module`."""
        if module.__name__ in self.hooks:
            self.hooks[module.__name__](module)
        if module.__name__ not in self.functions:
            return
        home, names = self.functions[module.__name__]
        for old, new in names.items():
            owner, _, attribute = old.rpartition('.')
            setattr(getattr(module, owner) if owner else module, attribute, lazy.function(home, new))


class PatchingLoader(importlib.machinery.SourceFileLoader):
    """Loads one source file with its patches, silently."""

    def __init__(self, name: str, path: str, patches: Patches) -> None:
        super().__init__(name, path)
        self.patches = patches

    def get_source(self, fullname: str) -> str:
        """The patched source, which tracebacks show, too."""
        source = super().get_source(fullname)
        assert source is not None  # A loader of source files always has one.
        return self.patches.patch_source(fullname, source)

    def get_code(self, fullname: str) -> CodeType | None:
        """The compiled module; a patched one never goes through the shared bytecode cache.

        Warnings about escape sequences in old docstrings are silenced.
        """
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', SyntaxWarning)
            warnings.simplefilter('ignore', DeprecationWarning)
            if not self.patches.changes_source(fullname):
                return super().get_code(fullname)
            return self.source_to_code(self.get_source(fullname).encode(), self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then replace functions of it by ours."""
        super().exec_module(module)
        self.patches.patch_module(module)


class PatchingFinder:
    """Finds the modules of `PACKAGES` as Python would, and loads them patched."""

    is_chainer_seg_hook = True

    def __init__(self, patches: Patches) -> None:
        self.patches = patches

    def find_spec(self, name: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of a module of `PACKAGES`; None for any other module, which Python then finds itself."""
        if name.partition('.')[0] not in PACKAGES:
            return None
        spec = self._spec_without_hook(name, path, target)
        if spec is None and name in self.patches.supplied:
            supplied = importlib.util.find_spec(self.patches.supplied[name])
            return supplied and importlib.util.spec_from_file_location(name, supplied.origin)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = PatchingLoader(name, spec.loader.path, self.patches)
        return spec

    def _spec_without_hook(self, name: str, path: Sequence[str] | None,
                           target: ModuleType | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if getattr(finder, 'is_chainer_seg_hook', False):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None
