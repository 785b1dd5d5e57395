"""Training patches: an object in the middle for its mask, and objects or none for the score.

Section 3 of arXiv 1506.06204 and the samplers of its Torch implementation. A scale is the number of
pixels of the image for one pixel of the patch.
"""

import math

import chainer
import numpy as np

from chainer_seg.datasets.object_index import cut_window
from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.models.deepmask.trunk import PADDING_VALUE, PATCH_MARGIN, normalise

# In a patch of 224 pixels a canonical object is 128 pixels long.
CANONICAL = 128 / 224

# Smaller objects (pixels of the image) are not trained on.
LEAST_AREA, LEAST_SIDE = 100, 5

# Scales at which negatives are sampled, as multiples of the image's scale.
NEGATIVE_SCALES = 2.0 ** np.arange(3, -2.01, -0.25)
# A negative keeps so many times the shift of the positives away from every object ...
CLEARANCE = 3
# ... whose canonical scale is within an octave of its own, "2^1 in scale" in the paper.
NEIGHBOURING_OCTAVES = 1
NEGATIVE_TRIES = 100

LEAST_WINDOW = 10  # minimum side of a negative, in pixels of the image

# The positions of an endless training stream.
NUMBERS = range(2 ** 40)

# Tells the generator of a batch's head from those of the examples.
_HEAD = 3


class PatchSamples:
    """Draws the k-th training patch; every batch is for one head, masks or scores.

    Called as ``transform(k, rng)`` by the training iterator, over the numbers of
    :data:`NUMBERS` in their order. Which head batch ``k // batch_size`` trains depends on the seed
    and that number alone, so a resumed run continues exactly.

    Args:
        index: A :class:`chainer_seg.datasets.ObjectIndex`.
        patch_size: Side of the window of a mask in pixels of the patch (iSz).
        target_size: Side of the masks (gSz).
        shift: Objects are off the middle by up to this many pixels of the patch.
        scale: Objects are larger or smaller than canonical by up to 2 to this.
        score_share: The probability that a batch trains the score (hfreq).
        batch_size: Samples of a batch.
        seed: Seed of the choice of heads.

    Returns:
        A dict of ``x`` (3, patch_size + 32, patch_size + 32) float32, the network's input, and
        either ``mask`` (target_size, target_size) or ``score`` () float32, both of -1 and 1.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no object to train on.
    """

    def __init__(self, index, patch_size=160, target_size=112, shift=16, scale=0.25,
                 score_share=0.5, batch_size=32, seed=0):
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

    def __call__(self, number, rng):
        batch = number // self.batch_size
        head = np.random.default_rng((self.seed, batch, _HEAD)).random()
        return self.draw_score(rng) if head < self.score_share else self.draw_mask(rng)

    def draw_mask(self, rng):
        """A patch with an object of a category sampled uniformly, and the object's mask."""
        number = rng.choice(self._by_label[rng.integers(len(self._by_label))])
        centre, scale = self._jitter(number, rng)
        image, mask = self.index.read_object(
            number, window_around(centre, self.patch_size * scale), self.target_size)
        patch = self._cut(image, centre, scale * self.input_size)
        if rng.random() < 0.5:
            patch, mask = patch[:, :, ::-1], mask[:, ::-1]
        return {'x': np.ascontiguousarray(patch), 'mask': np.where(mask, 1, -1).astype(np.float32)}

    def draw_score(self, rng):
        """A patch that shows an object as :meth:`draw_mask` does, or one that does not."""
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

    def _jitter(self, number, rng):
        """Where a patch shows the object: the (y, x) of its middle, and its scale."""
        centres, scales = self._canonical(slice(number, number + 1))
        scale = scales[0] * 2 ** rng.uniform(-self.scale, self.scale)
        return centres[0] + rng.uniform(-self.shift, self.shift, 2) * scale, scale

    def _canonical(self, objects):
        """Middles (R, 2) of objects and the scales (R,) at which they are canonical."""
        boxes = self.index.bboxes[objects].astype(np.float64)
        sides = boxes[:, 2:] - boxes[:, :2]
        return (boxes[:, :2] + boxes[:, 2:]) / 2, sides.max(axis=1) / self.object_size

    def _away_from_objects(self, number, size, rng):
        """A middle (y, x) and a scale at which no object, crowds included, is centred."""
        scales = rng.choice(NEGATIVE_SCALES, NEGATIVE_TRIES)
        places = rng.uniform(0, size, (NEGATIVE_TRIES, 2))
        centres, canonical = self._canonical(self.index.of_image(number))
        with np.errstate(divide='ignore'):  # An annotation may have a box without a side.
            octaves = np.abs(np.log2(canonical) - np.log2(scales)[:, None])
        distances = np.linalg.norm(places[:, None] - centres, axis=2) / scales[:, None]
        distances[octaves > NEIGHBOURING_OCTAVES] = np.inf
        nearest = distances.min(axis=1)
        # The first one that is far enough; where none is, the farthest.
        chosen = np.argmax(np.minimum(nearest, CLEARANCE * self.shift))
        return places[chosen], scales[chosen]

    def _cut(self, image, centre, length):
        """The network's input (3, input_size, input_size) for a square of an image."""
        window = window_around(centre, length)
        patch = cut_window(image, window, self.input_size, 255 * PADDING_VALUE) / np.float32(255)
        return normalise(patch.transpose(2, 0, 1))


def usable_objects(index):
    """(N,) bool: the objects of a :class:`chainer_seg.datasets.ObjectIndex` to train on."""
    sides = index.bboxes[:, 2:] - index.bboxes[:, :2]
    return ~index.crowds & (index.areas >= LEAST_AREA) & (sides >= LEAST_SIDE).all(axis=1)


def window_around(centre, length):
    """(top, left, length) of the square of a side around (y, x), in pixels."""
    return float(centre[0] - length / 2), float(centre[1] - length / 2), float(length)


def stack_patches(samples, device):
    """Stacks the samples of one batch into a dict of arrays on ``device``.

    Raises:
        chainer_seg.errors.TrainingError: They are for different heads.
    """
    if any(sample.keys() != samples[0].keys() for sample in samples):
        raise TrainingError('A batch mixes samples for the mask and for the score; resume with the '
                            'batch size that the run was started with.')
    return chainer.dataset.concat_examples(samples, device)
