"""Training pictures of a classifier: objects of a detection data set, cut out with what is around."""

import numpy as np

from chainer_seg.datasets.object_index import cut_window
from chainer_seg.errors import DatasetError

# Means of blue, green and red that Detectron and its ImageNet files subtract from 0..255.
PIXEL_MEANS = (102.9801, 115.9465, 122.7717)

# Smaller objects (pixels of the picture) are not shown.
LEAST_SIDE = 5

# The side of a crop in sides of its object, and how far the object may be off its middle, in sides.
OBJECT_SCALE = (1.0, 2.2)
SHIFT = 0.15


class ObjectCrops:
    """Draws a crop around an object whose class is drawn evenly.

    Called as ``transform(k, rng)`` by the training iterator; the number itself is not used.

    Args:
        index: A :class:`chainer_seg.datasets.ObjectIndex`.
        side: Side of the crops in pixels.

    Returns:
        A dict of ``x`` (3, side, side) float32, BGR in 0..255 less :data:`PIXEL_MEANS`, and ``label``
        () int32.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no object to train on.
    """

    def __init__(self, index, side=64):
        self.index, self.side = index, side
        sides = index.bboxes[:, 2:] - index.bboxes[:, :2]
        usable = np.flatnonzero(~index.crowds & (sides >= LEAST_SIDE).all(axis=1))
        if not usable.size:
            raise DatasetError(f'The data set has no object to train on: none of its {len(index)} has '
                               f'sides of {LEAST_SIDE} pixels and is not a crowd.')
        labels = index.labels[usable]
        self._by_label = [usable[labels == label] for label in np.unique(labels)]

    def __call__(self, number, rng):
        chosen = rng.choice(self._by_label[rng.integers(len(self._by_label))])
        image = self.index.read_image(self.index.pictures[chosen])
        box = self.index.bboxes[chosen].astype(np.float64)
        longer = max(box[2:] - box[:2])
        length = longer * np.exp(rng.uniform(*np.log(OBJECT_SCALE)))
        centre = (box[:2] + box[2:]) / 2 + rng.uniform(-SHIFT, SHIFT, 2) * longer
        less = image[:, :, ::-1] - np.float32(PIXEL_MEANS)
        crop = cut_window(less, (*(centre - length / 2), length), self.side, 0)
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        return {'x': np.ascontiguousarray(crop.transpose(2, 0, 1)), 'label': self.index.labels[chosen]}
