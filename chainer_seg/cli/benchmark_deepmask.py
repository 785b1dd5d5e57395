"""Speed of DeepMask and SharpMask: 500 proposals for an image of 640x480, stage by stage.

The networks have their published sizes and random weights.
"""

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainer_seg.arrays import Array
from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.deepmask.proposals import MASK_THRESHOLD, MaskLogits
from chainer_seg.models.deepmask.selection import (
    Candidates, Selection, best_candidates, best_selection)
from chainer_seg.models.deepmask.trunk import STRIDE
from chainer_seg.run_length_masks import RunLengthMasks

import chainer  # isort: skip

Scene = types.SimpleNamespace  # what each stage makes of an image

SIZE = (480, 640)
PROPOSALS = 500


def stage(make: Callable[[str, int], Scene], action: Callable[[Scene], object]) -> Prepare:
    """A benchmark of one stage: ``action(scene)`` on what the stages before it have left."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        scene = make(str(device), seed)

        def run() -> object:
            with chainer.using_config('train', False), chainer.no_backprop_mode():
                return action(scene)
        return run
    return prepare


def scene_of(network: Callable[[], DeepMask | SharpMask], device: str, seed: int) -> Scene:
    """An image, a network, and what each stage makes of it."""
    model = network()
    model.to_device(device)
    scene = types.SimpleNamespace(model=model)
    scene.image = np.random.default_rng(seed).integers(0, 256, SIZE + (3,), np.uint8)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        scene.levels = model.prepare(scene.image)
        scene.inputs = read(scene)
        scene.stages = [model.trunk(x) for x in scene.inputs]
        scene.maps = [model.level_maps(level) for level in scene.levels]
        scene.candidates, scene.chosen = select(scene)
        scene.drawn = [(*where, discs(logits)) for *where, logits in draw(scene)]
        scene.runs = paste(scene)
    return scene


def discs(logits: np.ndarray) -> np.ndarray:
    """Logits of the same shape whose masks are discs, for an untrained network gives mere noise."""
    side = logits.shape[1]
    place = np.linspace(-1, 1, side, dtype=np.float32)
    # Objects are trained to fill 128 of the 224 pixels of a window.
    return np.broadcast_to(5 - 15 * (place[:, None] ** 2 + place ** 2), logits.shape)


deepmask = functools.lru_cache(maxsize=1)(functools.partial(scene_of, DeepMask))
sharpmask = functools.lru_cache(maxsize=1)(functools.partial(scene_of, SharpMask))


def read(scene: Scene) -> list[Array]:
    return [level.read()[None] for level in scene.levels]


def run_trunk(scene: Scene) -> list[Any]:
    return [scene.model.trunk(x) for x in scene.inputs]


def run_heads(scene: Scene) -> list[Any]:
    return [scene.model.score(scene.model.trunk.describe(stages[-1])) for stages in scene.stages]


def run_all_masks(scene: Scene) -> list[Any]:
    return [scene.model.masks(maps.features[None]) for maps in scene.maps]


def run_skips(scene: Scene) -> list[Any]:
    return [scene.model.skips(stages) for stages in scene.stages]


def select(scene: Scene) -> tuple[list[Candidates], Selection]:
    candidates = [best_candidates(level, maps, PROPOSALS, scene.model.patch_size // STRIDE)
                  for level, maps in zip(scene.levels, scene.maps)]
    return candidates, best_selection(candidates, PROPOSALS)


def draw(scene: Scene) -> Iterator[MaskLogits]:
    return scene.model.mask_logits(scene.candidates, scene.chosen)


def paste(scene: Scene) -> RunLengthMasks:
    return scene.model.paste(scene.drawn, PROPOSALS, SIZE, MASK_THRESHOLD, exact=False)


BENCHMARKS = {
    'DeepMask: pyramid of 7 levels': stage(deepmask, read),
    'DeepMask: trunk on all levels': stage(deepmask, run_trunk),
    'DeepMask: features and scores of all windows': stage(deepmask, run_heads),
    'DeepMask: selection of the best 500': stage(deepmask, select),
    'DeepMask: masks of these 500': stage(deepmask, lambda scene: list(draw(scene))),
    'DeepMask: (masks of all windows, not needed)': stage(deepmask, run_all_masks),
    'DeepMask: pasting 500 masks': stage(deepmask, paste),
    'DeepMask: run-length codes of 500 masks': stage(deepmask, lambda scene: scene.runs.to_rle()),
    'DeepMask: arrays of 500 masks': stage(deepmask, lambda scene: scene.runs.to_masks()),
    'DeepMask: all of it': stage(
        deepmask, lambda scene: scene.model.propose_rle(scene.image, PROPOSALS)),
    'SharpMask: horizontal nets on all levels': stage(sharpmask, run_skips),
    'SharpMask: refinement of 500 masks': stage(sharpmask, lambda scene: list(draw(scene))),
    'SharpMask: pasting 500 masks': stage(sharpmask, paste),
    'SharpMask: run-length codes of 500 masks': stage(sharpmask, lambda scene: scene.runs.to_rle()),
    'SharpMask: all of it': stage(
        sharpmask, lambda scene: scene.model.propose_rle(scene.image, PROPOSALS)),
}
