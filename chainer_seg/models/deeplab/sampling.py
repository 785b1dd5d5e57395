"""The settings of click sampling (arXiv 1603.04042, section 3.2, and its TensorFlow implementation)."""

import dataclasses

from chainer_seg.errors import UserError

# Where the negative clicks lie, in the order of the paper's strategies 1, 2 and 3.
STRATEGIES = ('background', 'others', 'outline')


@dataclasses.dataclass(frozen=True)
class ClickSampling:
    """Numbers and distances of sampled clicks, in pixels of the mask; the defaults are the paper's.

    A count is a pair (minimum, maximum), both included, between which numbers are equally likely.

    Attributes:
        positives: Clicks on the object.
        background: Negative clicks of strategy 1, anywhere off the object and near it.
        others: Negative clicks of strategy 2, in each other object of the image.
        outline: Number of negative clicks of strategy 3, spread over the ring around the object. The
            first is random, and each next one is the farthest from those before it.
        d_step: Minimum distance between two clicks in the same region; None for
            (s - d_margin) // ratio_factor, where s is the shorter side of the region's bounding box,
            as in the TensorFlow implementation.
        ratio_factor: See ``d_step``.
        d_margin: Clicks in an object are farther than this from its boundary.
        d: Width of the ring around the object.
        outline_margin: Clicks of strategy 3 are farther than this from both boundaries of the ring.
        band: Whether positive clicks lie within ``d_margin`` of the object's boundary instead of
            beyond it.
        square: Whether distances are those of square structuring elements (a distance of n is a
            square of 2 n + 1 pixels) instead of Euclidean.
        tries: Maximum number of points drawn in a region; those too near to a chosen one are dropped.
        n_pairs: Number of sets of clicks for an object.
        strategies: The strategies that the sets take turns with.

    Raises:
        chainer_seg.errors.UserError: A number or a strategy is invalid.
    """

    positives: tuple[int, int] = (1, 5)
    background: tuple[int, int] = (0, 10)
    others: tuple[int, int] = (0, 5)
    outline: int = 10
    d_step: float | None = 40
    ratio_factor: float = 2
    d_margin: float = 5
    d: float = 40
    outline_margin: float = 0
    band: bool = False
    square: bool = False
    tries: int = 100
    n_pairs: int = 15
    strategies: tuple[str, ...] = STRATEGIES

    def __post_init__(self) -> None:
        values = dataclasses.asdict(self)
        for name, minimum in (('positives', 1), ('background', 0), ('others', 0)):
            low, high = values[name]
            if not minimum <= low <= high:
                raise UserError(f'{name} must be two numbers of at least {minimum}, the smaller one first, '
                                f'got {low} and {high}.')
        for name, minimum in (('outline', 0), ('d_margin', 0), ('d', 1), ('outline_margin', 0),
                              ('ratio_factor', 1), ('tries', 1), ('n_pairs', 1)):
            if not values[name] >= minimum:
                raise UserError(f'{name} must be at least {minimum}, got {values[name]}.')
        if not self.strategies:
            raise UserError(f'A sampling needs a strategy; choose from {", ".join(STRATEGIES)}.')
        for strategy in self.strategies:
            check_strategy(strategy)

    def max_clicks(self, n_others: int) -> int:
        """The maximum number of clicks in a set if there are ``n_others`` other objects."""
        negatives = {'background': self.background[1], 'others': n_others * self.others[1],
                     'outline': self.outline}
        return self.positives[1] + max(negatives[strategy] for strategy in self.strategies)


def check_strategy(strategy: str) -> None:
    """Raises :class:`chainer_seg.errors.UserError` for the name of an unknown strategy."""
    if strategy not in STRATEGIES:
        raise UserError(f'Unknown click sampling strategy {strategy!r}; choose from '
                        f'{", ".join(STRATEGIES)}.')


# The TensorFlow implementation uses strategy 1 alone. Its loops exclude the last number of a range and
# may give no positive click; here there is always one, because nothing else indicates the object.
SAMPLINGS = {
    'paper': ClickSampling(),
    'tensorflow': ClickSampling(
        background=(20, 30), others=(20, 30), outline=30, d_step=None, d_margin=10, d=20,
        outline_margin=10, band=True, square=True, n_pairs=3, strategies=('background',)),
}


def find_sampling(method: str | ClickSampling) -> ClickSampling:
    """The :class:`ClickSampling` of a name, or ``method`` itself if it is one.

    Raises:
        chainer_seg.errors.UserError: The name is unknown.
    """
    if isinstance(method, ClickSampling):
        return method
    if method not in SAMPLINGS:
        raise UserError(f'Unknown click sampling {method!r}; choose from '
                        f'{", ".join(SAMPLINGS)}, or a ClickSampling.')
    return SAMPLINGS[method]
