"""Refinement by a graph cut with the clicks as hard constraints (section 3.3 of arXiv 1603.04042).

The energy is that of Boykov and Jolly, "Interactive Graph Cuts for Optimal Boundary & Region
Segmentation of Objects in N-D Images" (ICCV 2001), with the network's probability added to the
likelihood of colour histograms.
"""

from collections.abc import Sequence
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage, special

from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.crop import SEED_RADIUS, RefinementCrop, click_discs
from chainer_seg.models.deeplab.refinement_input import image_and_probability

# The four of a pixel's eight neighbours that come after it, as offsets (rows, columns).
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))

_BINS = 16  # per channel of a colour histogram
_MAX_EVIDENCE = 3.0  # maximum log-odds that a colour contributes


def graph_cut(image: ImageLike, probability: ArrayLike, clicks: Sequence[Click], *, smoothness: float = 10.0,
              colour_weight: float = 1.5, longest_side: int = 256, certainty: float = 0.999,
              seed_radius: float = SEED_RADIUS) -> np.ndarray:
    """The object of minimum energy, found by maximum flow.

    The energy of a labelling is the sum over pixels of -log(probability of its label) and, over
    neighbours of different labels, of ``smoothness`` times :func:`contrast_weights`. Only a crop around
    the possible object is cut. Xu et al. use the network's probability alone, which is a
    ``colour_weight`` of 0; the defaults did best on training photographs.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts; usually (H, W, 3) uint8.
        probability: (H, W) float32 in 0..1.
        clicks: The clicks; a disc around each keeps the click's label.
        smoothness: Cost of a boundary between pixels of the same colour.
        colour_weight: Factor of :func:`colour_evidence`, which is added to the log-odds of the
            probability.
        longest_side: Maximum longer side of the crop in pixels.
        certainty: Maximum probability of a pixel.
        seed_radius: Radius of the discs in pixels.

    Returns:
        (H, W) float32, above 0.5 exactly on the cut object. On either side of 0.5 it orders pixels as
        ``probability`` does: a threshold of 0.25 gives the union of the cut object and the pixels with
        a probability above 0.5, a threshold of 0.75 their intersection. The discs of the clicks are 1
        and 0, so that they keep their labels at every threshold.

    Raises:
        chainer_seg.errors.UserError: PyMaxflow is not installed, or ``probability`` is not a
            probability.
        chainer_seg.errors.ImageError: ``image`` is not an image, or differs in size from the
            probability.
        chainer_seg.errors.ClickError: A click lies outside the image.
    """
    import_maxflow()
    image, probability = image_and_probability(image, probability)
    crop = RefinementCrop.on_object(image, probability, clicks, longest_side, seed_radius)
    if crop is None:
        return probability / 2
    believed = np.clip(crop.probability, 1 - certainty, certainty)
    believed[crop.positive], believed[crop.negative] = certainty, 1 - certainty
    if colour_weight:
        evidence = colour_weight * colour_evidence(crop.image, believed)
        believed = np.clip(special.expit(special.logit(believed) + evidence),
                           1 - certainty, certainty)
    cut = least_energy(crop.image, believed, crop.positive, crop.negative, smoothness)
    result = around_cut(crop.paste(cut) > 0.5, probability)
    positive, negative = click_discs(clicks, probability.shape, seed_radius)
    result[positive], result[negative] = 1, 0
    return result


def least_energy(image: np.ndarray, probability: np.ndarray, positive: np.ndarray, negative: np.ndarray,
                 smoothness: float) -> np.ndarray:
    """The labelling (H, W) bool of minimum energy; see :func:`graph_cut`.

    Args:
        image: (H, W, 3) uint8.
        probability: (H, W) float between 0 and 1, exclusive.
        positive, negative: (H, W) bool, pixels whose label is given.
        smoothness: Factor of :func:`contrast_weights`.
    """
    shape = probability.shape
    edges = [(*_pairs(np.arange(probability.size).reshape(shape), step), smoothness * weight)
             for step, weight in zip(_NEIGHBOURS, contrast_weights(image))]
    # More than all edges of a pixel together, so that no cut contradicts a click.
    never = 1 + 8 * smoothness + 2 * -np.log(min(probability.min(), 1 - probability.max()))
    cost_of_object = np.where(positive, 0, np.where(negative, never, -np.log(probability)))
    cost_of_rest = np.where(negative, 0, np.where(positive, never, -np.log1p(-probability)))
    graph = import_maxflow().GraphFloat(probability.size, sum(len(edge[0]) for edge in edges))
    nodes = graph.add_grid_nodes(shape)
    for first, second, weight in edges:
        graph.add_edges(first, second, weight, weight)
    graph.add_grid_tedges(nodes, cost_of_rest.astype(float), cost_of_object.astype(float))
    graph.maxflow()
    return ~graph.get_grid_segments(nodes)


def colour_evidence(image: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """The log-odds that the colour of each pixel belongs to the object.

    Args:
        image: (H, W, 3) uint8.
        probability: (H, W) float in 0..1, the weight of a pixel in the histogram of the object; the rest
            is its weight in the histogram of the background.

    Returns:
        (H, W) float64, the logarithm of the ratio of the two smoothed histograms.
    """
    codes = (image.astype(np.int64) * _BINS // 256) @ np.array([_BINS * _BINS, _BINS, 1])
    logs = []
    for weight in (probability, 1 - probability):
        counts = np.bincount(codes.ravel(), weight.ravel(), _BINS ** 3).reshape((_BINS,) * 3)
        # The constant makes the log-odds of a colour that does not occur 0.
        smooth = ndimage.gaussian_filter(counts, 1) + 1e-3
        logs.append(np.log(smooth / smooth.sum()).ravel())
    return np.clip(logs[0] - logs[1], -_MAX_EVIDENCE, _MAX_EVIDENCE)[codes]


def contrast_weights(image: np.ndarray) -> list[np.ndarray]:
    """The similarity of neighbouring pixels: exp(-|difference|^2 / (2 mean |difference|^2)) / distance.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        Four (P,) float64 for the neighbours to the right, below, below right and below left.
    """
    pixels = image.astype(np.float64)
    squares = [((second - first) ** 2).sum(axis=-1) for first, second in
               (_pairs(pixels, step) for step in _NEIGHBOURS)]
    mean = np.concatenate(squares).mean() if pixels[:, :, 0].size > 1 else 0.0
    return [np.exp(-square / max(2 * mean, np.finfo(float).tiny)) / np.hypot(*step)
            for square, step in zip(squares, _NEIGHBOURS)]


def around_cut(inside: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """A map (H, W) float32 above 0.5 exactly ``inside``, ordered as ``probability`` on each side."""
    half = probability.astype(np.float32) / 2
    least = np.nextafter(np.float32(0.5), np.float32(1))
    return np.where(inside, np.maximum(half + np.float32(0.5), least), half)


def import_maxflow() -> ModuleType:
    """The module of PyMaxflow.

    Raises:
        chainer_seg.errors.UserError: It is not installed.
    """
    try:
        import maxflow
    except ImportError as error:
        raise UserError('The graph cut needs PyMaxflow; install it with '
                        'pip install "chainer-seg[refine]".') from error
    return maxflow


def _pairs(array: np.ndarray, step: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The pixels (P, ...) of (H, W, ...) that have a neighbour at ``step``, and these neighbours."""
    down, right = step
    height, width = array.shape[:2]
    first = array[:height - down, max(0, -right):width - max(0, right)]
    second = array[down:, max(0, right):width - max(0, -right)]
    rest = array.shape[2:]
    return first.reshape(-1, *rest), second.reshape(-1, *rest)
