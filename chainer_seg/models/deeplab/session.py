"""Clicks on a network that sees the image and the clicks, and zooms in on the object."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from chainer_seg.models.click_session import ClickSession
from chainer_seg.models.click_state import ClickState, clicks_with_start
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.refine import Refinement
from chainer_seg.models.deeplab.zoom_in import Crop, changed_crop, crop_iou, zoom_crop

if TYPE_CHECKING:
    from chainer_seg.models.deeplab.segmenter import ClickSegmenter

# Crops with a smaller intersection over union differ so much that a second pass pays off.
_SAME_CROP = 0.6

# The local pass begins with this click, when most of the object has been found, and needs a crop whose side
# is at most this share of the object's, so that it shows more detail.
_FIRST_LOCAL_CLICK = 3
_LOCAL_SHARE = 0.8

Pass: TypeAlias = tuple[Crop, np.ndarray]  # what the network saw, and its logits


class NetworkSession(ClickSession):
    """The session of a :class:`ClickSegmenter`, whose results are the passes of the network, the last on top.

    Args:
        model: The click model.
        image, refinement: As those of :class:`chainer_seg.models.click_session.ClickSession`.
        flip: Whether to average the logits with those of mirrored images; None for the model's setting.
    """

    def __init__(self, model: 'ClickSegmenter', image: np.ndarray,
                 refinement: str | Refinement | None = None, flip: bool | None = None) -> None:
        self._model = model
        self._predict_logits = model.predict_logits
        if flip is not None:
            self._predict_logits = functools.partial(self._predict_logits, flip=flip)
        super().__init__(image, refinement)

    def _find(self, clicks: tuple[Click, ...], before: ClickState, previous: np.ndarray) -> tuple[Pass, ...]:
        new, count = set(clicks) - set(before.clicks), len(clicks)
        if not self._model.mask_input:
            clicks = clicks_with_start(clicks, before.start)
        found = self._segment(clicks, previous)
        side = self._model.local_side
        # Several new clicks, such as those of a box, change the object in several places.
        if side is None or count < _FIRST_LOCAL_CLICK or len(new) != 1:
            return (found,)
        probability = self._paste((found,))
        crop = changed_crop(previous > 0.5, probability > 0.5, *new)
        if max(crop[2:]) > _LOCAL_SHARE * max(found[0][2:]):
            return (found,)
        return found, (crop, self._crop_logits(crop, clicks, probability, side))

    def _paste(self, result: tuple[Pass, ...]) -> np.ndarray:
        probability = np.zeros(self.image.shape[:2], np.float32)
        for (top, left, height, width), logits in result:
            probability[top:top + height, left:left + width] = self._model.decode(logits, (height, width))
        return probability

    def _segment(self, clicks: Sequence[Click], previous: np.ndarray) -> Pass:
        """The crop around the object and its logits; a second pass if the object moved out of the crop."""
        height, width = self.image.shape[:2]
        whole = (0, 0, height, width)
        side = self._model.zoom_side
        if side is None:
            return whole, self._crop_logits(whole, clicks, previous)
        found = previous > 0.5
        crop = zoom_crop(found, clicks) if found.any() else whole
        logits = self._crop_logits(crop, clicks, previous, side if crop != whole else None)
        probability = self._paste(((crop, logits),))
        found = probability > 0.5
        if not found.any() and not any(click.positive for click in clicks):
            return crop, logits
        closer = zoom_crop(found, clicks)
        if crop_iou(crop, closer) > _SAME_CROP:
            return crop, logits
        return closer, self._crop_logits(closer, clicks, probability, side)

    def _crop_logits(self, crop: Crop, clicks: Sequence[Click], previous: np.ndarray,
                     side: int | None = None) -> np.ndarray:
        top, left, height, width = crop
        part = np.s_[top:top + height, left:left + width]
        inside = [dataclasses.replace(click, y=click.y - top, x=click.x - left)
                  for click in clicks]
        return self._predict_logits(self.image[part], inside, previous[part], side)
