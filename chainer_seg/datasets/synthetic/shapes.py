"""An endless, seeded, synthetic data set: textured shapes on textured backgrounds with exact masks."""

from collections.abc import Iterable

import numpy as np

from chainer_seg.datasets.synthetic.base import SyntheticDataset
from chainer_seg.datasets.synthetic.scene import SMALLEST_DIAMETER, Scene
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
from chainer_seg.errors import DatasetError


class ShapesDataset(SyntheticDataset):
    """Synthetic images of overlapping shapes with the masks of their visible parts.

    ``dataset[i]`` depends on the arguments and i alone, so any number of processes may read it
    in any order. Class names are those of :data:`chainer_seg.datasets.synthetic.silhouettes.OUTLINES`.

    A scene is painted back to front: a backdrop of one to three textured regions, then objects
    from far to near with their cast shadows, and what a camera adds. Masks are the visible
    parts: an object hidden entirely, or but for a few pixels, is not annotated.

    Args:
        length (int): Number of images; images do not depend on it.
        seed (int): Another seed gives other images.
        size (tuple of int): (height, width) in pixels.
        objects (tuple of int): Minimum and maximum number of single objects drawn in an image.
        diameters (tuple of float): Minimum and maximum diameter of an object as a fraction of the
            image's shorter side; diameters are distributed log-uniformly.
        crowd_probability (float): Share of the images that also hold a cluster of many small
            objects, annotated as one crowd region.
        camouflage_probability (float): Share of the objects that take their texture from the
            backdrop.
        classes (iterable of str): The class names to draw, in the order of their labels; all
            when None.

    Raises:
        chainer_seg.errors.DatasetError: For arguments that allow no image.
    """

    def __init__(self, length: int = 1000, seed: int = 0, size: tuple[int, int] = (256, 256),
                 objects: tuple[int, int] = (1, 8), diameters: tuple[float, float] = (0.06, 0.9),
                 crowd_probability: float = 0.06, camouflage_probability: float = 0.15,
                 classes: Iterable[str] | None = None):
        super().__init__(length, seed, size)
        self.class_names = tuple(OUTLINES if classes is None else classes)
        self.objects, self.diameters = tuple(objects), tuple(diameters)
        self.crowd_probability = crowd_probability
        self.camouflage_probability = camouflage_probability
        unknown = [name for name in self.class_names if name not in OUTLINES]
        if unknown or not self.class_names:
            raise DatasetError(
                f'{unknown or "an empty list"} names no drawn class; choose from '
                f'{", ".join(OUTLINES)}.')
        if not 1 <= self.objects[0] <= self.objects[1]:
            raise DatasetError(
                f'objects must be (least, largest) with 1 <= least <= largest, not {objects}.')
        if not 0 < self.diameters[0] <= self.diameters[1] <= 1:
            raise DatasetError(
                f'diameters must be (least, largest) with 0 < least <= largest <= 1, '
                f'not {diameters}.')

    def _draw(self, rng):
        scene = Scene(rng, *self.size, self.camouflage_probability)
        for diameter in self._draw_diameters(rng):
            label = rng.integers(len(self.class_names))
            scene.add_shape(self.class_names[label], label, diameter)
        if rng.random() < self.crowd_probability:
            label = rng.integers(len(self.class_names))
            scene.add_crowd_of_shapes(self.class_names[label], label)
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
        return np.maximum(diameters[order] * side, SMALLEST_DIAMETER)
