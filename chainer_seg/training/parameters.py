"""Per-parameter settings: multiples of the learning rate, and who decays."""

import fnmatch

import chainer

# Chainer's names for the offsets of convolutions and linear layers and the two of normalisation.
BIASES_AND_NORMALIZATION = ('*/b', '*/beta', '*/gamma')


class WeightDecay:
    """An optimizer hook: adds ``rate`` times the parameter to its gradient.

    Unlike Chainer's own it leaves out what matches a pattern.

    Args:
        rate: The decay rate.
        exclude: Patterns as in a shell, matched against paths such as ``/model/conv1/b``.
    """

    name = 'WeightDecay'
    call_for_each_param = False
    timing = 'pre'

    def __init__(self, rate, exclude=BIASES_AND_NORMALIZATION):
        self.rate = rate
        self.exclude = tuple(exclude)
        self._decayed = {}

    def __call__(self, optimizer):
        for path, parameter in optimizer.target.namedparams():
            if path not in self._decayed:
                self._decayed[path] = not _matches(path, self.exclude)
            rule = parameter.update_rule
            if self._decayed[path] and rule is not None and rule.enabled:
                # The gradient is still multiplied by the scale of the loss, where there is one.
                rate = self.rate * (parameter._loss_scale or 1)
                with chainer.using_device(parameter.device):
                    parameter.grad += rate * parameter.array


class LearningRate:
    """Sets the learning rate of an optimizer before each update.

    Args:
        optimizer: A Chainer optimizer that is set up; ``alpha`` is the rate of Adam and its kin.
        base: The rate that the schedule multiplies; None takes the optimizer's own.
        schedule: A :class:`chainer_seg.training.Schedule`.
        iterations: The length of the run.
        multipliers: ``{pattern: factor}`` for parameters whose path matches, as in Caffe's
            ``lr_mult``; of several that match, the last counts.
    """

    def __init__(self, optimizer, base, schedule, iterations, multipliers=None):
        self._optimizer = optimizer
        self._name = 'lr' if hasattr(optimizer.hyperparam, 'lr') else 'alpha'
        self.base = getattr(optimizer.hyperparam, self._name) if base is None else base
        self._schedule = schedule
        self._iterations = iterations
        self._own_rates = _own_rates(optimizer.target, multipliers or {})

    def apply(self, iteration):
        """Sets and returns the rate for update number ``iteration``, counted from 0."""
        rate = self.base * self._schedule(iteration, self._iterations)
        setattr(self._optimizer.hyperparam, self._name, rate)
        for rule, factor in self._own_rates:
            setattr(rule.hyperparam, self._name, rate * factor)
        return rate


def _own_rates(target, multipliers):
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


def _matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
