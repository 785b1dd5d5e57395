"""Training patches: an object in the middle for its mask, and objects or none for the score.

Section 3 of arXiv 1506.06204 and the samplers of its Torch implementation. A scale is the number of
pixels of the image for one pixel of the patch.
"""

import math
from collections.abc import Sequence
from typing import Any

import chainer
import numpy as np
import numpy.typing as npt

from chainer_seg.arrays import Array
from chainer_seg.datasets.object_index import ObjectIndex, cut_window
from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.models.deepmask.trunk import PADDING_VALUE, PATCH_MARGIN, normalise

# Longer side of a canonical object over that of a patch.
CANONICAL = 128 / 224

# Minimum area and side of an object to train on, in pixels of the image.
LEAST_AREA, LEAST_SIDE = 100, 5

# Scales at which negatives are sampled, as multiples of the image's scale.
NEGATIVE_SCALES = 2.0 ** np.arange(3, -2.01, -0.25)
# Minimum distance of a negative from every object, in units of the shift of the positives ...
CLEARANCE = 3
# ... whose canonical scale differs by at most this many octaves ("2^1 in scale" in the paper).
NEIGHBOURING_OCTAVES = 1
NEGATIVE_TRIES = 100

LEAST_WINDOW = 10  # minimum side of a negative in pixels of the image

# The positions of an endless training stream.
NUMBERS = range(2 ** 40)

# Distinguishes the generator that chooses a batch's head from those of the samples.
_HEAD = 3


class PatchSamples:
    """Samples the k-th training patch; every batch trains one head, masks or scores.

    Called as ``transform(k, rng)`` by the training iterator, over the numbers of
    :data:`NUMBERS` in order. The head that batch ``k // batch_size`` trains depends only on the seed
    and that number, so that a resumed run continues exactly.

    Args:
        index: A :class:`chainer_seg.datasets.ObjectIndex`.
        patch_size: Side of the window of a mask in pixels of the patch (iSz).
        target_size: Side of the masks (gSz).
        shift: Maximum distance of objects from the centre, in pixels of the patch.
        scale: Maximum deviation from the canonical scale, in octaves.
        score_share: Probability that a batch trains the score (hfreq).
        batch_size: Number of samples per batch.
        seed: Seed of the choice of heads.

    Returns:
        A dict of ``x`` (3, patch_size + 32, patch_size + 32) float32, the network's input, and
        either ``mask`` (target_size, target_size) or ``score`` () float32, both of -1 and 1.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no object to train on.
    """

    def __init__(self, index: ObjectIndex, patch_size: int = 160, target_size: int = 112, shift: float = 16,
                 scale: float = 0.25, score_share: float = 0.5, batch_size: int = 32, seed: int = 0) -> None:
        self.index = index
        self.patch_size, self.target_size = patch_size, target_size
        self.input_size = patch_size + PATCH_MARGIN
        self.object_size = math.ceil(patch_size * CANONICAL)
        self.shift, self.scale, self.score_share = shift, scale, score_share
        self.batch_size, self.seed = batch_size, seed
        usable = usable_objects(index)
        if not usable.any():
            raise DatasetError(
                f'The data set has no object to train on: {len(index)} objects, none of which has '
                f'at least {LEAST_AREA} pixels and sides of {LEAST_SIDE} and is not a crowd.')
        numbers = np.flatnonzero(usable)
        labels = index.labels[numbers]
        self._by_label = [numbers[labels == label] for label in np.unique(labels)]
        self._usable = usable
        self._images = np.unique(index.image_numbers[numbers])

    def __call__(self, number: int, rng: np.random.Generator) -> dict[str, Any]:
        batch = number // self.batch_size
        head = np.random.default_rng((self.seed, batch, _HEAD)).random()
        return self.draw_score(rng) if head < self.score_share else self.draw_mask(rng)

    def draw_mask(self, rng: np.random.Generator) -> dict[str, Any]:
        """A patch with an object of a category sampled uniformly, and the object's mask."""
        number = rng.choice(self._by_label[rng.integers(len(self._by_label))])
        centre, scale = self._jitter(number, rng)
        image, mask = self.index.read_object(
            number, window_around(centre, self.patch_size * scale), self.target_size)
        patch = self._cut(image, centre, scale * self.input_size)
        if rng.random() < 0.5:
            patch, mask = patch[:, :, ::-1], mask[:, ::-1]
        return {'x': np.ascontiguousarray(patch), 'mask': np.where(mask, 1, -1).astype(np.float32)}

    def draw_score(self, rng: np.random.Generator) -> dict[str, Any]:
        """A patch with a centred object, as of :meth:`draw_mask`, or one without."""
        number = rng.choice(self._images)
        image = self.index.read_image(number)
        positive = rng.random() < 0.5
        if positive:
            objects = self.index.of_image(number)
            centre, scale = self._jitter(
                objects.start + rng.choice(np.flatnonzero(self._usable[objects])), rng)
        else:
            centre, scale = self._away_from_objects(number, image.shape[:2], rng)
        patch = self._cut(image, centre, max(scale * self.input_size, LEAST_WINDOW))
        if rng.random() < 0.5:
            patch = patch[:, :, ::-1]
        return {'x': np.ascontiguousarray(patch), 'score': np.float32(1 if positive else -1)}

    def _jitter(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """The centre (y, x) and the scale of a patch around an object."""
        centres, scales = self._canonical(slice(number, number + 1))
        scale = scales[0] * 2 ** rng.uniform(-self.scale, self.scale)
        return centres[0] + rng.uniform(-self.shift, self.shift, 2) * scale, scale

    def _canonical(self, objects: slice) -> tuple[np.ndarray, np.ndarray]:
        """The centres (R, 2) of objects and the scales (R,) at which they are canonical."""
        boxes = self.index.bboxes[objects].astype(np.float64)
        sides = boxes[:, 2:] - boxes[:, :2]
        return (boxes[:, :2] + boxes[:, 2:]) / 2, sides.max(axis=1) / self.object_size

    def _away_from_objects(self, number: int, size: tuple[int, int],
                           rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """A centre (y, x) and a scale at which no object, crowds included, is centred."""
        scales = rng.choice(NEGATIVE_SCALES, NEGATIVE_TRIES)
        places = rng.uniform(0, size, (NEGATIVE_TRIES, 2))
        centres, canonical = self._canonical(self.index.of_image(number))
        with np.errstate(divide='ignore'):  # An annotation may have a box without a side.
            octaves = np.abs(np.log2(canonical) - np.log2(scales)[:, None])
        distances = np.linalg.norm(places[:, None] - centres, axis=2) / scales[:, None]
        distances[octaves > NEIGHBOURING_OCTAVES] = np.inf
        nearest = distances.min(axis=1)
        # The first one that is far enough, or else the farthest.
        chosen = np.argmax(np.minimum(nearest, CLEARANCE * self.shift))
        return places[chosen], scales[chosen]

    def _cut(self, image: np.ndarray, centre: Sequence[float] | np.ndarray,
             length: float) -> npt.NDArray[np.float32]:
        """The network's input (3, input_size, input_size) for a square of an image."""
        window = window_around(centre, length)
        patch = cut_window(image, window, self.input_size, 255 * PADDING_VALUE) / np.float32(255)
        return normalise(patch.transpose(2, 0, 1))


def usable_objects(index: ObjectIndex) -> npt.NDArray[np.bool_]:
    """(N,) bool: the objects of an index to train on."""
    sides = index.bboxes[:, 2:] - index.bboxes[:, :2]
    return ~index.crowds & (index.areas >= LEAST_AREA) & (sides >= LEAST_SIDE).all(axis=1)


def window_around(centre: Sequence[float] | np.ndarray, length: float) -> tuple[float, float, float]:
    """(top, left, length) in pixels of the square of side ``length`` around (y, x)."""
    return float(centre[0] - length / 2), float(centre[1] - length / 2), float(length)


def stack_patches(samples: Sequence[dict[str, Any]], device: chainer.backend.Device) -> dict[str, Array]:
    """Stacks the samples of one batch into a dict of arrays on ``device``.

    Raises:
        chainer_seg.errors.TrainingError: The samples are for different heads.
    """
    if any(sample.keys() != samples[0].keys() for sample in samples):
        raise TrainingError('A batch mixes samples for the mask and for the score; resume with the '
                            'batch size that the run was started with.')
    return chainer.dataset.concat_examples(samples, device)
