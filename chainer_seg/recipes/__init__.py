"""Recipes: one typed dataclass per system that says everything about one training run.

    from chainer_seg.recipes import MaskRCNNRecipe
    recipe = MaskRCNNRecipe().replace(neck='fpn', iterations=1000)
    recipe.trainer(train, validation, out='out/mine').run()

The command ``chainer-seg train`` is generated from the same classes.
"""

import importlib
from typing import Any

from chainer_seg.recipes.base import Recipe
from chainer_seg.recipes.run import Run

# The system's name on the command line, and where its recipe is; loaded at first use.
_HOMES = {
    'click': ('chainer_seg.recipes.click', 'ClickRecipe'),
    'deeplab': ('chainer_seg.recipes.deeplab', 'DeepLabRecipe'),
    'deepmask': ('chainer_seg.recipes.deepmask', 'DeepMaskRecipe'),
    'sharpmask': ('chainer_seg.recipes.deepmask', 'SharpMaskRecipe'),
    'mask-rcnn': ('chainer_seg.recipes.mask_rcnn', 'MaskRCNNRecipe'),
    'ritm': ('chainer_seg.recipes.ritm', 'RitmRecipe'),
    'yolact': ('chainer_seg.recipes.yolact', 'YolactRecipe'),
}
SYSTEMS = tuple(_HOMES)

__all__ = ['Recipe', 'Run', 'SYSTEMS', 'recipe_class', *(name for _, name in _HOMES.values())]


def recipe_class(system: str) -> type[Recipe]:
    """The recipe of a system by its name on the command line, such as ``'mask-rcnn'``."""
    module, name = _HOMES[system]
    return getattr(importlib.import_module(module), name)


def __getattr__(name: str) -> Any:
    for system, (_, known) in _HOMES.items():
        if known == name:
            return recipe_class(system)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
