"""A synthetic data set that a small network learns in an hour: plain shapes on a plain background."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Example
from chainer_seg.datasets.synthetic.rasterise import blend, place_outline, rasterise
from chainer_seg.datasets.synthetic.shapes import ShapesDataset
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
from chainer_seg.instances import Instances

PLAIN_CLASSES = ('circle', 'triangle', 'rectangle', 'star', 'ring', 'cross')

_MIN_CONTRAST = 60  # in 0..255: the largest difference of a channel between an object and its background
_MIN_VISIBLE = 0.25  # fraction of an object; objects of which less is visible are not annotated


class PlainShapesDataset(ShapesDataset):
    """Synthetic images of a few shapes, each of one colour, with the masks of their visible parts.

    An easy variant of :class:`~chainer_seg.datasets.synthetic.shapes.ShapesDataset`, for tutorials and for
    models that are trained without a GPU: no textures, no shadows, no camouflage, no crowds, few classes
    and no tiny objects. Shapes still hide each other and extend beyond the image.

    The arguments are those of ``ShapesDataset``.
    """

    def __init__(self, length: int = 1000, seed: int = 0, size: tuple[int, int] = (256, 256),
                 objects: tuple[int, int] = (1, 5), diameters: tuple[float, float] = (0.15, 0.6),
                 classes: Iterable[str] = PLAIN_CLASSES) -> None:
        super().__init__(length, seed, size, objects, diameters, crowd_probability=0,
                         camouflage_probability=0, classes=classes)

    def _draw(self, rng: np.random.Generator) -> Example:
        canvas = plain_ground(rng, self.size)
        owner = np.full(self.size, -1, np.int16)
        diameters = self._draw_diameters(rng)
        labels = rng.integers(len(self.class_names), size=len(diameters)).astype(np.int32)
        areas = [_paint(rng, canvas, owner, number, self.class_names[label], diameter)
                 for number, (label, diameter) in enumerate(zip(labels, diameters))]
        noise = rng.normal(0, rng.uniform(0, 6), canvas.shape)
        image = np.clip(canvas + noise, 0, 255).astype(np.uint8)
        visible = np.bincount(owner.ravel() + 1, minlength=len(labels) + 1)[1:]
        chosen = np.flatnonzero(visible > _MIN_VISIBLE * np.asarray(areas))
        return image, Instances(owner[None] == chosen[:, None, None], labels=labels[chosen],
                                class_names=self.class_names)


def plain_ground(rng: np.random.Generator, size: tuple[int, int]) -> npt.NDArray:
    """A background of one colour with a slight gradient, (H, W, 3) float32 in 0..255."""
    height, width = size
    direction = rng.uniform(-1, 1, 2)
    slope = (np.linspace(-1, 1, height)[:, None] * direction[0]
             + np.linspace(-1, 1, width) * direction[1])
    return (rng.uniform(30, 225, 3) + rng.uniform(0, 25) * slope[:, :, None]).astype(np.float32)


def _paint(rng: np.random.Generator, canvas: npt.NDArray, owner: npt.NDArray[np.int16], number: int,
           name: str, diameter: float) -> int:
    """Paints a shape at a random place and assigns its pixels to ``number``; returns its full area."""
    outline = OUTLINES[name](rng)
    # The centre is inside the image, so that a part of every shape is.
    centre = rng.uniform(0.1, 0.9, 2) * canvas.shape[1::-1]
    layers = place_outline(rng, outline, centre, diameter)
    points = np.concatenate([contour for layer in layers for contour in layer])
    left, top = np.floor(points.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 1
    coverage, _ = rasterise(layers, (top, left, bottom, right), outline.melt * diameter / 2)
    rows, columns = (slice(max(start, 0), stop) for start, stop in ((top, bottom), (left, right)))
    inside = coverage[rows.start - top:, columns.start - left:]
    behind = np.ascontiguousarray(canvas[rows, columns])
    inside = np.ascontiguousarray(inside[:behind.shape[0], :behind.shape[1]])
    canvas[rows, columns] = blend(behind, _surface(rng, behind), inside)
    owner[rows, columns][inside >= 0.5] = number
    return int((coverage >= 0.5).sum())


def _surface(rng: np.random.Generator, behind: npt.NDArray) -> npt.NDArray[np.float32]:
    """A surface of one colour that contrasts with the mean of the pixels behind it, of the same shape."""
    colour = other_colour(rng, behind.mean(axis=(0, 1)))
    return np.broadcast_to(colour, behind.shape).astype(np.float32)


def other_colour(rng: np.random.Generator, behind: npt.NDArray) -> npt.NDArray[np.float64]:
    """A random colour (3,) with enough contrast to another one."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if np.abs(colour - behind).max() >= _MIN_CONTRAST:
            return colour
