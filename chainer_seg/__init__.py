"""Four instance-segmentation systems on Chainer and CuPy: DeepMask, click selection, Mask R-CNN, YOLACT.

Importing this package makes Chainer, ChainerCV, ChainerMN and onnx_chainer work with current versions of
Python, NumPy and CuPy; import it before them.
"""

from typing import Any

from chainer_seg.compat import apply as _apply_compat

_apply_compat()

__version__ = '0.1.0'

__all__ = ['Instances', 'load_model', 'save_model', 'read_image', 'UserError']

# Loaded at first use, so that ``import chainer_seg`` stays quick.
_HOMES = {
    'Instances': 'chainer_seg.instances',
    'load_model': 'chainer_seg.model_file',
    'save_model': 'chainer_seg.model_file',
    'read_image': 'chainer_seg.images',
    'UserError': 'chainer_seg.errors',
}

_PACKAGES = ('boxes', 'datasets', 'errors', 'evaluation', 'functions', 'images', 'links', 'masks',
          'models', 'training', 'visualization', 'widgets')


def __getattr__(name: str) -> Any:
    import importlib
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return importlib.import_module(f'chainer_seg.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted(list(globals()) + list(_HOMES) + list(_PACKAGES))
