"""Painting of one object: texture, parts, shading, rim and cast shadow."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.synthetic.rasterise import blend
from chainer_seg.datasets.synthetic.textures import (
    paint_texture,
    random_colour,
    random_coordinates,
    scale_colours,
    value_noise,
)


def paint_surface(rng: np.random.Generator, height: int, width: int, scale: float,
                  parts: list[npt.NDArray], backdrop: npt.NDArray | None = None,
                  palette: npt.NDArray[np.uint8] | None = None) -> npt.NDArray:
    """The texture of an object: one to three differently textured parts with small details.

    Args:
        rng: Source of all randomness.
        height, width: Size in pixels.
        scale: Half the object's diameter in pixels.
        parts: (h, w) float32 coverage of the silhouette's second and third part; with an empty list,
            the surface is divided at random.
        backdrop: (h, w, 3) float32, the texture of a camouflaged object; None for its own texture.
        palette: (256, 3) uint8, the colours of the first part; None for random ones.

    Returns:
        (h, w, 3) float32 array in 0..255.
    """
    grain = max(3.0, scale * np.exp(rng.uniform(-1.6, 0.3)))
    if backdrop is not None:
        surface = backdrop * (random_colour(rng) * np.float32(0.0012) + np.float32(rng.uniform(
            0.7, 1.1)))
    else:
        surface = paint_texture(rng, height, width, grain, palette)
    if not parts and rng.random() < 0.4:
        parts = [_division(rng, height, width, scale) for _ in range(rng.integers(1, 3))]
    for part in parts:
        surface = blend(surface, paint_texture(rng, height, width, grain), part)
    if rng.random() < 0.3:
        _draw_details(rng, surface, scale)
    return surface


def _division(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray[np.float32]:
    """A soft-edged half, band or patch of the surface, (h, w) float32 in 0..1."""
    kind = rng.integers(3)
    if kind == 0:
        field = value_noise(rng, height, width, scale * rng.uniform(0.5, 1.5), 2) - 0.5
        field *= scale
    else:
        field, _ = random_coordinates(rng, height, width, 1.0)
        field = field + np.zeros((height, width), np.float32)
        if kind == 2:
            field = np.float32(scale * rng.uniform(0.1, 0.4)) - np.abs(field)
    return np.clip(field + np.float32(0.5), 0, 1).astype(np.float32)


def _draw_details(rng: np.random.Generator, surface: npt.NDArray, scale: float) -> None:
    """Small marks on the surface: spots and strokes (eyes, buttons, prints, scratches)."""
    height, width = surface.shape[:2]
    for _ in range(rng.integers(1, 6)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        colour = random_colour(rng).tolist()
        centre = (int(x * 16), int(y * 16))
        if rng.random() < 0.6:
            axes = (rng.uniform(0.04, 0.2, 2) * scale * 16 + 8).astype(int).tolist()
            cv2.ellipse(surface, centre, axes, rng.uniform(0, 180), 0, 360, colour, -1,
                        cv2.LINE_8, 4)
        else:
            end = (int((x + rng.normal(0, scale)) * 16), int((y + rng.normal(0, scale)) * 16))
            cv2.line(surface, centre, end, colour, max(1, int(scale * rng.uniform(0.02, 0.1))),
                     cv2.LINE_8, 4)


def shading(rng: np.random.Generator, coverage: npt.NDArray, light: tuple[float, float],
            scale: float) -> tuple[npt.NDArray | None, npt.NDArray | None]:
    """Light on an object as a factor per pixel.

    Args:
        rng: Source of all randomness.
        coverage: (h, w) float32, the silhouette.
        light: Unit vector (x, y) towards the light.
        scale: Half the object's diameter in pixels.

    Returns:
        A factor (h, w) float32 around 1 and an additive highlight (h, w) float32, each or None.
    """
    height, width = coverage.shape
    strength = np.float32(rng.uniform(0.1, 0.6))
    kind = rng.random()
    if kind < 0.15:
        return None, None
    if kind < 0.5:
        y = np.arange(height, dtype=np.float32)[:, None] - np.float32(height / 2)
        x = np.arange(width, dtype=np.float32)[None] - np.float32(width / 2)
        ramp = (x * np.float32(light[0]) + y * np.float32(light[1])) * np.float32(1 / scale)
        return 1 + strength * np.clip(ramp, -1, 1), None
    inside = cv2.copyMakeBorder((coverage > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    reach = np.float32(max(float(depth.max()) * rng.uniform(0.3, 1.0), 1.0))
    rise = np.clip(depth / reach, 0, 1)
    relief = np.sqrt(np.maximum(1 - (1 - rise) ** 2, 0))
    size = 2 * int(max(1.0, float(reach * 0.25))) + 1
    relief = cv2.blur(cv2.blur(relief, (size, size)), (size, size))
    slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=float(reach) / 8)
    slope_y = cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=float(reach) / 8)
    facing = -(slope_x * np.float32(light[0]) + slope_y * np.float32(light[1]))
    factor = 1 + strength * np.clip(facing * np.float32(1.5), -1.2, 1.2)
    factor *= np.float32(1) - strength * np.float32(0.5) * (1 - relief)
    if rng.random() < 0.5:
        return factor, None
    gloss = np.clip(facing * relief * np.float32(2.2), 0, 1)
    return factor, gloss ** int(rng.integers(4, 12)) * np.float32(rng.uniform(40, 200))


def edge_line(coverage: npt.NDArray, thickness: float) -> npt.NDArray:
    """The inner rim of a silhouette, (h, w) float32 in 0..1, ``thickness`` pixels wide."""
    size = 2 * max(1, round(thickness)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return coverage - cv2.erode(coverage, kernel)


def cast_shadow(rng: np.random.Generator, canvas: npt.NDArray, coverage: npt.NDArray,
                window: tuple[int, int, int, int], light: tuple[float, float], scale: float) -> None:
    """Darken the canvas in place with the object's blurred, displaced silhouette."""
    height, width = canvas.shape[:2]
    reach = scale * rng.uniform(0.05, 0.5)
    blur = 2 * int(max(1, scale * rng.uniform(0.03, 0.2))) + 1
    margin = 2 * blur
    shift_y, shift_x = int(-light[1] * reach), int(-light[0] * reach)
    top, left = window[0] - margin + shift_y, window[1] - margin + shift_x
    padded = cv2.copyMakeBorder(coverage, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    soft = cv2.blur(cv2.blur(padded, (blur, blur)), (blur, blur))
    rows = slice(max(top, 0), min(top + soft.shape[0], height))
    columns = slice(max(left, 0), min(left + soft.shape[1], width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    shade = soft[rows.start - top:rows.stop - top, columns.start - left:columns.stop - left]
    canvas[rows, columns] = scale_colours(
        np.ascontiguousarray(canvas[rows, columns]),
        1 - np.float32(rng.uniform(0.2, 0.7)) * shade)
