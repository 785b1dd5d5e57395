"""Options of the subcommands that run a detector: score threshold, number of objects, suppression."""

import dataclasses
from typing import Annotated, Any

from tyro.conf import DisallowNone

from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Positive, chosen, option


# The options of some models, and of which.
_OF_SOME = {'suppression': 'YOLACT', **dict.fromkeys(
    ('soft_nms', 'soft_nms_sigma', 'vote_threshold', 'scales', 'flip'), 'Mask R-CNN')}


@dataclasses.dataclass(frozen=True)
class Detection:
    """Detections; the settings of the model if omitted.

    Attributes:
        score: Minimum score of an object.
        top_k: Maximum number of objects.
        nms: Maximum IoU of two boxes of a class; of two that overlap more, the one with the lower score is
            dropped.
        suppression: Suppression method of a YOLACT.
        soft_nms: Lower the scores of boxes that overlap better ones, instead of dropping them (Mask R-CNN
            only).
        soft_nms_sigma: Sigma of --soft-nms gaussian.
        vote_threshold: IoU from which boxes of a class move a detected one to their mean (Mask R-CNN only).
        scales: Also detect at these shorter sides of the image, in pixels, and unite the results (Mask R-CNN
            only).
        flip: Also detect in the mirrored image (Mask R-CNN only).
    """

    score: Annotated[float | None, option('--score-threshold', metavar='P')] = None
    top_k: Annotated[Positive | None, option(metavar='N')] = None
    nms: Annotated[float | None, option(metavar='IOU')] = None
    suppression: Annotated[str | None, chosen(('fast', 'cross_class', 'traditional')), option()] = None
    soft_nms: Annotated[str | None, chosen(('linear', 'gaussian')), option()] = None
    soft_nms_sigma: Annotated[float | None, option(metavar='S')] = None
    vote_threshold: Annotated[float | None, option(metavar='IOU')] = None
    scales: Annotated[tuple[Positive, ...], option(metavar='PX ...')] = ()
    flip: Annotated[DisallowNone[bool | None], option()] = None

    def settings(self, model: Any) -> dict[str, Any]:
        """The given options as arguments of ``model.detect``.

        Raises:
            chainer_seg.errors.UserError: The model has no such option.
        """
        given = {'score_threshold': self.score, 'nms_threshold': self.nms, 'max_detections': self.top_k,
                 **{name: getattr(self, name) for name in _OF_SOME}, 'scales': self.scales or None}
        settings = {name: value for name, value in given.items() if value is not None}
        for name, kind in _OF_SOME.items():
            if name in settings and name not in model.option_names:
                raise UserError(f'--{name.replace("_", "-")} is for a {kind}, and this is a '
                                f'{type(model).__name__}; omit it.')
        return settings
