"""Refinement by a fully connected CRF (arXiv 1210.5644), as DeepLab uses it (arXiv 1606.00915, 3.3)."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from scipy.special import softmax

from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.crop import SEED_RADIUS, RefinementCrop
from chainer_seg.models.deeplab.permutohedral import PermutohedralLattice
from chainer_seg.models.deeplab.refinement_input import (
    image_and_objects, image_and_probabilities, image_and_probability)

# Probabilities are clipped to this, so that neighbours can overrule any pixel.
_CERTAINTY = 0.999
# Minimum probability of a class, because the logarithm of 0 could never be overruled.
_MIN_BELIEF = 1e-5
# Added to probabilities by the TensorFlow implementation's script, and its share of the background.
_EPSILON, JOINT_BACKGROUND = 1e-10, 0.05
# Classes with a lower maximum probability are excluded from mean field.
_NO_CLASS = 0.01

_Filter: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class CrfParameters:
    """The two kernels of a dense CRF: one of positions, one of positions and colours.

    Attributes:
        smooth_weight, smooth_xy: Weight and standard deviation (pixels) of the first.
        colour_weight, colour_xy, colour_rgb: Weight and standard deviations (pixels; levels of
            0..255) of the second.
        steps: Iterations of mean field.

    Raises:
        chainer_seg.errors.UserError: A weight is below 0, or a deviation is not above 0.
    """

    smooth_weight: float
    smooth_xy: float
    colour_weight: float
    colour_xy: float
    colour_rgb: float
    steps: int = 10

    def __post_init__(self) -> None:
        weights = self.smooth_weight, self.colour_weight
        deviations = self.smooth_xy, self.colour_xy, self.colour_rgb
        if not (all(0 <= weight < math.inf for weight in weights) and self.steps >= 0
                and all(0 < deviation < math.inf for deviation in deviations)):
            raise UserError(f'The weights and steps of a dense CRF must not be negative, and its '
                            f'deviations must be above 0, got {self}.')


PRESETS = {
    # The script of the TensorFlow implementation of arXiv 1603.04042.
    'tensorflow': CrfParameters(3, 9, 10, 40, 17),
    # DeepLab's own, for PASCAL VOC.
    'deeplab': CrfParameters(3, 1, 4, 67, 3),
}


def dense_crf(image: ImageLike, probability: ArrayLike, clicks: Sequence[Click], *,
              preset: str | CrfParameters = 'deeplab', longest_side: int = 256,
              seed_radius: float = SEED_RADIUS) -> np.ndarray:
    """The probability of the object under a dense CRF, by mean field.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes; mostly (H, W, 3) uint8.
        probability: (H, W) float32 in 0..1.
        clicks: The clicks; a disc around each keeps the click's label.
        preset: A name of :data:`PRESETS`, or :class:`CrfParameters`. On training photographs
            'deeplab' did no harm where 'tensorflow' lost much of the object.
        longest_side: Maximum longer side, in pixels, of the crop around the possible object.
        seed_radius: Radius of the discs in pixels.

    Returns:
        (H, W) float32 in 0..1.

    Raises:
        chainer_seg.errors.UserError: The preset is unknown, or ``probability`` is not a probability.
        chainer_seg.errors.ImageError: ``image`` is not an image, or differs in size from the
            probability.
        chainer_seg.errors.ClickError: A click lies outside the image.
    """
    parameters = find_parameters(preset)
    image, probability = image_and_probability(image, probability)
    crop = RefinementCrop.on_object(image, probability, clicks, longest_side, seed_radius)
    if crop is None:
        return probability
    parameters = dataclasses.replace(
        parameters, smooth_xy=parameters.smooth_xy / crop.scale,
        colour_xy=parameters.colour_xy / crop.scale)
    believed = np.clip(crop.probability, 1 - _CERTAINTY, _CERTAINTY)
    labels = np.where(crop.positive, 1, np.where(crop.negative, 0, -1))
    refined = mean_field(crop.image, np.stack([1 - believed, believed]), parameters, labels)[1]
    return crop.paste(refined)


def semantic_crf(image: ImageLike, probabilities: ArrayLike, *,
                 preset: str | CrfParameters = 'deeplab',
                 progress: Callable[[range], Iterable[int]] = iter) -> np.ndarray:
    """The probabilities of classes under a dense CRF, by mean field.

    A class whose probability is nowhere above 0.01 is excluded: it keeps its probabilities, and the
    others share the rest. It could not win anyway, because the message of the neighbours is a weighted
    mean of their probabilities. The time grows with the number of remaining classes: on one core 1.5 s
    for all 21 and 0.8 s for 5 in an image of 500x375.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes; mostly (H, W, 3) uint8.
        probabilities: (C, H, W) float32 in 0..1, which sum to 1; at least two classes.
        preset: A name of :data:`PRESETS`, or :class:`CrfParameters`.
        progress: Wraps the iteration over the steps, as ``tqdm`` does.

    Returns:
        (C, H, W) float32, which sum to 1.

    Raises:
        chainer_seg.errors.UserError: The preset is unknown, the deviations are too small for the image,
            or ``probabilities`` are not probabilities.
        chainer_seg.errors.ImageError: ``image`` is not an image, or differs in size from the
            probabilities.
    """
    parameters = find_parameters(preset)
    image, probabilities = image_and_probabilities(image, probabilities)
    kept = probabilities.max(axis=(1, 2)) >= min(_NO_CLASS, 0.5 / len(probabilities))
    refined = probabilities.copy()
    share = refined[kept].sum(axis=0)
    believed = np.maximum(probabilities[kept], _MIN_BELIEF)
    refined[kept] = mean_field(image, believed, parameters, progress=progress) * share
    return refined


def joint_crf(image: ImageLike, probabilities: ArrayLike, *, preset: str | CrfParameters = 'tensorflow',
              background: float = JOINT_BACKGROUND) -> npt.NDArray[np.int32]:
    """To which of several objects each pixel belongs, under a dense CRF of all of them.

    As the script of the TensorFlow implementation does it: the probabilities are divided by the largest of
    all, and the background has a small share of what the likeliest object leaves.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes; mostly (H, W, 3) uint8.
        probabilities: (K, H, W) float32 in 0..1, of each object alone, such as of a click model.
        preset: A name of :data:`PRESETS`, or :class:`CrfParameters`.
        background: Factor of the background's probability.

    Returns:
        (H, W) int32, 0 for the background and k + 1 for object k.

    Raises:
        chainer_seg.errors.UserError: The preset is unknown, or ``probabilities`` are not probabilities.
        chainer_seg.errors.ImageError: ``image`` is not an image, or differs in size from the
            probabilities.
    """
    parameters = find_parameters(preset)
    image, objects = image_and_objects(image, probabilities)
    objects = objects / max(float(objects.max()), _EPSILON)
    rest = background * (1 - objects.max(axis=0))
    believed = np.concatenate([rest[None], objects]) + _EPSILON
    return mean_field(image, believed, parameters).argmax(axis=0).astype(np.int32)


def mean_field(image: np.ndarray, probabilities: np.ndarray, parameters: CrfParameters,
               labels: np.ndarray | None = None, progress: Callable[[range], Iterable[int]] = iter
               ) -> np.ndarray:
    """Mean field of a dense CRF with Potts costs.

    As in the authors' program, kernels are normalised symmetrically, D^-1/2 K D^-1/2 with D the
    row sums of K, and a pixel counts among its own neighbours.

    Args:
        image: (H, W, 3) uint8.
        probabilities: (C, H, W) float above 0, the unary probabilities of the classes.
        parameters: The two kernels.
        labels: (H, W) int, the class of pixels where it is known and -1 elsewhere.
        progress: As that of :func:`semantic_crf`.

    Returns:
        (C, H, W) float32, which sum to 1.
    """
    classes, height, width = probabilities.shape
    unary = np.log(probabilities).reshape(classes, -1).T.astype(np.float32)
    flat = np.full(height * width, -1) if labels is None else labels.ravel()
    given = np.flatnonzero(flat >= 0)
    settled = np.eye(classes, dtype=np.float32)[flat[given]]
    smooth = _normalised(_position_filter((height, width), parameters.smooth_xy), height * width)
    features = _features(image, parameters.colour_xy, parameters.colour_rgb)
    colour = _normalised(PermutohedralLattice(features).filter, height * width)
    belief = softmax(unary, axis=1)
    for step in progress(range(parameters.steps + 1)):
        if step:
            belief = softmax(unary + parameters.smooth_weight * smooth(belief)
                             + parameters.colour_weight * colour(belief), axis=1)
        belief[given] = settled
    return belief.T.reshape(classes, height, width)


def find_parameters(preset: str | CrfParameters) -> CrfParameters:
    """The :class:`CrfParameters` of a preset's name, or ``preset`` itself if it is one.

    Raises:
        chainer_seg.errors.UserError: The name is unknown.
    """
    if isinstance(preset, CrfParameters):
        return preset
    if preset not in PRESETS:
        raise UserError(f'Unknown CRF parameters {preset!r}; choose from '
                        f'{", ".join(PRESETS)}.')
    return PRESETS[preset]


def _features(image: np.ndarray, xy: float, rgb: float) -> np.ndarray:
    """(H * W, 5) positions and colours in standard deviations."""
    height, width = image.shape[:2]
    places = np.moveaxis(np.mgrid[:height, :width], 0, -1) / xy
    return np.concatenate([places, image / rgb], axis=2).reshape(-1, 5)


def _position_filter(size: tuple[int, int], deviation: float) -> _Filter:
    """A Gaussian filter of values (N, C) at the N pixels of an image of ``size``."""
    side = 2 * int(np.ceil(4 * deviation)) + 1

    def apply(values: np.ndarray) -> np.ndarray:
        planes = values.reshape(*size, -1)
        return cv2.GaussianBlur(planes, (side, side), deviation,
                                borderType=cv2.BORDER_CONSTANT).reshape(values.shape)
    return apply


def _normalised(apply: _Filter, count: int) -> _Filter:
    """The filter normalised symmetrically: divided by the root of its response to ones, before and after."""
    root = np.sqrt(np.maximum(apply(np.ones((count, 1), np.float32)), 1e-20))
    return lambda values: apply(values / root) / root
