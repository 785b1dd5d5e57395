"""How training clicks are sampled on an object: an option of ``train click`` and of ``data clicks``."""

import dataclasses
import typing
from typing import Annotated, Literal

from chainer_seg.errors import UserError
from chainer_seg.recipes.options import option

if typing.TYPE_CHECKING:
    from chainer_seg.models.deeplab.sampling import ClickSampling

Range = Annotated[tuple[int, int] | None, option(metavar='MIN MAX')]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Sampling of the clicks. Distances are in pixels of a sample; defaults are those of --sampling.

    Names in capitals are those of the TensorFlow implementation's configuration.

    Attributes:
        sampling: A few clicks anywhere, as in the paper, or as in the TensorFlow implementation.
        strategies: Where negative clicks are placed; samples take turns with these.
        positives: Number of clicks on the object.
        background: Number of clicks near the object (strategy 1).
        others: Number of clicks in each other object (strategy 2).
        outline: Number of clicks around the object (strategy 3).
        d_step: Minimum distance between two clicks.
        ratio_factor: Divisor of the object's size where --d-step depends on it.
        d_margin: Minimum distance of positive clicks from the boundary; in the TensorFlow implementation
            the maximum.
        d: Maximum distance of negative clicks from the object.
        outline_margin: Minimum distance from both rims of the ring of strategy 3.
        tries: Maximum number of points tried for one set of clicks.
        n_pos: Maximum number of clicks on the object.
        n_neg: Maximum number of clicks off the object, and one and a half times the minimum.
    """

    sampling: Literal['few', 'paper', 'tensorflow'] = 'few'
    strategies: Annotated[tuple[Literal['background', 'others', 'outline'], ...] | None,
                          option(metavar='{background,others,outline} ...')] = None
    positives: Range = None
    background: Range = None
    others: Range = None
    outline: Annotated[int | None, option(metavar='N')] = None
    d_step: Annotated[float | None, option(metavar='PX')] = None
    ratio_factor: Annotated[float | None, option('--RATIO_FACTOR', metavar='F')] = None
    d_margin: Annotated[float | None, option('--D_MARGIN', metavar='PX')] = None
    d: Annotated[float | None, option('--D', metavar='PX')] = None
    outline_margin: Annotated[float | None, option('--NEG3_MARGIN', metavar='PX')] = None
    tries: Annotated[int | None, option(metavar='N')] = None
    n_pos: Annotated[int | None, option('--N_POS', metavar='N')] = None
    n_neg: Annotated[int | None, option('--N_NEG', metavar='N')] = None

    def chosen(self) -> 'ClickSampling | None':
        """The sampling with the numbers that are given; None for ``few``, which has none of them.

        Raises:
            chainer_seg.errors.UserError: ``few`` is given numbers.
        """
        from chainer_seg.models.deeplab.sampling import SAMPLINGS, find_sampling
        given = {name: value for name, value in dataclasses.asdict(self).items()
                 if name != 'sampling' and value is not None}
        if self.sampling == 'few':
            for name in given:
                raise UserError(f'--{name.replace("_", "-")} belongs to --sampling '
                                f'{" or ".join(SAMPLINGS)}, not to --sampling few; give one of these or '
                                f'omit it.')
            return None
        most = given.pop('n_pos', None)
        changes = {} if most is None else {'positives': (1, most)}
        count = given.pop('n_neg', None)
        if count is not None:
            fewest = 2 * count // 3
            changes.update(background=(fewest, count), others=(fewest, count), outline=count)
        return dataclasses.replace(find_sampling(self.sampling), **{**changes, **given})
