"""Options of the subcommands that run a detector: score threshold, number of objects, suppression."""

import dataclasses
from typing import Annotated, Any

from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Positive, chosen, option


@dataclasses.dataclass(frozen=True)
class Detection:
    """Detections; the settings of the model if omitted.

    Attributes:
        score: Minimum score of an object.
        top_k: Maximum number of objects.
        nms: Maximum IoU of two boxes of a class; of two that overlap more, the one with the lower score is
            dropped.
        suppression: Suppression method of a YOLACT.
    """

    score: Annotated[float | None, option('--score-threshold', metavar='P')] = None
    top_k: Annotated[Positive | None, option(metavar='N')] = None
    nms: Annotated[float | None, option(metavar='IOU')] = None
    suppression: Annotated[str | None, chosen(('fast', 'cross_class', 'traditional')), option()] = None

    def settings(self, model: Any) -> dict[str, Any]:
        """The given options as arguments of ``model.detect``.

        Raises:
            chainer_seg.errors.UserError: The model has no such option.
        """
        given = {'score_threshold': self.score, 'nms_threshold': self.nms, 'max_detections': self.top_k,
                 'suppression': self.suppression}
        settings = {name: value for name, value in given.items() if value is not None}
        if 'suppression' in settings and 'suppression' not in model.option_names:
            raise UserError(f'--suppression is for a YOLACT, and this is a {type(model).__name__}; omit it.')
        return settings
