"""What a model offers that finds objects by itself, so that a click can pick among them."""

import numpy as np
import numpy.typing as npt

from chainer_seg.images import ImageLike, as_image
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.candidate_session import CandidateSession
from chainer_seg.models.click_model import ClickModel
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.refine import Refinement


class CandidateModel(ClickModel):
    """Base of the detectors and proposal models: their objects, sure or not, are what can be clicked on."""

    def candidates(self, image: npt.NDArray[np.uint8]) -> CandidateMasks:
        """All masks of an image that may be an object, far more than a detection returns.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            chainer_seg.errors.ModelError: The network gives values that are not finite.
        """
        raise NotImplementedError

    def candidates_at(self, image: npt.NDArray[np.uint8], click: Click) -> CandidateMasks:
        """More masks of what a click lies in the middle of; none for a model that cannot look there.

        Args:
            image: As that of :meth:`candidates`.
            click: Inside the image.

        Raises:
            chainer_seg.errors.ModelError: The network gives values that are not finite.
        """
        return CandidateMasks.none(image.shape[:2])

    def session(self, image: ImageLike,
                refinement: str | Refinement | None = None) -> CandidateSession:
        """Starts a session on an image; the candidates are computed now.

        Args:
            image: As :meth:`segment` takes it.
            refinement: Refinement of the probabilities, or None; see
                :class:`chainer_seg.models.click_session.ClickSession`.
        """
        return CandidateSession(self, as_image(image), refinement)
