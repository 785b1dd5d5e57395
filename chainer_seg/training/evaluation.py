"""Evaluates the model at intervals during training."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import chainer

from chainer_seg.training.log import VALIDATION
from chainer_seg.training.multi_node import Ranks

if TYPE_CHECKING:
    from chainer_seg.training.assembly import Trainer


class Evaluation(chainer.training.Extension):
    """Calls an evaluator and reports its values under ``validation/``.

    Args:
        evaluator: ``evaluator(model) -> {name: value}``; it is called outside training mode
            and without gradients.
        model: The argument of the evaluator.
        every: The interval in iterations; the model is always evaluated at the end of the run.
        ranks: The processes that train; the values are those of rank 0.
    """

    name: Any = 'evaluation'
    priority = 300
    trigger = (1, 'iteration')

    def __init__(self, evaluator: Callable[[Any], Mapping[str, float]], model: chainer.Link, every: int,
                 ranks: Ranks | None = None) -> None:
        self._ranks = ranks or Ranks()
        self._evaluator, self._model, self._every = evaluator, model, every

    def due(self, iteration: int) -> bool:
        """Whether an evaluation is scheduled after ``iteration``."""
        return iteration % self._every == 0

    def __call__(self, trainer: 'Trainer') -> None:
        """Evaluates the model if it is time to."""
        iteration = trainer.updater.iteration
        if not self.due(iteration) and iteration < trainer.iterations:
            return
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            values = self._ranks.broadcast(dict(self._evaluator(self._model)))
        trainer.observation.update(
            {VALIDATION + name.removeprefix(VALIDATION): float(value)
             for name, value in values.items()})
