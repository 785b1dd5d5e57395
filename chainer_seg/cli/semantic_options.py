"""Options of the subcommands that run a DeepLab: scales, mirroring and refinement."""

import dataclasses
from typing import Annotated, Any

import tyro

from chainer_seg.models.deeplab.multi_scale import SCALES
from chainer_seg.recipes.options import Positive, Switch, option

_SCALES = tyro.conf.create_mutex_group(required=False)


@dataclasses.dataclass(frozen=True)
class SemanticInference:
    """Inference.

    Attributes:
        scales: Scales at which images are segmented; the maximum of the logits counts.
        msc: Segment at the published scales, 1, 0.75 and 0.5.
        mirror: Average with the mirrored image.
        crf: Parameters of a dense CRF that refines the result: deeplab or tensorflow, optionally with
            changes, as in deeplab,steps=5.
        longest_side: Maximum longer side, in pixels; that of the model if omitted.
    """

    scales: Annotated[tuple[float, ...], option(metavar='S ...'), _SCALES] = (1.0,)
    msc: Annotated[Switch, _SCALES] = False
    mirror: Switch = False
    crf: Annotated[str | None, option(metavar='P')] = None
    longest_side: Annotated[Positive | None, option(metavar='PX')] = None

    def settings(self) -> dict[str, Any]:
        """The options as arguments of ``model.segment``.

        Raises:
            chainer_seg.errors.UserError: There are no such parameters of a CRF.
        """
        from chainer_seg.cli.crf_options import crf_parameters
        return {'scales': SCALES if self.msc else self.scales, 'mirror': self.mirror,
                'refinement': None if self.crf is None else crf_parameters(self.crf),
                'longest_side': self.longest_side}
