"""How well a clicked object agrees with the true masks of its image, where they are known."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from chainer_seg.errors import UserError
from chainer_seg.masks import mask_iou


class TrueMasks:
    """The true masks of the objects of several images.

    Args:
        masks: ``{name of the image: (R, H, W) or (H, W) bool}``; images may be omitted.
    """

    def __init__(self, masks: Mapping[str, npt.ArrayLike] | None = None) -> None:
        self._masks = {name: np.asarray(each, bool).reshape((-1,) + np.shape(each)[-2:])
                       for name, each in (masks or {}).items()}

    def iou(self, name: str, mask: npt.NDArray[np.bool_]) -> float | None:
        """The intersection over union of a mask (H, W) with the true mask that it agrees with most.

        Returns:
            None where the masks of the image are unknown, or ``mask`` is empty.

        Raises:
            chainer_seg.errors.UserError: The true masks differ in size from the image.
        """
        if name not in self._masks or not mask.any():
            return None
        known = self._masks[name]
        if known.shape[1:] != mask.shape:
            raise UserError(f'The true masks of {name} must be (R, {mask.shape[0]}, {mask.shape[1]}) as its '
                            f'image is, got {known.shape}.')
        return float(mask_iou(known, mask[None]).max(initial=0))
