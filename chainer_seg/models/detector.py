"""What the detectors share: pictures in, :class:`chainer_seg.instances.Instances` out."""


import numpy as np

from collections.abc import Iterable

from chainer_seg.errors import UserError
from chainer_seg.images import as_image
from chainer_seg.models.base import Model
from chainer_seg.models.inference import inference
from chainer_seg.pixel_values import bytes_of_chainercv


class InstanceDetector(Model):
    """Base of the networks that find the objects of known classes.

    A subclass has attributes by the names in :attr:`option_names`, and three methods, through which
    every picture goes in this order:

    - ``prepare(images)`` takes a list of (H, W, 3) uint8 RGB and returns the network's input
      (B, 3, h, w) float32 on the model's device, and what ``decode`` has to know of the pictures'
      sizes.
    - ``forward(x)`` is the network: arrays in, arrays out, without decisions on values.
    - ``decode(outputs, sizes, **options)`` makes a list of B Instances of it, on the CPU; it is given
      all options.

    Attributes:
        option_names: What a call of :meth:`detect` may change for this once.
    """

    option_names: tuple[str, ...] = ('score_threshold', 'nms_threshold', 'max_detections')

    def detect(self, image, **options):
        """Finds the objects of one picture.

        Args:
            image: Anything that :func:`chainer_seg.images.as_image` takes; mostly (H, W, 3) uint8.
            score_threshold: Objects must have a higher score.
            nms_threshold: Of two boxes of a class that overlap by this intersection over union, the
                one with the lower score is dropped.
            max_detections: Largest number of objects.

        Returns:
            :class:`chainer_seg.instances.Instances` of the picture's size.

        Raises:
            chainer_seg.errors.UserError: An option cannot be used.
            chainer_seg.errors.ImageError: ``image`` is not a picture.
            chainer_seg.errors.ModelError: The network gives values that are not finite.
        """
        return self.detect_batch([image], **options)[0]

    def detect_batch(self, images, **options):
        """As :meth:`detect` for a list of pictures at once, of any sizes; a list of Instances."""
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

    def _all_options(self, given):
        unknown = sorted(set(given) - set(self.option_names))
        if unknown:
            raise TypeError(f'{type(self).__name__} has no option {", ".join(unknown)}; '
                            f'it has {", ".join(self.option_names)}')
        options = {name: given.get(name, getattr(self, name)) for name in self.option_names}
        _check(**{name: options[name] for name in InstanceDetector.option_names})
        return options


def _check(score_threshold, nms_threshold, max_detections):
    if not 0 <= score_threshold <= 1:
        raise UserError(f'The score {score_threshold:g} is not between 0 and 1; choose another one.')
    if not 0 < nms_threshold <= 1:
        raise UserError(f'The overlap {nms_threshold:g} for the suppression is not above 0 and at '
                        f'most 1; choose another one.')
    if max_detections < 1:
        raise UserError(f'{max_detections} objects cannot be found; ask for at least 1.')
