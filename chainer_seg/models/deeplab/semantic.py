"""The class of every pixel: from an image through DeepLab to labels (arXiv 1606.00915, section 4)."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence

from typing import TypeAlias

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.errors import UserError
from chainer_seg.functions import resize_bilinear
from chainer_seg.images import ImageLike, as_image, fit_within, resize
from chainer_seg.models.base import Model
from chainer_seg.models.deeplab.dense_crf import CrfParameters, find_parameters, semantic_crf
from chainer_seg.models.deeplab.multi_scale import STRIDE, multi_scale_logits
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.inference import inference
from chainer_seg.pixel_values import bytes_of_chainercv


# refine(image (h, w, 3) uint8, probabilities (C, h, w) float32) -> (C, h, w) float32
SemanticRefinement: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
CrfRefinement: TypeAlias = str | CrfParameters | SemanticRefinement | None


class SemanticSegmenter(Model):
    """Base of networks that classify each pixel; a subclass has ``forward``.

    ``forward`` takes (B, 3, H, W) float32, as of :func:`network_image`, and returns logits (B, C, h, w)
    of every eighth pixel.

    Images are shrunk until their longer side is at most ``longest_side`` pixels, because a network
    recognises objects of the sizes that it was trained on; the result is enlarged to the image's size.
    They are then padded with the mean colour to a multiple of eight plus one, as for the authors' Caffe
    nets, so that the first and the last logits belong to the first and the last pixels.

    Args:
        longest_side: In pixels.

    Attributes:
        class_names: Names of the classes, the background first; may be empty.
    """

    def __init__(self, longest_side: int) -> None:
        super().__init__()
        self.longest_side = longest_side

    def probabilities(self, image: ImageLike, *, scales: Sequence[float] = (1,), mirror: bool = False,
                      refinement: CrfRefinement = None,
                      longest_side: int | None = None) -> np.ndarray:
        """The probability of each class for each pixel.

        Args:
            image: Anything that :func:`chainer_seg.images.as_image` accepts; usually (H, W, 3) uint8.
            scales: Scales at which the network sees the image; each position takes its highest
                logits. (1, 0.75, 0.5) are the published ones.
            mirror: Average the probabilities with those of the mirrored image.
            refinement: Parameters of a dense CRF: 'deeplab', 'tensorflow', or
                :class:`chainer_seg.models.deeplab.dense_crf.CrfParameters`, whose pixels are those of
                the shrunk image. Or a function of an image (h, w, 3) uint8 and probabilities (C, h, w)
                float32 that returns other probabilities.
            longest_side: Overrides the model's ``longest_side``.

        Returns:
            (C, H, W) float32, which sum to 1 over the classes; on the CPU.

        Raises:
            chainer_seg.errors.ImageError: ``image`` is not an image.
            chainer_seg.errors.UserError: An option is invalid.
        """
        pixels = as_image(image)
        found = self._small_probabilities(pixels, scales, mirror, refinement, longest_side)
        return np.stack([resize(plane, pixels.shape[:2]) for plane in found])

    def segment(self, image: ImageLike, *, scales: Sequence[float] = (1,), mirror: bool = False,
                refinement: CrfRefinement = None,
                longest_side: int | None = None) -> np.ndarray:
        """The class of each pixel, (H, W) int32; the arguments are those of :meth:`probabilities`."""
        pixels = as_image(image)
        found = self._small_probabilities(pixels, scales, mirror, refinement, longest_side)
        # Class by class, because all enlarged probabilities of a large photograph would fill the memory.
        size = pixels.shape[:2]
        labels = np.zeros(size, np.int32)
        highest = resize(found[0], size)
        for label, plane in enumerate(found[1:], 1):
            plane = resize(plane, size)
            labels[plane > highest] = label
            highest = np.maximum(highest, plane)
        return labels

    def predict(self, imgs: Iterable[np.ndarray]) -> list[np.ndarray]:
        """The labels as ChainerCV's semantic segmentation models give them.

        Args:
            imgs: Iterable of (3, H, W) float32 RGB in [0, 255].

        Returns:
            list of (H, W) int32.
        """
        return [self.segment(bytes_of_chainercv(img)) for img in imgs]

    def prepare(self, image: np.ndarray) -> Array:
        """The network's input for an (h, w, 3) uint8 image, (1, 3, H, W) float32 on its device."""
        padding = [(0, -(side - 1) % STRIDE) for side in image.shape[:2]]
        return self.device.send(np.pad(network_image(image), [(0, 0), *padding])[None])

    def decode(self, logits: ArrayOrVariable, x: ArrayOrVariable) -> chainer.Variable:
        """The probabilities (B, C, H, W) for the input ``x`` (B, 3, H, W) from its logits (B, C, h, w)."""
        return F.softmax(resize_bilinear(logits, x.shape[2:]), axis=1)

    def _small_probabilities(self, image: np.ndarray, scales: Sequence[float], mirror: bool,
                             refinement: CrfRefinement,
                             longest_side: int | None) -> np.ndarray:
        """The probabilities (C, h, w) in the shrunk image."""
        scales, refine = _checked_scales(scales), find_semantic_refinement(refinement)
        image = resize(image, fit_within(image.shape[:2], longest_side or self.longest_side))
        height, width = image.shape[:2]
        with inference():
            x = self.prepare(image)
            found = self._decoded(x, scales)
            if mirror:
                found = (found + self._decoded(x[:, :, :, ::-1], scales)[:, :, :, ::-1]) / 2
        found = chainer.backends.cuda.to_cpu(found[0, :, :height, :width])
        self.check_finite(found)
        return refine(image, found) if refine else found

    def _decoded(self, x: Array, scales: Sequence[float]) -> Array:
        return self.decode(multi_scale_logits(self.forward, x, scales)[1], x).array


def find_semantic_refinement(refinement: CrfRefinement) -> SemanticRefinement | None:
    """The function of a refinement; None for None.

    Args:
        refinement: As that of :meth:`SemanticSegmenter.probabilities`.

    Raises:
        chainer_seg.errors.UserError: The parameters are unknown.
    """
    if refinement is None or callable(refinement):
        return refinement
    return functools.partial(semantic_crf, preset=find_parameters(refinement))


def _checked_scales(scales: Sequence[float]) -> tuple[float, ...]:
    scales = tuple(scales)
    if not scales or not all(0 < scale < math.inf for scale in scales):
        raise UserError(f'Scales must be positive numbers, such as 1 or 0.5, got {scales}.')
    return scales
