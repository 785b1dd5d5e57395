"""Outlines of the synthetic objects: a function for each class that returns a random silhouette."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_LETTERS = 'ABCDEFGHJKLMNPQRSTUVXYZ2345678&?@'
_FONTS = ('DejaVu Sans', 'DejaVu Serif', 'DejaVu Sans Mono')


@dataclasses.dataclass(frozen=True)
class Outline:
    """A silhouette in units of its own half size, x to the right and y down.

    Attributes:
        layers: Contours (N, 2) float, filled by the even-odd rule; the silhouette is the union of all layers.
        parts: The part that each layer belongs to; parts differ in texture.
        upright: Whether the silhouette is usually upright.
        melt: Rounding of the union's corners, as a fraction of the half size.
    """

    layers: tuple[Sequence[npt.NDArray], ...]
    parts: tuple[int, ...] | None = None
    upright: bool = False
    melt: float = 0.0

    @property
    def part_of_layer(self) -> tuple[int, ...]:
        """The part of each layer, 0 for all by default."""
        return self.parts or (0,) * len(self.layers)


def _angles(count: int, start: float = 0.0) -> npt.NDArray:
    return start + np.arange(count) * (2 * np.pi / count)


def _polar(radius: npt.ArrayLike, angle: npt.NDArray) -> npt.NDArray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _oval(x: float = 0.0, y: float = 0.0, half_width: float = 1.0, half_height: float = 1.0,
          turn: float = 0.0, count: int = 48) -> npt.NDArray:
    points = _polar(1.0, _angles(count)) * [half_width, half_height]
    cosine, sine = np.cos(turn), np.sin(turn)
    return points @ np.array([[cosine, sine], [-sine, cosine]]) + [x, y]


def _box(left: float, top: float, right: float, bottom: float) -> npt.NDArray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def _limb(start: npt.ArrayLike, end: npt.ArrayLike, start_radius: float, end_radius: float) -> npt.NDArray:
    """A rounded stick between two points that gets thinner or thicker."""
    first, last = np.asarray(start, float), np.asarray(end, float)
    direction = np.arctan2(*(last - first)[::-1])
    half = np.linspace(0, np.pi, 9)
    return np.concatenate([first + _polar(start_radius, direction + np.pi / 2 + half),
                           last + _polar(end_radius, direction - np.pi / 2 + half)])


def _smooth_loop(rng: np.random.Generator, waves: int = 6, roughness: float = 0.35) -> npt.NDArray:
    """A closed curve whose radius is a random Fourier series."""
    angle = _angles(96)
    order = np.arange(1, waves + 1)
    amplitude = roughness * rng.standard_normal(waves) / order
    phase = rng.uniform(0, 2 * np.pi, waves)
    radius = 1 + (amplitude[:, None] * np.cos(order[:, None] * angle + phase[:, None])).sum(0)
    return _polar(np.maximum(radius, 0.15), angle)


def _circle(rng: np.random.Generator) -> Outline:
    return Outline(((_oval(),),))


def _ellipse(rng: np.random.Generator) -> Outline:
    return Outline(((_oval(half_height=rng.uniform(0.3, 0.8)),),))


def _triangle(rng: np.random.Generator) -> Outline:
    angle = _angles(3) + rng.uniform(-0.5, 0.5, 3)
    return Outline(((_polar(1.0, angle),),), melt=rng.choice([0, 0, 0.1]))


def _rectangle(rng: np.random.Generator) -> Outline:
    half = rng.uniform(0.25, 1)
    return Outline(((_box(-1, -half, 1, half),),), melt=rng.choice([0, 0.1, 0.25]) * half)


def _polygon(rng: np.random.Generator) -> Outline:
    count = int(rng.integers(5, 10))
    angle = _angles(count) + rng.uniform(-0.35, 0.35, count) * 2 * np.pi / count
    return Outline(((_polar(rng.uniform(0.7, 1, count), angle),),))


def _star(rng: np.random.Generator) -> Outline:
    count = int(rng.integers(4, 9))
    radius = np.tile([1, rng.uniform(0.3, 0.65)], count)
    return Outline(((_polar(radius, _angles(2 * count)),),), melt=rng.choice([0, 0, 0.08]))


def _ring(rng: np.random.Generator) -> Outline:
    inner = rng.uniform(0.4, 0.75)
    tall = rng.uniform(0.6, 1)
    shift = rng.uniform(-0.1, 0.1)
    return Outline(((_oval(half_height=tall), _oval(shift, 0, inner, inner * tall)),))


def _cross(rng: np.random.Generator) -> Outline:
    thick, other = rng.uniform(0.15, 0.4, 2)
    return Outline(((_box(-1, -thick, 1, thick),), (_box(-other, -1, other, 1),)),
                   melt=rng.choice([0, 0, 0.1]))


def _heart(rng: np.random.Generator) -> Outline:
    t = _angles(64)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return Outline(((np.stack([x, -y], 1) / 16,),))


def _crescent(rng: np.random.Generator) -> Outline:
    start, depth = rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.75)
    outer = np.linspace(start, 2 * np.pi - start, 48)
    tips = _polar(1.0, outer[[-1, 0]])
    inner = np.linspace(0, 1, 32)[:, None]
    bow = tips[0] + (tips[1] - tips[0]) * inner
    bow[:, 0] -= np.sin(np.pi * inner[:, 0]) * (tips[0, 0] + 1) * depth
    return Outline(((np.concatenate([_polar(1.0, outer), bow[1:-1]]),),))


def _blob(rng: np.random.Generator) -> Outline:
    loop = _smooth_loop(rng, int(rng.integers(2, 14)), rng.uniform(0.15, 0.6))
    return Outline(((loop,),), melt=rng.choice([0, 0.05]))


def _flower(rng: np.random.Generator) -> Outline:
    petals = rng.integers(4, 10)
    depth = rng.uniform(0.15, 0.4)
    angle = _angles(120)
    loop = _polar(1 - depth + depth * np.abs(np.cos(petals * angle / 2)) * 2 - depth, angle)
    return Outline(((loop,), (_oval(0, 0, 0.25, 0.25),)), parts=(0, 1))


@functools.cache
def _glyph(character: str, font: str, weight: str) -> tuple[npt.NDArray, ...]:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    path = TextPath((0, 0), character, size=10, prop=FontProperties(family=font, weight=weight))
    polygons = map(np.asarray, path.to_polygons())
    return tuple(polygon * [1, -1] for polygon in polygons if len(polygon) > 3)


def _letter(rng: np.random.Generator) -> Outline:
    glyph = _glyph(str(rng.choice(list(_LETTERS))), str(rng.choice(_FONTS)), 'bold')
    return Outline((glyph,), upright=True)


def _animal(rng: np.random.Generator) -> Outline:
    """A four-legged body: trunk, head, legs, tail and ears melted together."""
    long, fat = 1.0, rng.uniform(0.25, 0.55)
    leg_length, leg = rng.uniform(0.15, 0.9), rng.uniform(0.05, 0.15)
    neck = rng.uniform(0.0, 0.7)
    head = rng.uniform(0.18, 0.38)
    head_x, head_y = long + 0.3 * neck + 0.1, -0.5 * fat - neck
    layers = [_oval(0, 0, long, fat, rng.uniform(-0.15, 0.15)),
              _limb((long * 0.7, -0.1), (head_x, head_y), fat * 0.6, head * 0.7),
              _oval(head_x + head * 0.4, head_y, head * rng.uniform(1, 1.6), head,
                    rng.uniform(0, 0.6))]
    foot = rng.uniform(-0.25, 0.25, 4)
    for hip, step in zip((-0.75, -0.55, 0.5, 0.75), foot, strict=True):
        layers.append(_limb((hip * long, fat * 0.4), (hip * long + step, fat + leg_length),
                            leg * 1.8, leg))
    ear = rng.uniform(0.08, 0.3)
    layers.append(_limb((head_x, head_y - head * 0.6), (head_x - ear, head_y - head - ear),
                        0.1, 0.04))
    tail = rng.uniform(0.2, 0.9)
    layers.append(_limb((-long * 0.9, -fat * 0.2),
                        (-long - tail * 0.7, -fat * 0.2 + tail * rng.uniform(-1, 0.8)), 0.1, 0.04))
    parts = [0] * len(layers)
    if rng.random() < 0.35:
        parts[1] = parts[2] = 1
    if rng.random() < 0.25:
        parts[3:7] = [2] * 4
    if rng.random() < 0.5:
        layers = [layer * [-1, 1] for layer in layers]
    return Outline(tuple((layer,) for layer in layers), tuple(parts), True, 0.06)


def _figure(rng: np.random.Generator) -> Outline:
    """A standing figure: head, trunk, arms and legs; trousers and shirt differ."""
    shoulder, hip = rng.uniform(0.2, 0.32), rng.uniform(0.14, 0.24)
    arm_angle = rng.uniform(-0.3, 2.6, 2)
    step = rng.uniform(0, 0.35, 2)
    trunk = np.array([[-shoulder, -0.55], [shoulder, -0.55], [hip, 0.15], [-hip, 0.15]])
    legs = [_limb((side * hip * 0.55, 0.1), (side * (hip * 0.5 + s), rng.uniform(0.8, 1.05)),
                  0.13, 0.075) for side, s in zip((-1, 1), step, strict=True)]
    arms = [_limb((side * shoulder * 0.95, -0.5),
                  (side * (shoulder + 0.5 * np.sin(a)), -0.5 + 0.55 * np.cos(a)), 0.085, 0.06)
            for side, a in zip((-1, 1), arm_angle, strict=True)]
    head = _oval(rng.uniform(-0.05, 0.05), -0.8, 0.14, 0.18)
    neck = _limb((0, -0.75), (0, -0.5), 0.07, 0.09)
    layers = (*legs, neck, trunk, *arms, head)
    return Outline(tuple((layer,) for layer in layers), (2, 2, 0, 1, 1, 1, 0), True, 0.03)


def _bottle(rng: np.random.Generator) -> Outline:
    """A turned vessel: a profile mirrored at its axis (bottle, vase, lamp, glass)."""
    knots = rng.integers(4, 8)
    y = np.linspace(-1, 1, 48)
    profile = rng.uniform(0.12, 0.55, knots)
    profile[0] = rng.uniform(0.08, 0.3)
    half = np.interp(y, np.linspace(-1, 1, knots), profile)
    half = np.convolve(np.pad(half, 4, mode='edge'), np.ones(9) / 9, 'valid')
    right = np.stack([half, y], 1)
    body = np.concatenate([right, right[::-1] * [-1, 1]])
    band = rng.uniform(-0.6, 0.5)
    inside = (y > band) & (y < band + rng.uniform(0.2, 0.6))
    label = np.concatenate([right[inside], right[inside][::-1] * [-1, 1]])
    return Outline(((body,), (label,)), (0, int(rng.random() < 0.6)), True)


def _mug(rng: np.random.Generator) -> Outline:
    half, taper = rng.uniform(0.5, 0.8), rng.uniform(0.7, 1)
    body = np.array([[-half, -0.8], [half, -0.8], [half * taper, 0.8], [-half * taper, 0.8]])
    size = rng.uniform(0.3, 0.5)
    handle = (_oval(half, rng.uniform(-0.15, 0.15), size, size * 1.1),
              _oval(half, 0.0, size * 0.6, size * 0.65))
    rim = _oval(0, -0.8, half, rng.uniform(0.05, 0.25))
    return Outline((handle, (body,), (rim,)), (0, 0, int(rng.random() < 0.6)), True, 0.03)


def _vehicle(rng: np.random.Generator) -> Outline:
    """A car, van or bus from the side: body, cabin, windows and wheels."""
    roof = rng.uniform(-0.75, -0.35)
    front, back = rng.uniform(0.2, 0.8), rng.uniform(-0.95, -0.4)
    body = _box(-1, -0.15, 1, 0.35)
    slope = rng.uniform(0.05, 0.35)
    cabin = np.array([[back, -0.1], [back + slope * 0.7, roof],
                      [front - slope, roof], [front, -0.1]])
    pane = np.array([[back + slope, -0.15], [back + slope * 1.1, roof * 0.85],
                     [front - slope * 1.2, roof * 0.85], [front - slope, -0.15]])
    wheel = rng.uniform(0.16, 0.26)
    wheels = [_oval(x, 0.35, wheel, wheel) for x in (-0.62, rng.uniform(0.5, 0.7))]
    layers = (body, cabin, pane, *wheels)
    return Outline(tuple((layer,) for layer in layers), (0, 0, 1, 2, 2), True, 0.02)


def _plant(rng: np.random.Generator) -> Outline:
    """A stem or pot that carries leaves: thin and branching, many concavities."""
    layers, parts = [_limb((0, 1), (rng.uniform(-0.2, 0.2), -0.3), 0.08, 0.03)], [1]
    for _ in range(rng.integers(4, 10)):
        angle = rng.uniform(-2.6, -0.5)
        base = np.array([0, rng.uniform(-0.4, 0.5)])
        length = rng.uniform(0.25, 0.5)
        x, y = base + length * np.array([np.cos(angle), np.sin(angle)])
        layers.append(_oval(x, y, length * 1.05, length * rng.uniform(0.2, 0.5), angle, 24))
        parts.append(0)
    if rng.random() < 0.5:
        layers.append(np.array([[-0.4, 0.6], [0.4, 0.6], [0.28, 1.1], [-0.28, 1.1]]))
        parts.append(2)
    return Outline(tuple((layer,) for layer in layers), tuple(parts), True)


def _chair(rng: np.random.Generator) -> Outline:
    """Furniture: a seat or table top on legs, with or without a back."""
    leg, top = rng.uniform(0.05, 0.12), rng.uniform(0.08, 0.25)
    layers = [_box(-1, -top, 1, top), _box(-0.95, 0, -0.95 + 2 * leg, 1),
              _box(0.95 - 2 * leg, 0, 0.95, 1)]
    if rng.random() < 0.6:
        height = rng.uniform(0.6, 1.3)
        layers.append(_box(-0.95, -height, -0.95 + 2 * leg, 0))
        layers.append(_box(0.95 - 2 * leg, -height, 0.95, 0))
        layers.append(_box(-0.95, -height, 0.95, -height * rng.uniform(0.5, 0.85)))
    parts = [0] + [int(rng.random() < 0.3)] * (len(layers) - 1)
    return Outline(tuple((layer,) for layer in layers), tuple(parts), True, 0.02)


def _bird(rng: np.random.Generator) -> Outline:
    """A flying or sitting winged body: bird, fish, aeroplane or butterfly, by its proportions."""
    fat, tail = rng.uniform(0.12, 0.35), rng.uniform(0.2, 0.45)
    layers = [_oval(0, 0, 1, fat), np.array([[-0.75, 0], [-1.3, -tail], [-1.3, tail]])]
    sweep, span = rng.uniform(-0.6, 0.2), rng.uniform(0.3, 1.3)
    for side in (-1, 1) if rng.random() < 0.6 else (-1,):
        layers.append(np.array([[0.35, 0], [-0.35, 0], [sweep - 0.2, side * span],
                                [sweep + 0.1, side * span]]))
    if rng.random() < 0.5:
        layers.append(np.array([[0.9, -0.12], [1.25, 0], [0.9, 0.12]]))
    parts = [0] * 2 + [int(rng.random() < 0.4)] * (len(layers) - 2)
    return Outline(tuple((layer,) for layer in layers), tuple(parts), False, 0.08)


OUTLINES = {
    'circle': _circle, 'ellipse': _ellipse, 'triangle': _triangle, 'rectangle': _rectangle,
    'polygon': _polygon, 'star': _star, 'ring': _ring, 'cross': _cross, 'heart': _heart,
    'crescent': _crescent, 'blob': _blob, 'flower': _flower, 'letter': _letter,
    'animal': _animal, 'figure': _figure, 'bottle': _bottle, 'mug': _mug, 'vehicle': _vehicle,
    'plant': _plant, 'chair': _chair, 'bird': _bird}
