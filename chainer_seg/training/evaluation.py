"""Evaluates the model at intervals while it is trained."""

import chainer

from chainer_seg.training.log import VALIDATION


class Evaluation(chainer.training.Extension):
    """Calls an evaluator and reports what it gives under ``validation/``.

    Args:
        evaluator: ``evaluator(model) -> {name: value}``; it is called outside training mode
            and without gradients.
        model: What the evaluator is given.
        every: The interval in iterations; the end of the run is evaluated in any case.
    """

    name = 'evaluation'
    priority = 300
    trigger = (1, 'iteration')

    def __init__(self, evaluator, model, every):
        self._evaluator, self._model, self._every = evaluator, model, every

    def due(self, iteration):
        """Whether the interval asks for an evaluation after ``iteration``."""
        return iteration % self._every == 0

    def __call__(self, trainer):
        iteration = trainer.updater.iteration
        if not self.due(iteration) and iteration < trainer.iterations:
            return
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            values = self._evaluator(self._model)
        trainer.observation.update(
            {VALIDATION + name.removeprefix(VALIDATION): float(value)
             for name, value in values.items()})
