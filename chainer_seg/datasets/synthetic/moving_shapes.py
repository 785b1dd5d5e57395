"""Synthetic, seeded videos of moving and rotating shapes that occlude each other, with exact masks."""

import dataclasses
from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Example
from chainer_seg.datasets.synthetic.base import SyntheticDataset
from chainer_seg.datasets.synthetic.backdrops import paint_backdrop
from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES, other_colour, plain_ground
from chainer_seg.datasets.synthetic.rasterise import blend, place_outline, rasterise
from chainer_seg.datasets.synthetic.scene import CLUTTER, SMALLEST_DIAMETER, textured_shape
from chainer_seg.datasets.synthetic.shapes import unknown_classes
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES, Outline
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances

_SMALLEST_AREA = 12  # visible pixels; objects with fewer are not annotated
_LIGHT = (-0.6, -0.8)  # unit vector (x, y) towards the light
_NOISE = 3.0  # standard deviation of the camera's noise, in 0..255


class MovingShapes(SyntheticDataset):
    """The frames of a video of textured shapes like those of :class:`ShapesDataset`.

    ``frames[i]`` depends only on the arguments and i.

    Args:
        length: Number of frames; frames do not depend on it.
        seed: Another seed gives another video.
        size: (height, width) in pixels.
        objects: Number of shapes.
        diameters: Minimum and maximum diameter as a fraction of the shorter side.
        speed: Average distance that a shape moves between two frames, as a fraction of the shorter
            side.
        classes: The class names, in the order of their labels; None for all.

    Attributes:
        class_names (tuple of str): The name of each label.

    Raises:
        chainer_seg.errors.DatasetError: An argument is out of range.
    """

    def __init__(self, length: int = 100, seed: int = 0, size: tuple[int, int] = (240, 320), objects: int = 4,
                 diameters: tuple[float, float] = (0.2, 0.45), speed: float = 0.012,
                 classes: Iterable[str] | None = None) -> None:
        self.class_names = tuple(OUTLINES if classes is None else classes)
        super().__init__(length, seed, size)
        unknown = [name for name in self.class_names if name not in OUTLINES]
        if unknown or not self.class_names:
            raise DatasetError(unknown_classes(unknown))
        if objects < 0:
            raise DatasetError(f'The number of objects must be at least 0, got {objects}.')
        rng = np.random.default_rng(self.seed)
        self._backdrop = self._paint_backdrop(rng)
        self._sprites = [self._sprite(rng, diameters, speed) for _ in range(objects)]

    def __getitem__(self, index: int) -> Example:
        """One frame.

        Returns:
            The image (H, W, 3) uint8 RGB and its visible :class:`Instances`, far ones first.

        Raises:
            IndexError: If index is not in -length..length - 1.
        """
        index = range(self.length)[index]
        canvas = self._backdrop
        owner = np.full(self.size, CLUTTER, np.int16)
        for number, sprite in enumerate(self._sprites):
            surface, coverage = sprite.at(index, self.size)
            canvas = blend(canvas, surface, coverage)
            owner[coverage >= 0.5] = number
        noise = np.random.default_rng((self.seed, index)).standard_normal(self.size, np.float32)
        image = np.clip(np.round(canvas + _NOISE * noise[:, :, None]), 0, 255).astype(np.uint8)
        masks = owner == np.arange(len(self._sprites))[:, None, None]
        seen = masks.sum(axis=(1, 2)) >= _SMALLEST_AREA
        labels = np.array([sprite.label for sprite in self._sprites], np.int32)
        return image, Instances(masks[seen], labels=labels[seen], class_names=self.class_names)

    def _paint_backdrop(self, rng: np.random.Generator) -> npt.NDArray:
        """(H, W, 3) float32 in 0..255."""
        return paint_backdrop(rng, *self.size)

    def _paint_shape(self, rng: np.random.Generator, outline: Outline, layers: list[list[npt.NDArray]],
                     side: int, diameter: float) -> tuple[npt.NDArray, npt.NDArray]:
        """The surface (side, side, 3) and the coverage (side, side) of a placed outline."""
        return textured_shape(rng, outline, layers, (0, 0, side, side), diameter / 2, _LIGHT)

    def _sprite(self, rng: np.random.Generator, diameters: tuple[float, float], speed: float) -> '_Sprite':
        shorter = min(self.size)
        label = int(rng.integers(len(self.class_names)))
        diameter = max(shorter * rng.uniform(*diameters), SMALLEST_DIAMETER)
        outline = OUTLINES[self.class_names[label]](rng)
        side = int(diameter * 1.5) + 4  # A rotated shape is at most the square root of 2 wider.
        layers = place_outline(rng, outline, (side / 2, side / 2), diameter)
        surface, coverage = self._paint_shape(rng, outline, layers, side, diameter)
        heading = rng.uniform(0, 2 * np.pi)
        step = shorter * speed * rng.uniform(0.5, 1.5) * np.array([np.cos(heading), np.sin(heading)])
        return _Sprite(surface, coverage, rng.uniform(0, 1, 2) * self.size[::-1], step,
                       rng.normal(0, 1.5), label)


class MovingPlainShapes(MovingShapes):
    """The frames of a video of plain shapes like those of :class:`PlainShapesDataset`.

    The arguments are those of :class:`MovingShapes`.
    """

    def __init__(self, length: int = 100, seed: int = 0, size: tuple[int, int] = (240, 320), objects: int = 4,
                 diameters: tuple[float, float] = (0.2, 0.45), speed: float = 0.012,
                 classes: Iterable[str] = PLAIN_CLASSES) -> None:
        super().__init__(length, seed, size, objects, diameters, speed, classes)

    def _paint_backdrop(self, rng: np.random.Generator) -> npt.NDArray:
        return plain_ground(rng, self.size)

    def _paint_shape(self, rng: np.random.Generator, outline: Outline, layers: list[list[npt.NDArray]],
                     side: int, diameter: float) -> tuple[npt.NDArray, npt.NDArray]:
        coverage, _ = rasterise(layers, (0, 0, side, side), outline.melt * diameter / 2)
        colour = other_colour(rng, self._backdrop.mean(axis=(0, 1)))
        return np.broadcast_to(colour, (side, side, 3)).astype(np.float32), coverage


@dataclasses.dataclass(frozen=True)
class _Sprite:
    """A shape that moves on a straight path, reflected at the borders, and rotates.

    Attributes:
        surface, coverage: (d, d, 3) and (d, d) float32, the shape in the middle of a square.
        start: Position (x, y) in the first frame, in pixels.
        step: Movement (x, y) per frame, in pixels.
        turn: Rotation per frame, in degrees.
        label: Its class.
    """

    surface: npt.NDArray
    coverage: npt.NDArray
    start: npt.NDArray
    step: npt.NDArray
    turn: float
    label: int

    def at(self, index: int, size: tuple[int, int]) -> tuple[npt.NDArray, npt.NDArray]:
        """Its surface (H, W, 3) and coverage (H, W) in the frame with this number."""
        height, width = size
        middle = (len(self.coverage) - 1) / 2
        way = np.array([width, height], float)
        # Reflection at the borders folds a path of twice the length.
        place = way - np.abs((self.start + index * self.step) % (2 * way) - way)
        motion = cv2.getRotationMatrix2D((middle, middle), self.turn * index, 1)
        motion[:, 2] += place - middle
        return (cv2.warpAffine(self.surface, motion, (width, height),
                               borderMode=cv2.BORDER_REPLICATE),
                cv2.warpAffine(self.coverage, motion, (width, height)))
