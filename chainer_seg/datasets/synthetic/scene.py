"""A synthetic scene: a backdrop, objects from far to near, and the object that is visible at each pixel."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Example
from chainer_seg.datasets.synthetic.backdrops import paint_backdrop
from chainer_seg.datasets.synthetic.camera import light_patches, photograph
from chainer_seg.datasets.synthetic.painting import cast_shadow, edge_line, paint_surface, shading
from chainer_seg.datasets.synthetic.rasterise import blend, place_outline, rasterise
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES, Outline
from chainer_seg.datasets.synthetic.textures import random_colour, random_palette, scale_colours
from chainer_seg.instances import Instances

CLUTTER = -1  # the label of shapes that are not annotated
SMALLEST_SIDE = 16  # pixels of an image
SMALLEST_DIAMETER = 6  # pixels: smaller drawings are no longer recognisable shapes
_SMALLEST_AREA = 12  # visible pixels; objects with fewer are not annotated


class Scene:
    """An image that is being painted, with a map of the object that is visible at each pixel.

    Args:
        rng: Source of all randomness.
        height, width: Size in pixels.
        camouflage_probability: Fraction of shapes that take their texture from the backdrop.

    Attributes:
        canvas: (H, W, 3) float32, the image so far.
        owner: (H, W) int16, the number of the object that is visible at each pixel; -1 for none.
        light: Unit vector (x, y) towards the light.
    """

    def __init__(self, rng: np.random.Generator, height: int, width: int,
                 camouflage_probability: float = 0.0) -> None:
        self.rng = rng
        self.height, self.width = height, width
        self.camouflage_probability = camouflage_probability
        self.canvas = paint_backdrop(rng, height, width)
        self.backdrop = self.canvas.copy()
        self.owner = np.full((height, width), -1, np.int16)
        self.labels: list[int] = []
        self.crowds: list[bool] = []
        self.full_areas: list[int] = []
        self.palettes = [random_palette(rng)]
        angle = rng.uniform(-np.pi, 0)
        self.light = (np.cos(angle), np.sin(angle))
        self.has_shadows = rng.random() < 0.6
        self.outline_width = rng.uniform(0.005, 0.03) if rng.random() < 0.2 else 0.0

    def register(self, label: int, is_crowd: bool = False) -> int:
        """The number of a new object, to which its painted pixels are assigned."""
        self.labels.append(int(label))
        self.crowds.append(is_crowd)
        self.full_areas.append(0)
        return len(self.labels) - 1

    def add_shape(self, name: str, label: int, diameter: float) -> None:
        """Paint one shape, named as in :data:`OUTLINES`, at a random place."""
        centre = self.rng.uniform(0.05, 0.95, 2) * [self.width, self.height]
        self._paint_shape(OUTLINES[name](self.rng), centre, diameter, self.register(label),
                          self._palette())

    def add_crowd_of_shapes(self, name: str, label: int) -> None:
        """Paint a cluster of many small shapes of one class that share one annotation."""
        rng, side = self.rng, min(self.height, self.width)
        middle = rng.uniform(0.2, 0.8, 2) * [self.width, self.height]
        spread = side * rng.uniform(0.08, 0.2)
        count = rng.integers(8, 25)
        diameter = max(side * rng.uniform(0.05, 0.1), SMALLEST_DIAMETER)
        palettes = [random_palette(rng) for _ in range(3)]
        owner = self.register(label, True)
        places = middle + rng.normal(0, 1, (count, 2)) * spread * [1.6, 0.7]
        for centre in places[np.argsort(places[:, 1])]:
            self._paint_shape(OUTLINES[name](rng), centre, diameter * rng.uniform(0.8, 1.25), owner,
                              palettes[rng.integers(3)])

    def window(self, layers: list[list[npt.NDArray]]) -> tuple[int, int, int, int]:
        """The window (top, left, bottom, right) of the image that contains placed contours."""
        points = np.concatenate([contour for layer in layers for contour in layer])
        left, top = np.maximum(np.floor(points.min(0)).astype(int) - 2, 0)
        right, bottom = np.minimum(np.ceil(points.max(0)).astype(int) + 2,
                                   [self.width, self.height])
        return top, left, bottom, right

    def lay(self, surface: npt.NDArray, coverage: npt.NDArray,
            window: tuple[int, int, int, int], owner: int) -> None:
        """Paint a surface (h, w, 3) over a window of the canvas, and assign its pixels to an object."""
        rows, columns = slice(window[0], window[2]), slice(window[1], window[3])
        self.canvas[rows, columns] = blend(
            np.ascontiguousarray(self.canvas[rows, columns]), surface, coverage)
        inside = coverage >= 0.5
        self.owner[rows, columns][inside] = owner
        self.full_areas[owner] += int(inside.sum())

    def cast_shadow(self, coverage: npt.NDArray, window: tuple[int, int, int, int], scale: float
                    ) -> None:
        """Paint the shadow of an object of half size ``scale``, if this scene has shadows."""
        if self.has_shadows and self.rng.random() < 0.85:
            cast_shadow(self.rng, self.canvas, coverage, window, self.light, scale)

    def finish(self, class_names: Sequence[str], keypoints: npt.NDArray | None = None) -> Example:
        """The finished image and the visible parts of its objects.

        Args:
            class_names: A name for each label.
            keypoints: (objects, K, 3) of every registered object, or None.

        Returns:
            The image (H, W, 3) uint8 and its :class:`Instances`.
        """
        if self.rng.random() < 0.3:
            self.canvas = light_patches(self.rng, self.canvas)
        image = photograph(self.rng, self.canvas)
        labels = np.asarray(self.labels, np.int32)
        count = len(labels)
        visible = np.bincount(self.owner.ravel() + 1, minlength=count + 1)[1:]
        visible[labels == CLUTTER] = 0
        least = np.maximum(_SMALLEST_AREA, 0.05 * np.asarray(self.full_areas))
        kept = visible >= least
        if not kept.any():
            kept[np.argmax(visible)] = visible.any()
        chosen = np.flatnonzero(kept)
        return image, Instances(
            self.owner[None] == chosen[:, None, None], labels=labels[chosen],
            class_names=class_names, crowds=np.asarray(self.crowds, bool)[chosen],
            keypoints=None if keypoints is None else keypoints[chosen])

    def _palette(self) -> npt.NDArray[np.uint8]:
        """A new palette, or one that is already used in the image."""
        if self.rng.random() < 0.8:
            self.palettes.append(random_palette(self.rng))
            return self.palettes[-1]
        return self.palettes[self.rng.integers(len(self.palettes))]

    def _paint_shape(self, outline: Outline, centre: npt.NDArray, diameter: float, owner: int,
                     palette: npt.NDArray[np.uint8]) -> None:
        rng, scale = self.rng, diameter / 2
        layers = place_outline(rng, outline, centre, diameter)
        top, left, bottom, right = window = self.window(layers)
        if bottom - top < 1 or right - left < 1:
            return
        surface, coverage = textured_shape(
            rng, outline, layers, window, scale, self.light, palette,
            self._camouflage(slice(top, bottom), slice(left, right)))
        if self.outline_width and rng.random() < 0.8:
            line = edge_line(coverage, self.outline_width * diameter)
            ink = np.broadcast_to(random_colour(rng) * np.float32(0.4), surface.shape)
            surface = blend(surface, np.ascontiguousarray(ink), line)
        self.cast_shadow(coverage, window, scale)
        self.lay(surface, coverage, window, owner)

    def _camouflage(self, rows: slice, columns: slice) -> npt.NDArray | None:
        """Another part of the backdrop with the same size, or None for a texture of its own."""
        if self.rng.random() >= self.camouflage_probability:
            return None
        flipped = self.backdrop[::-1, ::-1] if self.rng.random() < 0.5 else self.backdrop[:, ::-1]
        return np.ascontiguousarray(flipped[rows, columns])


def textured_shape(rng: np.random.Generator, outline: Outline, layers: list[list[npt.NDArray]],
                   window: tuple[int, int, int, int], scale: float, light: tuple[float, float],
                   palette: npt.NDArray[np.uint8] | None = None, hiding: npt.NDArray | None = None
                   ) -> tuple[npt.NDArray, npt.NDArray]:
    """A placed outline with its texture, light and shade.

    Args:
        rng: Source of all randomness.
        outline: The shape.
        layers: Its contours in pixels, as returned by :func:`place_outline`.
        window: (top, left, bottom, right), the part of the image to render.
        scale: Half its diameter in pixels.
        light: Unit vector (x, y) towards the light.
        palette, hiding: Colours, or the texture of a camouflaged object; see :func:`paint_surface`.

    Returns:
        The surface (h, w, 3) float32 in 0..255 and the coverage (h, w) float32 in 0..1.
    """
    coverage, layer_coverages = rasterise(layers, window, outline.melt * scale)
    parts = _part_coverages(outline.part_of_layer, layer_coverages)
    height, width = coverage.shape
    surface = paint_surface(rng, height, width, scale, parts, hiding, palette)
    return lit(rng, surface, coverage, light, scale), coverage


def lit(rng: np.random.Generator, surface: npt.NDArray, coverage: npt.NDArray,
        light: tuple[float, float], scale: float) -> npt.NDArray:
    """A surface (h, w, 3) float32 with light and shade; arguments as in :func:`shading`."""
    factor, gloss = shading(rng, coverage, light, scale)
    if factor is not None:
        surface = scale_colours(surface, factor)
    if gloss is not None:
        surface = cv2.add(surface, cv2.merge([gloss, gloss, gloss]))
    return surface


def _part_coverages(part_of_layer: tuple[int, ...], layer_coverages: list[npt.NDArray]) -> list[npt.NDArray]:
    """Coverage of the second and third part, later layers covering earlier ones."""
    count = max(part_of_layer)
    if not count or not layer_coverages:
        return []
    parts = [np.zeros_like(layer_coverages[0]) for _ in range(count + 1)]
    for part, coverage in zip(part_of_layer, layer_coverages, strict=True):
        for other in range(count + 1):
            if other == part:
                np.maximum(parts[other], coverage, out=parts[other])
            else:
                parts[other] *= 1 - coverage
    return parts[1:]
