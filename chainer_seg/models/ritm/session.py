"""Clicks on RITM's networks: each is answered from the result and the zoom-in box of the one before."""

from typing import TYPE_CHECKING

import numpy as np

from chainer_seg.models.click_session import ClickSession
from chainer_seg.models.click_state import ClickState, clicks_with_start
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.refine import Refinement
from chainer_seg.models.ritm.answer import Answer

if TYPE_CHECKING:
    from chainer_seg.models.ritm.segmenter import RitmSegmenter


class RitmSession(ClickSession):
    """The session of a :class:`RitmSegmenter`, whose results are each an :class:`Answer`.

    A mask that an object starts from is the previous mask of the first click on it; the following clicks
    get the last result, while the original's demo shows the mask to all of them.

    Args:
        model: The click model.
        image, refinement: As those of :class:`chainer_seg.models.click_session.ClickSession`.
        flip: Whether to average with the mirrored image; None for the model's setting.
    """

    def __init__(self, model: 'RitmSegmenter', image: np.ndarray,
                 refinement: str | Refinement | None = None, flip: bool | None = None) -> None:
        self._model, self._flip = model, flip
        super().__init__(image, refinement)

    def _find(self, clicks: tuple[Click, ...], before: ClickState, previous: np.ndarray) -> Answer:
        if not self._model.mask_input:
            clicks = clicks_with_start(clicks, before.start)
        return self._model.answer(self.image, clicks, previous, before=before.result, flip=self._flip)

    def _paste(self, result: Answer) -> np.ndarray:
        return self._model.decode(result.logits, result.view)
