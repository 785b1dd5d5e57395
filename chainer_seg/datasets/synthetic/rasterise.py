"""Rasterises silhouettes: placement, bending and antialiased coverage."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.synthetic.silhouettes import Outline

_SUBPIXEL_BITS = 4  # cv2.fillPoly takes fixed-point coordinates


def _subdivide(contour: npt.NDArray, count: int = 64) -> npt.NDArray:
    """The contour with about ``count`` additional points along its edges, so that it can be bent."""
    closed = np.concatenate([contour, contour[:1]])
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.union1d(length[:-1], np.linspace(0, length[-1], count, endpoint=False))
    return np.stack([np.interp(at, length, closed[:, 0]), np.interp(at, length, closed[:, 1])], 1)


def place_outline(rng: np.random.Generator, outline: Outline, centre: npt.ArrayLike, diameter: float
                  ) -> list[list[npt.NDArray]]:
    """Rotates, shears and bends an outline and moves it to its place in the image.

    Args:
        rng: Source of all randomness.
        outline: The outline.
        centre: (x, y) in pixels.
        diameter: The longer side of its bounding box in pixels.

    Returns:
        The contours (N, 2) float of each layer, in pixels.
    """
    turn = rng.normal(0, 0.15) if outline.upright and rng.random() < 0.8 else rng.uniform(0, 6.28)
    cosine, sine = np.cos(turn), np.sin(turn)
    stretch = np.diag([np.exp(rng.normal(0, 0.15)), 1.0])
    stretch[0, 1] = rng.normal(0, 0.12)
    matrix = stretch @ np.array([[cosine, sine], [-sine, cosine]])
    layers = [list(layer) for layer in outline.layers]
    if rng.random() < 0.5:
        wave, phase = rng.uniform(1, 3, 2), rng.uniform(0, 6.28, 2)
        depth = rng.uniform(0.02, 0.15)
        layers = [[_bend(_subdivide(c), wave, phase, depth) for c in layer] for layer in layers]
    if rng.random() < 0.15:
        layers = [[_fray(rng, contour) for contour in layer] for layer in layers]
    layers = [[contour @ matrix for contour in layer] for layer in layers]
    points = np.concatenate([contour for layer in layers for contour in layer])
    low, high = points.min(0), points.max(0)
    scale = diameter / max((high - low).max(), 1e-6)
    offset = np.asarray(centre) - (low + high) / 2 * scale
    return [[contour * scale + offset for contour in layer] for layer in layers]


def _bend(contour: npt.NDArray, wave: npt.NDArray, phase: npt.NDArray, depth: float) -> npt.NDArray:
    return contour + depth * np.sin(contour[:, ::-1] * wave + phase)


def _fray(rng: np.random.Generator, contour: npt.NDArray) -> npt.NDArray:
    """The contour with a ragged edge: fur, torn paper, leaves."""
    contour = _subdivide(contour, 160)
    return contour + rng.normal(0, rng.uniform(0.008, 0.03), contour.shape)


def _fill(contours: Sequence[npt.NDArray], origin: npt.NDArray, height: int, width: int,
          scale: int) -> npt.NDArray[np.uint8]:
    """Even-odd filled contours on a canvas ``scale`` times finer, uint8 0 or 255."""
    canvas = np.zeros((height * scale, width * scale), np.uint8)
    points = [np.round(((contour - origin) * scale - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
              for contour in contours]
    cv2.fillPoly(canvas, points, 255, shift=_SUBPIXEL_BITS)
    return canvas


def rasterise(layers: list[list[npt.NDArray]], window: tuple[int, int, int, int],
              rounding: float = 0.0) -> tuple[npt.NDArray, list[npt.NDArray]]:
    """Antialiased coverage of placed layers.

    Args:
        layers: The contours (N, 2) float of each layer, (x, y) in pixels; a pixel (i, j) covers
            [j, j + 1) x [i, i + 1).
        window: (top, left, bottom, right) of the part of the image to draw, in pixels.
        rounding: Radius in pixels by which corners of the union are rounded.

    Returns:
        The coverage of the union, (h, w) float32 in 0..1, and a list of the coverages of the layers,
        (h, w) float32.
    """
    top, left, bottom, right = window
    height, width = bottom - top, right - left
    scale = 4 if max(height, width) < 100 else 2
    origin = np.array([left, top], float)
    fine = [_fill(layer, origin, height, width, scale) for layer in layers]
    union = fine[0].copy()
    for layer in fine[1:]:
        np.maximum(union, layer, out=union)
    if rounding * scale >= 1:
        size = 2 * int(rounding * scale) + 1
        soft = cv2.blur(cv2.blur(union, (size, size)), (size, size))
        union = np.clip((soft.astype(np.float32) - 127.5) * 4 + 127.5, 0, 255).astype(np.uint8)

    def shrink(canvas: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) * np.float32(1 / 255)

    return shrink(union), [shrink(layer) for layer in fine] if len(fine) > 1 else []


def blend(below: npt.NDArray, above: npt.NDArray, alpha: npt.NDArray
          ) -> npt.NDArray:
    """``above`` over ``below``, (h, w, 3) float32 each, by alpha (h, w) float32."""
    return cv2.blendLinear(above, below, alpha, 1 - alpha)
