"""An endless, seeded data set of collages: objects cut out of photographs, and shapes, on other photographs.

Cut-and-paste as in "Cut, Paste and Learn" (arXiv 1708.01642) and "Simple Copy-Paste" (arXiv 2012.07177).
"""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Dataset, Example
from chainer_seg.datasets.synthetic.base import SyntheticDataset
from chainer_seg.datasets.synthetic.scene import Scene
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
from chainer_seg.errors import DatasetError

_VIEW = (0.4, 1.0)  # side of the part of a photograph that is the backdrop, over its shorter side
_TILT = 12.0  # degrees: standard deviation of the rotation of pasted objects
_DIAMETERS = (0.12, 0.9)  # of pasted objects, over the side of the image
_SMALLEST_CUTOUT = 1000  # pixels: smaller objects are too coarse to be enlarged
_CACHED = 64  # photographs that are kept decoded


class CollageDataset(SyntheticDataset):
    """Photographs with objects cut out of other photographs, and synthetic shapes, pasted into them.

    ``dataset[i]`` depends only on the arguments and i. Masks are the visible parts. All objects are of
    the class 'object'; shadows and the effects of a camera are those of
    :class:`chainer_seg.datasets.ShapesDataset`.

    Args:
        photographs: A data set whose images and objects are used; crowds are not pasted.
        length: Number of images; images do not depend on it.
        seed: Another seed gives other images.
        size: (height, width) in pixels.
        photograph_share: Share of the images whose backdrop is a part of a photograph, with its objects;
            the others have that of synthetic shapes.
        pasted: Minimum and maximum number of objects that are pasted.
        shape_share: Share of these that are synthetic shapes.

    Raises:
        chainer_seg.errors.DatasetError: The photographs have no object of at least 1,000 pixels.
    """

    class_names = ('object',)

    def __init__(self, photographs: Dataset, length: int = 1000, seed: int = 0,
                 size: tuple[int, int] = (320, 320), photograph_share: float = 0.8,
                 pasted: tuple[int, int] = (0, 3), shape_share: float = 0.3) -> None:
        super().__init__(length, seed, size)
        self.photograph_share, self.pasted, self.shape_share = photograph_share, pasted, shape_share
        self._photographs = photographs
        self._cutouts = _find_cutouts(photographs)
        self._decoded: dict[int, Example] = {}

    def _draw(self, rng: np.random.Generator) -> Example:
        scene = Scene(rng, *self.size)
        if rng.random() < self.photograph_share:
            self._lay_photograph(scene)
            least = self.pasted[0]
        else:
            least = max(1, self.pasted[0])
        for _ in range(rng.integers(least, self.pasted[1] + 1)):
            diameter = np.exp(rng.uniform(*np.log(_DIAMETERS))) * min(self.size)
            if rng.random() < self.shape_share:
                scene.add_shape(rng.choice(list(OUTLINES)), 0, diameter)
            else:
                self._paste(scene, diameter)
        return scene.finish(self.class_names)

    def _read(self, index: int) -> Example:
        if index not in self._decoded:
            if len(self._decoded) >= _CACHED:
                del self._decoded[next(iter(self._decoded))]
            self._decoded[index] = self._photographs[index]
        return self._decoded[index]

    def _lay_photograph(self, scene: Scene) -> None:
        """Replaces the backdrop by a part of a photograph; its objects become those of the scene."""
        rng = scene.rng
        image, instances = self._read(int(rng.integers(len(self._photographs))))
        size = np.array(image.shape[:2])
        side = size.min() * np.exp(rng.uniform(*np.log(_VIEW)))
        height, width = np.clip(np.round(side * np.array(self.size) / min(self.size)), 1, size).astype(int)
        top, left = rng.integers(0, size - (height, width) + 1)
        part, step = np.s_[top:top + height, left:left + width], int(rng.choice((1, -1)))
        scene.canvas = _resized(image[part].astype(np.float32), self.size)[:, ::step].copy()
        scene.backdrop = scene.canvas.copy()
        areas = instances.masks.sum(axis=(1, 2))
        for number in np.argsort(-areas, kind='stable'):  # small objects lie on large ones
            coverage = _resized(instances.masks[number][part].astype(np.float32), self.size)[:, ::step]
            owner = scene.register(0, bool(instances.crowds[number]))
            scene.owner[coverage >= 0.5] = owner

    def _paste(self, scene: Scene, diameter: float) -> None:
        """Pastes an object of a photograph, scaled to a diameter in pixels, rotated and often mirrored."""
        rng = scene.rng
        index, number = self._cutouts[rng.integers(len(self._cutouts))]
        image, instances = self._read(index)
        top, left, bottom, right = instances.bboxes[number]
        centre = rng.uniform(0.05, 0.95, 2) * (scene.width, scene.height)
        scale = diameter / max(bottom - top, right - left)
        # Shrunk before it is warped, because warping does not average.
        factor = min(1.0, scale)
        matrix = cv2.getRotationMatrix2D((0, 0), rng.normal(0, _TILT), scale / factor)
        matrix[:, 0] *= rng.choice((1, -1))
        middle = factor * np.array([left + right, top + bottom]) / 2
        matrix[:, 2] = centre - matrix[:, :2] @ middle
        inner = tuple(max(1, round(side * factor)) for side in image.shape[:2])
        surface, coverage = (
            cv2.warpAffine(_resized(array.astype(np.float32), inner), matrix, (scene.width, scene.height),
                           borderMode=cv2.BORDER_CONSTANT)
            for array in (image, instances.masks[number]))
        rows, columns = (np.flatnonzero(coverage.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return
        window = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        part = np.s_[window[0]:window[2], window[1]:window[3]]
        surface = surface[part] * np.exp(rng.normal(0, 0.1, 3) + rng.normal(0, 0.15)).astype(np.float32)
        coverage = np.ascontiguousarray(coverage[part])
        scene.cast_shadow(coverage, window, diameter / 2)
        scene.lay(np.clip(surface, 0, 255), coverage, window, scene.register(0))


def _find_cutouts(photographs: Dataset) -> list[tuple[int, int]]:
    """The numbers of the image and of the object for all that are large enough to be pasted."""
    found = []
    for index in range(len(photographs)):
        _, _, areas, crowds = photographs.read_boxes(index)
        found += [(index, int(number)) for number in np.flatnonzero(~crowds & (areas >= _SMALLEST_CUTOUT))]
    if not found:
        raise DatasetError(f'The photographs have no object of at least {_SMALLEST_CUTOUT} pixels to cut '
                           f'out; give a data set with larger objects.')
    return found


def _resized(array: npt.NDArray, size: tuple[int, ...]) -> npt.NDArray:
    shrinks = size[0] * size[1] < array.shape[0] * array.shape[1]
    return cv2.resize(array, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
