"""Clicks that pick, combine and cut the candidate masks of a model."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.images import fit_within, resize
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.candidate_choice import compose
from chainer_seg.models.candidate_masks import CandidateMasks, window_of
from chainer_seg.models.click_session import ClickSession, ClickState
from chainer_seg.models.deeplab.clicks import Click, pixel_of
from chainer_seg.models.deeplab.refine import Refinement

if TYPE_CHECKING:
    from chainer_seg.models.candidate_model import CandidateModel

# The probability goes from 0.27 to 0.73 within one of these on either side of the outline, as a fraction of
# the root of the object's area: a refinement may move the outline so far where the image asks for it.
_SOFTNESS = 0.05
_FARTHEST = 6.0  # multiples of it; the probability is 0 beyond
_LONGEST_SIDE = 512  # pixels at which distances are computed
_ABOVE_HALF = np.nextafter(np.float32(0.5), np.float32(1))


class CandidateSession(ClickSession):
    """The session of a model that finds objects by itself; its results are masks as :class:`RunLengthMasks`.

    Args:
        model: The model; its candidates for the image are computed now.
        image, refinement: As those of :class:`chainer_seg.models.click_session.ClickSession`.
    """

    def __init__(self, model: 'CandidateModel', image: np.ndarray,
                 refinement: str | Refinement | None = None) -> None:
        self._model = model
        self._candidates = model.candidates(image)
        self._at_pixel: dict[tuple[int, int], CandidateMasks] = {}  # what the model found at clicks
        super().__init__(image, refinement)

    def _find(self, clicks: tuple[Click, ...], before: ClickState, previous: np.ndarray) -> RunLengthMasks:
        candidates = self._candidates.joined(*map(self._candidates_at, clicks))
        return RunLengthMasks.from_masks(compose(candidates, clicks, before.start)[None])

    def _candidates_at(self, click: Click) -> CandidateMasks:
        pixel = pixel_of(click)
        if pixel not in self._at_pixel:
            self._at_pixel[pixel] = self._model.candidates_at(self.image, click)
        return self._at_pixel[pixel]

    def _paste(self, result: RunLengthMasks) -> np.ndarray:
        return soft_mask(result.to_masks()[0])


def soft_mask(mask: np.ndarray) -> np.ndarray:
    """A probability (H, W) float32 above 0.5 exactly on a mask (H, W) bool, uncertain near its outline."""
    probability = np.zeros(mask.shape, np.float32)
    softness = _SOFTNESS * np.sqrt(np.count_nonzero(mask))
    part = window_of(mask, int(_FARTHEST * softness) + 2)
    if part is None:
        return probability
    size = fit_within(mask[part].shape, _LONGEST_SIDE)
    scale = max(mask[part].shape) / max(size)
    small = resize(mask[part].astype(np.float32), size) > 0.5
    # From a pixel's centre to the outline is half a pixel less than to the nearest pixel beyond.
    inside, outside = (np.maximum(_distance(where) - np.float32(0.5), 0) for where in (small, ~small))
    signed = np.clip((inside - outside) * np.float32(scale / softness), -_FARTHEST, _FARTHEST)
    soft = resize(1 / (1 + np.exp(-signed)), mask[part].shape)
    probability[part] = np.where(mask[part], np.maximum(soft, _ABOVE_HALF), np.minimum(soft, np.float32(0.5)))
    return probability


def _distance(where: npt.NDArray[np.bool_]) -> np.ndarray:
    """(H, W) float32, the distance of each pixel in ``where`` to the nearest that is not; 0 for others."""
    if where.all():
        return np.full(where.shape, np.float32(2 * max(where.shape)))
    return cv2.distanceTransform(where.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
