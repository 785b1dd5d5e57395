"""An import hook that mends named modules while Python imports them (PEP 302, PEP 451)."""

import importlib.machinery
import importlib.util
import sys
import warnings
from dataclasses import dataclass, field

from chainer_seg import lazy

PACKAGES = frozenset({'chainer', 'chainermn', 'chainerx', 'onnx_chainer', 'chainercv'})


@dataclass(frozen=True)
class Patches:
    """What to do to which module.

    Attributes:
        replacements: module name -> pairs (old text, new text) applied to its source. A text that
            does not occur, because the installed version has no need of it, is left out.
        rewrites: module name -> function from its whole source to another source.
        functions: module name -> (module of this package, names), where names maps what is
            replaced there, as ``'function'`` or ``'Class.method'``, to a function of ours.
        patches: module name -> function of the freshly imported module that changes its classes.
        supplied: module name -> module of this package that stands in where the original is
            missing.
    """

    replacements: dict = field(default_factory=dict)
    rewrites: dict = field(default_factory=dict)
    functions: dict = field(default_factory=dict)
    patches: dict = field(default_factory=dict)
    supplied: dict = field(default_factory=dict)

    @classmethod
    def merged(cls, topics):
        """The mends of all `topics`, modules of this package that each hold one in `PATCHES`."""
        merged = cls()
        for mends in (topic.PATCHES for topic in topics):
            for name, pairs in mends.replacements.items():
                merged.replacements[name] = merged.replacements.get(name, ()) + tuple(pairs)
            merged.rewrites.update(mends.rewrites)
            merged.functions.update(mends.functions)
            merged.patches.update(mends.patches)
            merged.supplied.update(mends.supplied)
        return merged

    def changes_source(self, name):
        """Whether the source of module `name` is changed before it runs."""
        return name in self.replacements or name in self.rewrites

    def mend_source(self, name, source):
        """The source text that module `name` shall run instead of `source`."""
        for old, new in self.replacements.get(name, ()):
            source = source.replace(old, new)
        if name in self.rewrites:
            source = self.rewrites[name](source)
        return source

    def mend_module(self, module):
        """Put the functions of this package into the freshly imported `module`."""
        if module.__name__ in self.patches:
            self.patches[module.__name__](module)
        if module.__name__ not in self.functions:
            return
        home, names = self.functions[module.__name__]
        for old, new in names.items():
            owner, _, attribute = old.rpartition('.')
            setattr(getattr(module, owner) if owner else module, attribute, lazy.function(home, new))


class MendingLoader(importlib.machinery.SourceFileLoader):
    """Loads one source file with its mends, silently."""

    def __init__(self, name, path, mends):
        super().__init__(name, path)
        self.mends = mends

    def get_source(self, fullname):
        """The mended source, which tracebacks show too."""
        return self.mends.mend_source(fullname, super().get_source(fullname))

    def get_code(self, fullname):
        """The compiled module; a mended one never goes through the shared bytecode cache."""
        if not self.mends.changes_source(fullname):
            return super().get_code(fullname)
        return self.source_to_code(self.get_source(fullname).encode(), self.path)

    def source_to_code(self, data, path, **options):
        """Compile without the warnings about escape sequences in old docstrings."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', SyntaxWarning)
            warnings.simplefilter('ignore', DeprecationWarning)
            return super().source_to_code(data, path, **options)

    def exec_module(self, module):
        """Run the module, then put in the functions that replace its own."""
        super().exec_module(module)
        self.mends.mend_module(module)


class MendingFinder:
    """Finds the modules of `PACKAGES` as Python would, and loads them mended."""

    is_chainer_seg_hook = True

    def __init__(self, mends):
        self.mends = mends

    def find_spec(self, name, path=None, target=None):
        """The spec of a module of `PACKAGES`; None leaves any other to Python."""
        if name.partition('.')[0] not in PACKAGES:
            return None
        spec = self._spec_without_hook(name, path, target)
        if spec is None and name in self.mends.supplied:
            supplied = importlib.util.find_spec(self.mends.supplied[name])
            return importlib.util.spec_from_file_location(name, supplied.origin)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = MendingLoader(name, spec.loader.path, self.mends)
        return spec

    def _spec_without_hook(self, name, path, target):
        for finder in sys.meta_path:
            if getattr(finder, 'is_chainer_seg_hook', False):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None
