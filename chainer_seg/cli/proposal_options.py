"""Options of the subcommands that compute proposals: how many, at which scales, for which images."""

import dataclasses
import typing
from typing import Annotated, Any

from chainer_seg.errors import UserError
from chainer_seg.models.deepmask.defaults import (
    EXPONENT_STEP, FIRST_EXPONENT, LAST_EXPONENT, MASK_THRESHOLD)
from chainer_seg.recipes.options import Positive, Switch, option

if typing.TYPE_CHECKING:
    import chainer

PROPOSAL_FLAGS = ('--np', '--thr', '--si', '--sf', '--ss', '--zoom', '--dm', '--exact')


@dataclasses.dataclass(frozen=True)
class ProposalOptions:
    """Proposals.

    Attributes:
        np: Number of proposals per image.
        threshold: Minimum probability of a pixel of a mask.
        si: Smallest scale of the image pyramid, as an exponent of 2.
        sf: Largest scale of the image pyramid, as an exponent of 2.
        ss: Step between scales, as an exponent of 2.
        zoom: Add the scale 2, for small objects; doubles the time.
        dm: Propose the coarse masks of the DeepMask inside a SharpMask.
        exact: Place windows exactly as the Torch implementation does, with its offset by one.
    """

    np: Annotated[Positive, option(metavar='N')] = 1000
    threshold: Annotated[float, option('--thr', metavar='P')] = MASK_THRESHOLD
    si: Annotated[float, option('--smin', metavar='E')] = FIRST_EXPONENT
    sf: Annotated[float, option('--smax', metavar='E')] = LAST_EXPONENT
    ss: Annotated[float, option('--sstep', metavar='E')] = EXPONENT_STEP
    zoom: Switch = False
    dm: Switch = False
    exact: Switch = False

    def settings(self, model: 'chainer.Link') -> dict[str, Any]:
        """The options as arguments of ``model.propose_rle``.

        Raises:
            chainer_seg.errors.UserError: A DeepMask is asked for the masks of its DeepMask.
        """
        from chainer_seg.models.deepmask import SharpMask, pyramid_scales
        if self.dm and not isinstance(model, SharpMask):
            raise UserError('--dm asks a SharpMask for the masks of its DeepMask, and this is a DeepMask, '
                            'which has no others; omit it.')
        return {'n': self.np, 'threshold': self.threshold,
                'scales': pyramid_scales(self.si, self.sf, self.ss), 'zoom': self.zoom,
                'dm': self.dm, 'exact': self.exact}


@dataclasses.dataclass(frozen=True)
class ImageRange:
    """Images.

    Attributes:
        start_at: Number of the first image, from 1.
        end_at: Number of the last image; all to the end if omitted.
    """

    start_at: Annotated[Positive, option('--startAt', metavar='I')] = 1
    end_at: Annotated[Positive | None, option('--endAt', metavar='I')] = None

    def numbers(self, count: int) -> range:
        """The chosen range of ``count`` images, as numbers from 0.

        Raises:
            chainer_seg.errors.UserError: It is empty.
        """
        end = min(self.end_at or count, count)
        if self.start_at > end:
            raise UserError(f'There is no image from {self.start_at} to {end}; the data set has {count}.')
        return range(self.start_at - 1, end)


def check_makes_proposals(model: 'chainer.Link', name: str) -> None:
    """Raises a UserError if a model cannot propose objects."""
    from chainer_seg.models.deepmask import DeepMask, SharpMask
    if not isinstance(model, (DeepMask, SharpMask)):
        raise UserError(f'{name} holds a {type(model).__name__}, which cannot propose objects; give '
                        f'a DeepMask or a SharpMask.')
