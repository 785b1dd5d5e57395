"""Synthetic surfaces: scalar patterns (noise, stripes, wood, cells, ...) in random colours."""

import cv2
import numpy as np
import numpy.typing as npt


def value_noise(rng: np.random.Generator, height: int, width: int, cell: float, octaves: int = 3,
                stretch: float = 1.0) -> npt.NDArray:
    """Multi-octave value noise.

    Args:
        rng: Source of all randomness.
        height, width: Size in pixels.
        cell: Distance of the knots of the coarsest grid in pixels.
        octaves: Number of grids; each halves the cell and the weight.
        stretch: Factor of the horizontal distance; large values result in streaks.

    Returns:
        (height, width) float32 array in 0..1.
    """
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for _ in range(octaves):
        rows = max(2, round(height / max(cell, 1)) + 1)
        columns = max(2, round(width / max(cell * stretch, 1)) + 1)
        knots = rng.random((rows, columns), dtype=np.float32) * weight
        total += cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)
        weight /= 2
        cell /= 2
    return to_unit_range(total)


def to_unit_range(field: npt.NDArray) -> npt.NDArray:
    """The field shifted and scaled to 0..1; a constant field becomes 0."""
    low, high, _, _ = cv2.minMaxLoc(field)
    return (field - low) * np.float32(1 / max(high - low, 1e-6))


def random_coordinates(rng: np.random.Generator, height: int, width: int, scale: float
                       ) -> tuple[npt.NDArray, npt.NDArray]:
    """Two rotated orthogonal coordinates (height, width) float32 in units of ``scale`` pixels."""
    angle = rng.uniform(0, np.pi) if rng.random() < 0.6 else rng.choice([0, np.pi / 2])
    y = (np.arange(height, dtype=np.float32)[:, None] - rng.uniform(0, height)) / scale
    x = (np.arange(width, dtype=np.float32)[None] - rng.uniform(0, width)) / scale
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    y, x = y.astype(np.float32), x.astype(np.float32)
    return cosine * x + sine * y, cosine * y - sine * x


def _wave(field: npt.NDArray, sharpness: float) -> npt.NDArray:
    """A sine of the field (period 1) in 0..1, from smooth (1) to nearly square (10)."""
    wave = np.sin(field * np.float32(2 * np.pi))
    return np.clip(wave * np.float32(0.5 * sharpness) + np.float32(0.5), 0, 1)


def _plain(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    return np.full((height, width), rng.uniform(0.2, 0.8), np.float32)


def _gradient(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, _ = random_coordinates(rng, height, width, max(height, width))
    return to_unit_range(u + np.zeros((height, width), np.float32))


def _glow(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, v = random_coordinates(rng, height, width, max(height, width))
    return to_unit_range(np.sqrt(u * u + v * v))


def _clouds(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    return value_noise(rng, height, width, scale * rng.uniform(1, 4), octaves=4)


def _grain(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    return value_noise(rng, height, width, max(2, scale * rng.uniform(0.1, 0.3)), octaves=2)


def _streaks(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    """Hair, grass, brushed metal: noise stretched along one axis."""
    stretch = rng.uniform(4, 12)
    cell = max(1.5, scale * rng.uniform(0.1, 0.3))
    if rng.random() < 0.5:
        return value_noise(rng, height, width, cell, 2, stretch)
    return np.ascontiguousarray(value_noise(rng, width, height, cell, 2, stretch).T)


def _warp(rng: np.random.Generator, height: int, width: int, scale: float, amount: float) -> npt.NDArray:
    return value_noise(rng, height, width, scale * rng.uniform(1.5, 4), 2) * np.float32(amount)


def _stripes(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, _ = random_coordinates(rng, height, width, scale * rng.uniform(0.4, 1.6))
    if rng.random() < 0.5:
        u = u + _warp(rng, height, width, scale, rng.uniform(0.2, 2.5))
    return _wave(u + np.zeros((height, width), np.float32), rng.uniform(1, 10))


def _checks(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, v = random_coordinates(rng, height, width, scale * rng.uniform(0.6, 2))
    product = np.sin(u * np.float32(2 * np.pi)) * np.sin(v * np.float32(2 * np.pi))
    return np.clip(product * np.float32(rng.uniform(1, 10)) + np.float32(0.5), 0, 1)


def _plaid(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, v = random_coordinates(rng, height, width, scale * rng.uniform(0.6, 2))
    return (_wave(u, rng.uniform(2, 8)) + _wave(v, rng.uniform(2, 8))) * np.float32(0.5)


def _dots(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, v = random_coordinates(rng, height, width, scale * rng.uniform(0.5, 1.5))
    lattice = np.cos(u * np.float32(2 * np.pi)) + np.cos(v * np.float32(2 * np.pi))
    return np.clip((lattice - np.float32(rng.uniform(0, 1.2))) * np.float32(4), 0, 1)


def _spots(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    """Thresholded noise: cow, leopard, rust, foliage."""
    noise = value_noise(rng, height, width, scale * rng.uniform(0.4, 1.6), 3)
    return np.clip((noise - np.float32(rng.uniform(0.4, 0.6))) * np.float32(12), 0, 1)


def _wood(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, v = random_coordinates(rng, height, width, scale)
    u, v = u * np.float32(rng.uniform(0.8, 2)), v * np.float32(rng.uniform(0.05, 0.3))
    rings = np.sqrt(u * u + v * v) + _warp(rng, height, width, scale, 0.8)
    fibre = value_noise(rng, height, width, max(2, scale * 0.15), 1, 8)
    return _wave(rings, 1) * np.float32(0.75) + fibre * np.float32(0.25)


def _cloth(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    period = max(3.0, scale * rng.uniform(0.1, 0.3))
    u, v = random_coordinates(rng, height, width, period)
    weave = np.sin(u * np.float32(2 * np.pi)) + np.sin(v * np.float32(2 * np.pi))
    folds = value_noise(rng, height, width, scale * 3, 2)
    return to_unit_range(weave * np.float32(0.15) + folds)


def _marble(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    u, _ = random_coordinates(rng, height, width, scale * rng.uniform(1, 3))
    return _wave(u + _warp(rng, height, width, scale * 2, rng.uniform(1, 4)), 1)


def _bricks(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    course = max(4.0, scale * rng.uniform(0.4, 1.2))
    length = course * rng.uniform(1, 3)
    y = np.arange(height, dtype=np.float32) / np.float32(course)
    x = np.arange(width, dtype=np.float32)[None] / np.float32(length)
    x = x + (np.floor(y) % 2)[:, None].astype(np.float32) * np.float32(0.5)
    joint = rng.uniform(0.06, 0.15)
    face = ((y % 1) > joint)[:, None] & ((x % 1) > joint * course / length)
    rows, columns = int(height / course) + 2, int(width / length) + 3
    tone = rng.random((rows, columns), dtype=np.float32) * np.float32(0.4) + np.float32(0.5)
    return face * tone[np.floor(y).astype(np.intp)[:, None], np.floor(x).astype(np.intp)]


def _cells(rng: np.random.Generator, height: int, width: int, scale: float) -> npt.NDArray:
    """Pebbles, scales, cracked earth: the Voronoi cells of random points."""
    cell = max(5.0, scale * rng.uniform(0.4, 1.5))
    count = int(np.clip(height * width / cell**2, 3, 400))
    seeds = np.full((height, width), 255, np.uint8)
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    distance, label = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    tone = rng.random(label.max() + 1, dtype=np.float32)
    bump = np.clip(distance / np.float32(cell), 0, 1)
    return to_unit_range(tone[label] * np.float32(rng.uniform(0.2, 1)) - bump)


_PATTERNS = (
    (_plain, 3), (_gradient, 2), (_glow, 1), (_clouds, 4), (_grain, 2), (_streaks, 2),
    (_stripes, 2), (_checks, 1), (_plaid, 1), (_dots, 1), (_spots, 2), (_wood, 1.5),
    (_cloth, 1.5), (_marble, 1), (_bricks, 1), (_cells, 1))
_WEIGHTS = np.array([weight for _, weight in _PATTERNS]) / sum(w for _, w in _PATTERNS)


def random_colour(rng: np.random.Generator) -> npt.NDArray:
    """A colour (3,) float32 in 0..255, mostly muted: photographs are rarely saturated."""
    brightness = rng.uniform(15, 245)
    saturation = rng.beta(1, 2.5)
    # Skin, earth, wood, leaves and sky are far more frequent than violet.
    hue = rng.choice(_NATURAL_HUES) + rng.normal(0, 0.25) if rng.random() < 0.6 else (
        rng.uniform(0, 2 * np.pi))
    return np.clip(brightness * (1 + saturation * np.cos(hue - _PHASES)), 0, 255).astype(np.float32)


_NATURAL_HUES = (0.2, 0.5, 0.8, 1.7, 3.7)  # red-brown, orange, yellow, green, blue in radians
_PHASES = np.array([0, 2, 4]) * (np.pi / 3)


def random_palette(rng: np.random.Generator, contrast: float | None = None) -> npt.NDArray[np.uint8]:
    """A palette (256, 3) uint8: colours along two to four random stops.

    Args:
        rng: Source of all randomness.
        contrast: From 0, all stops have the first colour, to 1, they are independent; None for a random
            value, mostly low.
    """
    contrast = rng.beta(1.2, 1.8) if contrast is None else contrast
    stops = np.stack([random_colour(rng) for _ in range(rng.integers(2, 5))])
    stops = stops[:1] + (stops - stops[:1]) * np.float32(contrast)
    ramp = cv2.resize(stops[:, None], (1, 256), interpolation=cv2.INTER_LINEAR)
    return np.clip(ramp, 0, 255).astype(np.uint8).reshape(256, 3)


def paint_texture(rng: np.random.Generator, height: int, width: int, scale: float,
                  palette: npt.NDArray[np.uint8] | None = None) -> npt.NDArray:
    """A random textured surface.

    Args:
        rng: Source of all randomness.
        height, width: Size in pixels.
        scale: Typical length of the pattern in pixels.
        palette: (256, 3) uint8; None for a random one.

    Returns:
        (height, width, 3) float32 array in 0..255.
    """
    palette = random_palette(rng) if palette is None else palette
    pattern, _ = _PATTERNS[rng.choice(len(_PATTERNS), p=_WEIGHTS)]
    field = np.broadcast_to(pattern(rng, height, width, scale), (height, width))
    if rng.random() < 0.6:
        amount = np.float32(rng.uniform(0.05, 0.3))
        cell = max(2, scale * rng.uniform(0.1, 1.5))
        field = field * (1 - amount) + value_noise(rng, height, width, cell, 2) * amount
    index = (np.clip(field, 0, 1) * np.float32(255)).astype(np.uint8)
    return cv2.applyColorMap(index, palette[:, None]).astype(np.float32)


def scale_colours(image: npt.NDArray, factor: npt.NDArray) -> npt.NDArray:
    """The image (h, w, 3) float32 times a factor per pixel (h, w) float32."""
    return cv2.multiply(image, cv2.merge([factor, factor, factor]))
