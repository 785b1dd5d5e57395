"""An endless, seeded, synthetic data set: textured shapes on textured backgrounds with exact masks."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Example
from chainer_seg.datasets.synthetic.base import SyntheticDataset
from chainer_seg.datasets.synthetic.scene import SMALLEST_DIAMETER, Scene
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
from chainer_seg.errors import DatasetError


class ShapesDataset(SyntheticDataset):
    """Synthetic images of overlapping shapes with the masks of their visible parts.

    ``dataset[i]`` depends only on the arguments and i, so that any number of processes may read it
    in any order. Class names are those of :data:`chainer_seg.datasets.synthetic.silhouettes.OUTLINES`.

    A scene is painted back to front: a backdrop of one to three textured regions, then objects
    from far to near with their shadows, and finally the effects of a camera. Masks are the visible
    parts; objects of which none or only a few pixels are visible are not annotated.

    Args:
        length: Number of images; images do not depend on it.
        seed: Another seed gives other images.
        size: (height, width) in pixels.
        objects: Minimum and maximum number of single objects in an image.
        diameters: Minimum and maximum diameter of an object as a fraction of the
            image's shorter side; diameters are distributed log-uniformly.
        crowd_probability: Fraction of images that also contain a cluster of many small objects,
            annotated as one crowd region.
        camouflage_probability: Fraction of objects that take their texture from the backdrop.
        classes: The class names, in the order of their labels; None for all.

    Raises:
        chainer_seg.errors.DatasetError: An argument is out of range.
    """

    def __init__(self, length: int = 1000, seed: int = 0, size: tuple[int, int] = (256, 256),
                 objects: tuple[int, int] = (1, 8), diameters: tuple[float, float] = (0.06, 0.9),
                 crowd_probability: float = 0.06, camouflage_probability: float = 0.15,
                 classes: Iterable[str] | None = None) -> None:
        super().__init__(length, seed, size)
        self.class_names = tuple(OUTLINES if classes is None else classes)
        self.objects, self.diameters = tuple(objects), tuple(diameters)
        self.crowd_probability = crowd_probability
        self.camouflage_probability = camouflage_probability
        unknown = [name for name in self.class_names if name not in OUTLINES]
        if unknown or not self.class_names:
            raise DatasetError(unknown_classes(unknown))
        if not 1 <= self.objects[0] <= self.objects[1]:
            raise DatasetError(
                f'objects must be (minimum, maximum) with 1 <= minimum <= maximum, got {objects}.')
        if not 0 < self.diameters[0] <= self.diameters[1] <= 1:
            raise DatasetError(
                f'diameters must be (minimum, maximum) with 0 < minimum <= maximum <= 1, '
                f'got {diameters}.')

    def _draw(self, rng: np.random.Generator) -> Example:
        scene = Scene(rng, *self.size, self.camouflage_probability)
        for diameter in self._draw_diameters(rng):
            label = int(rng.integers(len(self.class_names)))
            scene.add_shape(self.class_names[label], label, diameter)
        if rng.random() < self.crowd_probability:
            label = int(rng.integers(len(self.class_names)))
            scene.add_crowd_of_shapes(self.class_names[label], label)
        return scene.finish(self.class_names)

    def _draw_diameters(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Diameters in pixels of the objects from far to near; large ones tend to be far."""
        side = min(self.size)
        low, high = np.log(self.diameters)
        count = rng.integers(self.objects[0], self.objects[1] + 1)
        diameters = np.exp(low + (high - low) * rng.beta(1.3, 1, count))
        if rng.random() < 0.5:
            diameters[0] = np.exp(rng.uniform((low + high) / 2, high))
        order = np.argsort(-np.log(diameters) + rng.normal(0, 0.5, count))
        return np.maximum(diameters[order] * side, SMALLEST_DIAMETER)


def unknown_classes(unknown: list[str]) -> str:
    """The error for class names that have no silhouette, or for an empty list of classes."""
    found = f'unknown: {", ".join(unknown)}' if unknown else 'the list is empty'
    return f'classes must be names of silhouettes ({found}); choose from {", ".join(OUTLINES)}.'
