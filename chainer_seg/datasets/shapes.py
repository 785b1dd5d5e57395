"""An endless, seeded, drawn data set: textured shapes on textured backgrounds with exact masks."""

import cv2
import numpy as np

from chainer_seg.datasets.backdrops import paint_backdrop
from chainer_seg.datasets.camera import light_patches, photograph
from chainer_seg.datasets.painting import cast_shadow, edge_line, paint_surface, shading
from chainer_seg.datasets.rasterise import blend, place_outline, rasterise
from chainer_seg.datasets.silhouettes import OUTLINES
from chainer_seg.datasets.textures import random_colour, random_palette, scale_colours
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances

_SMALLEST_DIAMETER = 6  # pixels: smaller drawings are no longer recognisable shapes
_SMALLEST_SIDE = 16  # pixels of a picture
_SMALLEST_AREA = 12  # visible pixels under which an object is not annotated


class ShapesDataset:
    """Drawn pictures of overlapping shapes with the masks of their visible parts.

    ``dataset[i]`` depends on the arguments and i alone, so any number of processes may read it
    in any order. Class names are those of :data:`chainer_seg.datasets.silhouettes.OUTLINES`.

    A scene is painted back to front: a backdrop of one to three textured regions, then objects
    from far to near with their cast shadows, and what a camera adds. Masks are the visible
    parts: an object hidden entirely, or but for a few pixels, is not annotated.

    Args:
        length (int): Number of pictures; pictures do not depend on it.
        seed (int): Another seed gives other pictures.
        size (tuple of int): (height, width) in pixels.
        objects (tuple of int): Least and largest number of single objects drawn in a picture.
        diameters (tuple of float): Least and largest diameter of an object as a fraction of the
            picture's shorter side; diameters are distributed log-uniformly.
        crowd_probability (float): Share of the pictures that also hold a cluster of many small
            objects, annotated as one crowd region.
        camouflage_probability (float): Share of the objects that take their texture from the
            backdrop.
        classes (iterable of str): The class names to draw, in the order of their labels; all
            when None.

    Raises:
        chainer_seg.errors.DatasetError: For arguments that allow no picture.
    """

    def __init__(self, length=1000, seed=0, size=(256, 256), objects=(1, 8),
                 diameters=(0.06, 0.9), crowd_probability=0.06, camouflage_probability=0.15,
                 classes=None):
        self.class_names = tuple(OUTLINES if classes is None else classes)
        self.length, self.seed, self.size = int(length), int(seed), tuple(int(s) for s in size)
        self.objects, self.diameters = tuple(objects), tuple(diameters)
        self.crowd_probability = crowd_probability
        self.camouflage_probability = camouflage_probability
        unknown = [name for name in self.class_names if name not in OUTLINES]
        if unknown or not self.class_names:
            raise DatasetError(
                f'{unknown or "an empty list"} names no drawn class; choose from '
                f'{", ".join(OUTLINES)}.')
        if len(self.size) != 2 or min(self.size) < _SMALLEST_SIDE:
            raise DatasetError(
                f'Drawn pictures need a size of (height, width) of at least {_SMALLEST_SIDE} '
                f'pixels, not {self.size}.')
        if not 1 <= self.objects[0] <= self.objects[1]:
            raise DatasetError(
                f'objects must be (least, largest) with 1 <= least <= largest, not {objects}.')
        if not 0 < self.diameters[0] <= self.diameters[1] <= 1:
            raise DatasetError(
                f'diameters must be (least, largest) with 0 < least <= largest <= 1, '
                f'not {diameters}.')
        if self.length < 0 or self.seed < 0:
            raise DatasetError('The length and the seed of drawn pictures must not be negative.')

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        """Draw one picture.

        Returns:
            tuple: image (H, W, 3) uint8 RGB and its :class:`Instances`, ordered far to near.

        Raises:
            IndexError: If index is not in -length..length - 1.
        """
        index = range(self.length)[index]
        rng = np.random.default_rng((self.seed, index))
        scene = _Scene(rng, *self.size, self.camouflage_probability)
        for diameter in self._draw_diameters(rng):
            scene.add_object(rng.integers(len(self.class_names)), self.class_names, diameter)
        if rng.random() < self.crowd_probability:
            scene.add_crowd(rng.integers(len(self.class_names)), self.class_names)
        return scene.finish(self.class_names)

    def _draw_diameters(self, rng):
        """Diameters in pixels of the objects from far to near: large ones tend to be far."""
        side = min(self.size)
        low, high = np.log(self.diameters)
        count = rng.integers(self.objects[0], self.objects[1] + 1)
        diameters = np.exp(low + (high - low) * rng.beta(1.3, 1, count))
        if rng.random() < 0.5:
            diameters[0] = np.exp(rng.uniform((low + high) / 2, high))
        order = np.argsort(-np.log(diameters) + rng.normal(0, 0.5, count))
        return np.maximum(diameters[order] * side, _SMALLEST_DIAMETER)


class _Scene:
    """A picture being painted, with the map of which object owns which pixel."""

    def __init__(self, rng, height, width, camouflage_probability):
        self.rng = rng
        self.height, self.width = height, width
        self.camouflage_probability = camouflage_probability
        self.canvas = paint_backdrop(rng, height, width)
        self.backdrop = self.canvas.copy()
        self.owner = np.full((height, width), -1, np.int16)
        self.labels, self.crowds, self.full_areas = [], [], []
        self.palettes = [random_palette(rng)]
        angle = rng.uniform(-np.pi, 0)
        self.light = (np.cos(angle), np.sin(angle))
        self.has_shadows = rng.random() < 0.6
        self.outline_width = rng.uniform(0.005, 0.03) if rng.random() < 0.2 else 0.0

    def _register(self, label, is_crowd):
        self.labels.append(int(label))
        self.crowds.append(is_crowd)
        self.full_areas.append(0)
        return len(self.labels) - 1

    def add_object(self, label, class_names, diameter):
        """Paint one object at a random place."""
        centre = self.rng.uniform(0.05, 0.95, 2) * [self.width, self.height]
        outline = OUTLINES[class_names[label]](self.rng)
        self._paint(outline, centre, diameter, self._register(label, False), self._palette())

    def add_crowd(self, label, class_names):
        """Paint a cluster of many small objects of one class that share one annotation."""
        rng, side = self.rng, min(self.height, self.width)
        middle = rng.uniform(0.2, 0.8, 2) * [self.width, self.height]
        spread = side * rng.uniform(0.08, 0.2)
        count = rng.integers(8, 25)
        diameter = max(side * rng.uniform(0.05, 0.1), _SMALLEST_DIAMETER)
        palettes = [random_palette(rng) for _ in range(3)]
        draw_outline = OUTLINES[class_names[label]]
        owner = self._register(label, True)
        places = middle + rng.normal(0, 1, (count, 2)) * spread * [1.6, 0.7]
        for centre in places[np.argsort(places[:, 1])]:
            self._paint(draw_outline(rng), centre, diameter * rng.uniform(0.8, 1.25), owner,
                        palettes[rng.integers(3)])

    def _palette(self):
        """A new palette, or one already used in the picture."""
        if self.rng.random() < 0.8:
            self.palettes.append(random_palette(self.rng))
            return self.palettes[-1]
        return self.palettes[self.rng.integers(len(self.palettes))]

    def _window(self, layers):
        points = np.concatenate([contour for layer in layers for contour in layer])
        left, top = np.maximum(np.floor(points.min(0)).astype(int) - 2, 0)
        right, bottom = np.minimum(np.ceil(points.max(0)).astype(int) + 2,
                                   [self.width, self.height])
        return top, left, bottom, right

    def _paint(self, outline, centre, diameter, owner, palette):
        rng, scale = self.rng, diameter / 2
        layers = place_outline(rng, outline, centre, diameter)
        top, left, bottom, right = window = self._window(layers)
        if bottom - top < 1 or right - left < 1:
            return
        coverage, layer_coverages = rasterise(layers, window, outline.melt * scale)
        parts = _part_coverages(outline.part_of_layer, layer_coverages)
        rows, columns = slice(top, bottom), slice(left, right)
        surface = paint_surface(rng, bottom - top, right - left, scale, parts,
                                self._camouflage(rows, columns), palette)
        factor, gloss = shading(rng, coverage, self.light, scale)
        if factor is not None:
            surface = scale_colours(surface, factor)
        if gloss is not None:
            surface = cv2.add(surface, cv2.merge([gloss, gloss, gloss]))
        if self.outline_width and rng.random() < 0.8:
            line = edge_line(coverage, self.outline_width * diameter)
            ink = np.broadcast_to(random_colour(rng) * np.float32(0.4), surface.shape)
            surface = blend(surface, np.ascontiguousarray(ink), line)
        if self.has_shadows and rng.random() < 0.85:
            cast_shadow(rng, self.canvas, coverage, window, self.light, scale)
        self.canvas[rows, columns] = blend(
            np.ascontiguousarray(self.canvas[rows, columns]), surface, coverage)
        inside = coverage >= 0.5
        self.owner[rows, columns][inside] = owner
        self.full_areas[owner] += int(inside.sum())

    def _camouflage(self, rows, columns):
        """Another piece of the backdrop of the same size, or None for an own texture."""
        if self.rng.random() >= self.camouflage_probability:
            return None
        flipped = self.backdrop[::-1, ::-1] if self.rng.random() < 0.5 else self.backdrop[:, ::-1]
        return np.ascontiguousarray(flipped[rows, columns])

    def finish(self, class_names):
        """The finished picture: (image, Instances of the objects that can be seen)."""
        if self.rng.random() < 0.3:
            self.canvas = light_patches(self.rng, self.canvas)
        image = photograph(self.rng, self.canvas)
        count = len(self.labels)
        visible = np.bincount(self.owner.ravel() + 1, minlength=count + 1)[1:]
        least = np.maximum(_SMALLEST_AREA, 0.05 * np.asarray(self.full_areas))
        kept = visible >= least
        if not kept.any():
            kept[np.argmax(visible)] = visible.any()
        chosen = np.flatnonzero(kept)
        masks = self.owner[None] == chosen[:, None, None]
        return image, Instances(
            masks, labels=np.asarray(self.labels, np.int32)[chosen], class_names=class_names,
            crowds=np.asarray(self.crowds, bool)[chosen])


def _part_coverages(part_of_layer, layer_coverages):
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
