"""What a model offers whose objects can be clicked on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike
from chainer_seg.models.base import Model
from chainer_seg.models.click_session import ClickSession
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.refine import Refinement


class ClickModel(Model):
    """Base of the models that segment the object that is clicked on."""

    def session(self, image: ImageLike, refinement: str | Refinement | None = None) -> ClickSession:
        """Starts a :class:`~chainer_seg.models.click_session.ClickSession` on an image.

        Args:
            image: As :meth:`segment` takes it.
            refinement: Refinement of the probabilities, or None; see the session.

        Raises:
            chainer_seg.errors.UserError: The image or the refinement cannot be used.
        """
        raise NotImplementedError

    def segment(self, image: ImageLike, clicks: Click | Sequence[Click]) -> np.ndarray:
        """Segments the object that the clicks indicate.

        Args:
            image: Anything that :func:`chainer_seg.images.as_image` accepts; usually (H, W, 3) uint8.
            clicks: A :class:`Click` or a sequence of them, in pixels of the image, in the order in
                which they were made.

        Returns:
            (H, W) float32, the probability that a pixel belongs to the object; 0 everywhere where
            no click is positive.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image.
            chainer_seg.errors.ImageError: ``image`` is not an image.
            chainer_seg.errors.ModelError: The network gives values that are not finite.
        """
        return self.session(image).add(*([clicks] if isinstance(clicks, Click) else clicks))

    def click_settings(self) -> dict[str, Any]:
        """The settings, beside the weights, on which the result of a click depends; JSON-ready."""
        return {}


def as_click_model(model: Any) -> Any:
    """The model, unless it is one that cannot be clicked.

    Args:
        model: A :class:`ClickModel`, or anything else with its methods.

    Raises:
        chainer_seg.errors.UserError: It is another :class:`~chainer_seg.models.base.Model`.
    """
    if isinstance(model, Model) and not isinstance(model, ClickModel):
        raise UserError(f'A {type(model).__name__} does not segment what is clicked on; choose a click '
                        f'model, a detector, a DeepMask or a SharpMask.')
    return model
