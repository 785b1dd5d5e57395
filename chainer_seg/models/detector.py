"""What the detectors share: images in, :class:`chainer_seg.instances.Instances` out."""


from typing import Any

import numpy as np

from collections.abc import Iterable, Mapping, Sequence

from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike, as_image
from chainer_seg.instances import Instances
from chainer_seg.models.candidate_model import CandidateModel
from chainer_seg.models.inference import inference
from chainer_seg.pixel_values import bytes_of_chainercv


class InstanceDetector(CandidateModel):
    """Base of the networks that detect objects of known classes.

    A subclass has attributes by the names in :attr:`option_names`, and three methods, through which
    every image goes in this order:

    - ``prepare(images)`` takes a list of (H, W, 3) uint8 RGB and returns the network's input
      (B, 3, h, w) float32 on the model's device, and what ``decode`` needs to know about the images'
      sizes.
    - ``forward(x)`` is the network: arrays in, arrays out, without decisions on values.
    - ``decode(outputs, sizes, **options)`` turns it into a list of B Instances on the CPU; it gets
      all options.

    Attributes:
        option_names: Options that a call of :meth:`detect` may override.
    """

    option_names: tuple[str, ...] = ('score_threshold', 'nms_threshold', 'max_detections')

    def detect(self, image: ImageLike, **options: Any) -> Instances:
        """Finds the objects of one image.

        Args:
            image: Anything that :func:`chainer_seg.images.as_image` accepts; usually (H, W, 3) uint8.
            score_threshold: Minimum score, exclusive.
            nms_threshold: Intersection over union from which the lower-scoring of two boxes of a
                class is dropped.
            max_detections: Maximum number of objects.

        Returns:
            :class:`chainer_seg.instances.Instances` of the image's size.

        Raises:
            chainer_seg.errors.UserError: An option is invalid.
            chainer_seg.errors.ImageError: ``image`` is not an image.
            chainer_seg.errors.ModelError: The network gives values that are not finite.
        """
        return self.detect_batch([image], **options)[0]

    def detect_batch(self, images: Sequence[ImageLike], **options: Any) -> list[Instances]:
        """As :meth:`detect` for a list of images at once, of any sizes; a list of Instances."""
        options = self._all_options(options)
        images = [as_image(image) for image in images]
        if not images:
            return []
        with inference():
            x, sizes = self.prepare(images)
            outputs = self.forward(x)
            self.check_finite(outputs)
            return self.decode(outputs, sizes, **options)

    def predict(self,
                imgs: Iterable[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """The objects as ChainerCV's instance segmentation models give them.

        Args:
            imgs: Iterable of (3, H, W) float32 RGB in [0, 255].

        Returns:
            Lists of masks (R, H, W) bool, labels (R,) int32 and scores (R,) float32.
        """
        found = [self.detect(bytes_of_chainercv(img)) for img in imgs]
        return ([instances.masks for instances in found], [instances.labels for instances in found],
                [instances.scores for instances in found])

    def _all_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(given) - set(self.option_names))
        if unknown:
            raise TypeError(f'{type(self).__name__} has no option {", ".join(unknown)}; '
                            f'its options are {", ".join(self.option_names)}')
        options = {name: given.get(name, getattr(self, name)) for name in self.option_names}
        _check(**{name: options[name] for name in InstanceDetector.option_names})
        return options


def _check(score_threshold: float, nms_threshold: float, max_detections: int) -> None:
    if not 0 <= score_threshold <= 1:
        raise UserError(f'score_threshold must be between 0 and 1, got {score_threshold:g}.')
    if not 0 < nms_threshold <= 1:
        raise UserError(f'nms_threshold must be above 0 and at most 1, got {nms_threshold:g}.')
    if max_detections < 1:
        raise UserError(f'max_detections must be at least 1, got {max_detections}.')
