"""Backgrounds of synthetic images: textured regions with clutter and uneven light."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.synthetic.rasterise import blend
from chainer_seg.datasets.synthetic.textures import paint_texture, random_colour, scale_colours, value_noise


def paint_backdrop(rng: np.random.Generator, height: int, width: int) -> npt.NDArray:
    """A background of one to three textured regions with clutter and uneven light.

    Returns:
        (height, width, 3) float32 array in 0..255.
    """
    side = min(height, width)

    def scale() -> float:
        return max(3.0, side * np.exp(rng.uniform(-3.2, -0.4)))

    canvas = paint_texture(rng, height, width, scale())
    for _ in range(rng.choice([0, 1, 2], p=[0.45, 0.4, 0.15])):
        other = paint_texture(rng, height, width, scale())
        canvas = blend(canvas, other, _region(rng, height, width))
    if rng.random() < 0.2:
        _draw_clutter(rng, canvas, side)
    if rng.random() < 0.6:
        light = value_noise(rng, height, width, side * rng.uniform(0.5, 1.5), 1)
        canvas = scale_colours(canvas, 1 + np.float32(rng.uniform(0.1, 0.6)) * (light - 0.5))
    if rng.random() < 0.45:
        size = 2 * int(side * rng.uniform(0.004, 0.03)) + 1
        canvas = cv2.blur(cv2.blur(canvas, (size, size)), (size, size))
    return canvas


def _region(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.float32]:
    """A large part of the image, such as a floor, a wall or a wood, (h, w) float32 in 0..1."""
    softness = np.float32(1 / np.exp(rng.uniform(0, np.log(max(height, width) / 4))))
    x = np.arange(width, dtype=np.float32) / width
    if rng.random() < 0.7:
        wave = np.sin(x * rng.uniform(3, 25) + rng.uniform(0, 6)) * rng.choice([0, 0.01, 0.05])
        line = height * (rng.uniform(0.25, 0.85) + rng.normal(0, 0.1) * (x - 0.5) + wave)
        field = np.arange(height, dtype=np.float32)[:, None] - line[None].astype(np.float32)
    else:
        noise = value_noise(rng, height, width, max(height, width) * rng.uniform(0.2, 0.6), 4)
        field = (noise - np.float32(0.5)) * np.float32(height)
    return np.clip(field * softness + np.float32(0.5), 0, 1).astype(np.float32)


def _draw_clutter(rng: np.random.Generator, canvas: npt.NDArray, side: int) -> None:
    """Thin strokes across the image: branches, cables, rails, cracks."""
    height, width = canvas.shape[:2]
    colour = random_colour(rng)
    straight = rng.random() < 0.5
    for _ in range(rng.integers(1, 10)):
        start = rng.uniform(-0.1, 1.1, 2) * [width, height]
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(
            rng.normal(0, 0 if straight else 0.25, 40) + rng.normal(0, 0.03))
        steps = np.stack([np.cos(heading), np.sin(heading)], 1) * rng.uniform(0.005, 0.04)
        points = start + np.cumsum(steps, 0) * side
        thickness = max(1, int(side * rng.uniform(0.002, 0.015)))
        cv2.polylines(canvas, [np.round(points * 16).astype(np.int32)], False,
                      (colour * rng.uniform(0.7, 1.2)).tolist(), thickness, cv2.LINE_8, 4)
