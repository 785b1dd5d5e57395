"""Learning-rate schedules: functions of the iteration that return a factor of the base rate."""

import dataclasses
import math


class Schedule:
    """A factor per iteration; two schedules multiply with ``*``.

    ``schedule(iteration, iterations)`` is the factor for update number ``iteration``, counted
    from 0, of ``iterations`` in all.
    """

    def __call__(self, iteration: int, iterations: int) -> float:
        raise NotImplementedError

    def __mul__(self, other: 'Schedule') -> 'Product':
        return Product(self, other)


@dataclasses.dataclass(frozen=True)
class Product(Schedule):
    """The product of two schedules."""

    first: Schedule
    second: Schedule

    def __call__(self, iteration: int, iterations: int) -> float:
        return self.first(iteration, iterations) * self.second(iteration, iterations)


@dataclasses.dataclass(frozen=True)
class Constant(Schedule):
    """The base rate, unchanged."""

    def __call__(self, iteration: int, iterations: int) -> float:
        return 1.0


@dataclasses.dataclass(frozen=True)
class Poly(Schedule):
    """``(1 - iteration / iterations) ** power``; DeepLab-v2 (section 4.1) uses 0.9.

    Args:
        power: The exponent.
        minimum: The factor never falls below this.
    """

    power: float = 0.9
    minimum: float = 0.0

    def __call__(self, iteration: int, iterations: int) -> float:
        return max(self.minimum, (1 - min(iteration / iterations, 1)) ** self.power)


@dataclasses.dataclass(frozen=True)
class Steps(Schedule):
    """Multiplies the rate by ``factor`` at each milestone.

    Args:
        milestones: Iterations, or fractions of the run if below 1.
        factor: The factor at each milestone.
    """

    milestones: tuple[float, ...]
    factor: float = 0.1

    def __call__(self, iteration: int, iterations: int) -> float:
        reached = [place for place in self.milestones
                   if iteration >= (place * iterations if place < 1 else place)]
        return self.factor ** len(reached)


@dataclasses.dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine wave from 1 down to ``minimum`` (Loshchilov and Hutter, SGDR, equation 5)."""

    minimum: float = 0.0

    def __call__(self, iteration: int, iterations: int) -> float:
        progress = min(iteration / iterations, 1)
        return self.minimum + (1 - self.minimum) * (1 + math.cos(math.pi * progress)) / 2


@dataclasses.dataclass(frozen=True)
class WarmUp(Schedule):
    """Linear warm-up from ``start`` to 1 over ``length`` iterations, multiplied with ``then``.

    Args:
        length: Length of the warm-up in iterations.
        then: The schedule that it is multiplied with, which also starts at iteration 0.
        start: The factor at iteration 0. Detectron uses 1/3, YOLACT 0.1.
    """

    length: int = 500
    then: Schedule = Constant()
    start: float = 1 / 3

    def __call__(self, iteration: int, iterations: int) -> float:
        risen = min(iteration / self.length, 1) if self.length > 0 else 1
        return (self.start + (1 - self.start) * risen) * self.then(iteration, iterations)
