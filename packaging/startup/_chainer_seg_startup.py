"""Makes `import chainer` work before `import chainer_seg`.

`chainer_seg.pth`, installed beside this module, imports it whenever Python starts. It only registers a
finder: chainer_seg itself is imported, and patches Chainer, when one of these packages is.
"""

import sys

# Those of chainer_seg.compat.import_hook, which is too much to import at each start.
PACKAGES = ('chainer', 'chainermn', 'chainerx', 'onnx_chainer', 'chainercv')


class ImportsChainerSegFirst:
    """A finder of modules (PEP 451) that imports chainer_seg before the packages that it patches."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """The spec of one of PACKAGES, patched; None for any other module."""
        if name not in PACKAGES or 'chainer_seg' in sys.modules:
            return None
        import importlib.util
        import chainer_seg  # noqa: F401
        return importlib.util.find_spec(name)


sys.meta_path.insert(0, ImportsChainerSegFirst)
