"""Per-parameter settings: learning-rate multipliers, and which parameters decay."""

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

import chainer

from chainer_seg.training.schedules import Schedule

# Chainer's names for biases, and for the scale and offset of normalisation layers.
BIASES_AND_NORMALIZATION = ('*/b', '*/beta', '*/gamma')


class WeightDecay:
    """An optimizer hook: adds ``rate`` times the parameter to its gradient.

    Unlike Chainer's own hook, it skips parameters that match a pattern.

    Args:
        rate: The decay rate.
        exclude: Shell-style patterns, matched against parameter paths such as ``/model/conv1/b``.
    """

    name = 'WeightDecay'
    call_for_each_param = False
    timing = 'pre'

    def __init__(self, rate: float, exclude: Iterable[str] = BIASES_AND_NORMALIZATION) -> None:
        self.rate = rate
        self.exclude = tuple(exclude)
        self._decayed: dict[str, bool] = {}

    def __call__(self, optimizer: chainer.GradientMethod) -> None:
        for path, parameter in optimizer.target.namedparams():  # type: ignore[attr-defined]
            if path not in self._decayed:
                self._decayed[path] = not _matches(path, self.exclude)
            rule = parameter.update_rule
            if self._decayed[path] and rule is not None and rule.enabled:
                # The gradient is still multiplied by the loss scale, if there is one.
                rate = self.rate * (parameter._loss_scale or 1)
                with chainer.using_device(parameter.device):
                    parameter.grad += rate * parameter.array


class LearningRate:
    """Sets the learning rate of an optimizer before each update.

    Args:
        optimizer: A Chainer optimizer that has been set up; the rate of Adam and its variants is
            ``alpha``.
        base: The rate that the schedule multiplies; None for the optimizer's own.
        schedule: A :class:`chainer_seg.training.Schedule`.
        iterations: The length of the run.
        multipliers: ``{pattern: factor}`` for parameters whose path matches, as in Caffe's
            ``lr_mult``; if several match, the last one applies.

    Raises:
        ValueError: A pattern matches no parameter.
    """

    def __init__(self, optimizer: chainer.GradientMethod, base: float | None, schedule: Schedule,
                 iterations: int, multipliers: Mapping[str, float] | None = None) -> None:
        self._optimizer = optimizer
        self._name = 'lr' if 'lr' in optimizer.hyperparam.get_dict() else 'alpha'
        self.base = getattr(optimizer.hyperparam, self._name) if base is None else base
        self._schedule = schedule
        self._iterations = iterations
        self._own_rates = _own_rates(optimizer.target, multipliers or {})

    def apply(self, iteration: int) -> float:
        """Sets and returns the rate of update number ``iteration``, counted from 0."""
        rate = self.base * self._schedule(iteration, self._iterations)
        setattr(self._optimizer.hyperparam, self._name, rate)
        for rule, factor in self._own_rates:
            setattr(rule.hyperparam, self._name, rate * factor)
        return rate


def _own_rates(target: chainer.Link, multipliers: Mapping[str, float]) -> list[tuple[Any, float]]:
    rates, unmatched = {}, set(multipliers)
    for path, parameter in target.namedparams():
        for pattern, factor in multipliers.items():
            if fnmatch.fnmatchcase(path, pattern):
                rates[path] = (parameter.update_rule, factor)
                unmatched.discard(pattern)
    if unmatched:
        raise ValueError(f'no parameter matches {sorted(unmatched)}; the parameters are '
                         f'{[path for path, _ in target.namedparams()]}')
    return list(rates.values())


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
