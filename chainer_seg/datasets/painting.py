"""Painting of one object or backdrop: antialiased coverage, texture, shading, shadow, camera effects."""

import cv2
import numpy as np

from chainer_seg.datasets.textures import (
    paint_texture, random_colour, random_coordinates, scale_colours, value_noise)

_SUBPIXEL_BITS = 4  # cv2.fillPoly takes fixed-point coordinates


def _fill(contours, origin, height, width, scale):
    """Even-odd filled contours on a canvas ``scale`` times finer, uint8 0 or 255."""
    canvas = np.zeros((height * scale, width * scale), np.uint8)
    points = [np.round(((contour - origin) * scale - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
              for contour in contours]
    cv2.fillPoly(canvas, points, 255, shift=_SUBPIXEL_BITS)
    return canvas


def rasterise(layers, window, rounding=0.0):
    """Antialiased coverage of placed layers.

    Args:
        layers (list of lists of (N, 2) float arrays): Contours in pixels, (x, y); a pixel (i, j)
            covers [j, j + 1) x [i, i + 1).
        window: (top, left, bottom, right) of the part of the image to draw, in pixels.
        rounding (float): Radius in pixels by which corners of the union are rounded.

    Returns:
        tuple: coverage of the union, (h, w) float32 in 0..1, and a list of each layer's own
        coverage, (h, w) float32.
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

    def shrink(canvas):
        small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) * np.float32(1 / 255)

    return shrink(union), [shrink(layer) for layer in fine] if len(fine) > 1 else []


def blend(below, above, alpha):
    """``above`` over ``below``, (h, w, 3) float32 each, by alpha (h, w) float32."""
    return cv2.blendLinear(above, below, alpha, 1 - alpha)


def paint_surface(rng, height, width, scale, parts, backdrop=None, palette=None):
    """The texture of an object: one to three differently textured parts with small details.

    Args:
        rng (numpy.random.Generator): Source of all randomness.
        height, width (int): Size in pixels.
        scale (float): Half the object's diameter in pixels.
        parts (list of (h, w) float32 arrays): Coverage of the silhouette's own second and third
            part; an empty list lets chance divide the surface.
        backdrop ((h, w, 3) float32 array): Texture to hide in, or None.
        palette ((256, 3) uint8 array): Colours of the first part; drawn when None.

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


def _division(rng, height, width, scale):
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


def _draw_details(rng, surface, scale):
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


def shading(rng, coverage, light, scale):
    """Light on an object as a factor per pixel.

    Args:
        rng (numpy.random.Generator): Source of all randomness.
        coverage ((h, w) float32 array): The silhouette.
        light: Unit vector (x, y) towards the light.
        scale (float): Half the object's diameter in pixels.

    Returns:
        tuple: factor (h, w) float32 around 1 and an additive highlight (h, w) float32 or None.
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
    inside = (coverage > 0.5).astype(np.uint8)
    inside = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    reach = np.float32(max(depth.max() * rng.uniform(0.3, 1.0), 1.0))
    rise = np.clip(depth / reach, 0, 1)
    relief = np.sqrt(np.maximum(1 - (1 - rise) ** 2, 0))
    size = 2 * int(max(1, reach * 0.25)) + 1
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


def edge_line(coverage, thickness):
    """The inner rim of a silhouette, (h, w) float32 in 0..1, ``thickness`` pixels wide."""
    size = 2 * max(1, round(thickness)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return coverage - cv2.erode(coverage, kernel)


def cast_shadow(rng, canvas, coverage, window, light, scale):
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


def paint_backdrop(rng, height, width):
    """A background of one to three textured regions with clutter and uneven light.

    Returns:
        (height, width, 3) float32 array in 0..255.
    """
    side = min(height, width)

    def scale():
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


def _region(rng, height, width):
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


def _draw_clutter(rng, canvas, side):
    """Thin strokes across the picture: branches, cables, rails, cracks."""
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


def light_patches(rng, canvas):
    """The picture (h, w, 3) float32 under patches of shade."""
    height, width = canvas.shape[:2]
    noise = value_noise(rng, height, width, max(height, width) * rng.uniform(0.15, 0.6), 2)
    edge = np.float32(rng.uniform(2, 30))
    patch = np.clip((noise - np.float32(rng.uniform(0.35, 0.65))) * edge, 0, 1)
    return scale_colours(canvas, 1 - patch * np.float32(rng.uniform(0.1, 0.5)))


def photograph(rng, canvas):
    """What a camera adds: blur, colour cast, exposure, vignette, noise and compression.

    Args:
        canvas ((h, w, 3) float32 array): The scene in 0..255.

    Returns:
        (h, w, 3) uint8 array.
    """
    height, width = canvas.shape[:2]
    side = min(height, width)
    chance = rng.random(5)
    if chance[0] < 0.25:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 0.004 * side + 0.5))
    elif chance[0] < 0.35:
        canvas = cv2.filter2D(canvas, -1, _motion_kernel(rng, side))
    gain = np.exp(rng.normal(0, 0.08, 3) + rng.normal(0, 0.15)).astype(np.float32)
    offset = np.float32(rng.normal(0, 8))
    canvas *= gain
    canvas += offset
    if chance[1] < 0.3:
        u = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        v = np.linspace(-1, 1, width, dtype=np.float32)[None]
        canvas = scale_colours(canvas, 1 - np.float32(rng.uniform(0.1, 0.3)) * (u * u + v * v))
    if chance[2] < 0.25:
        grey = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        share = rng.choice([0, 0.4, 0.7, 1.3])
        canvas = cv2.addWeighted(canvas, share, grey, 1 - share, 0)
    if chance[3] < 0.6:
        sigma = np.float32(rng.exponential(4))
        noise = rng.standard_normal((height, width), dtype=np.float32)
        noise *= sigma
        canvas = cv2.add(canvas, cv2.merge([noise, noise, noise]))
    image = cv2.add(canvas, 0, dtype=cv2.CV_8U)
    if chance[4] < 0.25:
        quality = int(rng.integers(25, 90))
        _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image


def _motion_kernel(rng, side):
    size = 2 * int(max(1, side * rng.uniform(0.004, 0.012))) + 1
    kernel = np.zeros((size, size), np.float32)
    direction = rng.uniform(-1, 1, 2) * (size // 2)
    centre = size // 2
    start = np.round(centre - direction).astype(int).tolist()
    end = np.round(centre + direction).astype(int).tolist()
    cv2.line(kernel, start, end, 1.0)
    return kernel / kernel.sum()
