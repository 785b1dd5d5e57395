"""How long each stage of proposing takes, as the Torch implementation's -timer says."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from chainer.backends import cuda

from chainer_seg.models.deepmask.proposals import ProposalModel

# The stages in their order, with the method that does each.
STAGES = {'pyramid': 'prepare', 'network': 'piece_maps', 'masks': 'window_masks', 'pasting': 'paste'}


class StageTimes:
    """The seconds that the stages of a model have taken, and the number of images.

    Attributes:
        seconds: By the name of the stage; masks are computed while others are pasted.
        images: How many images were proposed for.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.images = 0

    @contextlib.contextmanager
    def watching(self, model: ProposalModel) -> Iterator['StageTimes']:
        """Measures what the model does in the block."""
        for stage, method in STAGES.items():
            setattr(model, method, functools.partial(self._timed, model, stage, getattr(model, method)))
        try:
            yield self
        finally:
            for method in STAGES.values():
                delattr(model, method)

    def _timed(self, model: ProposalModel, stage: str, action: Callable, *args: Any, **options: Any) -> Any:
        inner, started = self.seconds['masks'], time.perf_counter()
        result = action(*args, **options)
        if model.xp is not np:
            cuda.Stream.null.synchronize()
        self.seconds[stage] += time.perf_counter() - started
        if stage == 'pasting':
            self.seconds[stage] -= self.seconds['masks'] - inner
        self.images += stage == 'pyramid'
        return result

    def __str__(self) -> str:
        """The milliseconds of each stage and of all of them, for an image."""
        each = {name: 1000 * seconds / max(self.images, 1) for name, seconds in self.seconds.items()}
        each['total'] = sum(each.values())
        return f'milliseconds per image: {", ".join(f"{name} {value:.1f}" for name, value in each.items())}'
