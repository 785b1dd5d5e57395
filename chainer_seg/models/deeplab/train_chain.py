"""Training click segmentation: examples with clicks drawn from the ground truth, and the loss."""

import chainer
import cv2
import numpy as np
from chainer import functions as F

from chainer_seg.functions import resize_bilinear
from chainer_seg.images import resize
from chainer_seg.models.deeplab.clicks import Click, click_maps
from chainer_seg.models.deeplab.model import network_image

RING = 40  # Negative clicks of the paper's first strategy lie this near the object, in pixels.
MARGIN = 5  # Positive clicks lie this far inside the object where it is large enough.


class ClickSamples:
    """Makes a training sample of an image and its objects: one object, a crop around it, and clicks.

    Called as ``transform(example, rng)`` by the training iterator.

    Args:
        size: (height, width) of the samples in pixels.
        scale_range: The crop's side is the object's, times a number drawn from this range.
        max_positive, max_negative: Largest numbers of clicks; there is always one positive click.
        least_area: Smaller objects (pixels of the original image) are not drawn.
        click_scale, click_mean: The encoding of the model that is trained.

    Returns:
        ``x`` (5, height, width) float32, the network's input, and ``target`` (height, width) int32,
        1 on the object and 0 elsewhere; or None for an image without a usable object.
    """

    def __init__(self, size=(192, 192), scale_range=(1.2, 4.0), max_positive=5, max_negative=5,
                 least_area=100, click_scale=1.0, click_mean=0.0):
        self.size = tuple(size)
        self.scale_range = scale_range
        self.max_positive, self.max_negative = max_positive, max_negative
        self.least_area = least_area
        self.click_scale, self.click_mean = click_scale, click_mean

    def __call__(self, example, rng):
        image, instances = example
        areas = instances.masks.sum(axis=(1, 2))
        usable = np.flatnonzero(~instances.crowds & (areas >= self.least_area))
        if len(usable) == 0:
            return None
        chosen = rng.choice(usable)
        image, mask = self._crop(image, instances.masks[chosen], instances.bboxes[chosen], rng)
        if not mask.any():
            return None
        clicks = draw_clicks(mask, rng, self.max_positive, self.max_negative)
        maps = click_maps(clicks, self.size, scale=self.click_scale, mean=self.click_mean)
        return np.concatenate([network_image(image), maps]), mask.astype(np.int32)

    def _crop(self, image, mask, bbox, rng):
        """A window around the object at a random scale, mirrored half the time, of the sample's size."""
        height, width = mask.shape
        side = max(bbox[2] - bbox[0], bbox[3] - bbox[1], 16) * rng.uniform(*self.scale_range)
        window = np.minimum(side * np.array(self.size) / max(self.size), (height, width))
        window = np.maximum(window, 8).astype(int)
        centre = (bbox[:2] + bbox[2:]) / 2 + rng.uniform(-0.3, 0.3, 2) * window
        top, left = np.clip(centre - window / 2, 0,
                            np.maximum((height, width) - window, 0)).astype(int)
        part = np.s_[top:top + window[0], left:left + window[1]]
        image = resize(image[part], self.size)
        mask = resize(mask[part].astype(np.float32), self.size) > 0.5
        if rng.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        return image, mask


def draw_clicks(mask, rng, max_positive=5, max_negative=5):
    """Draws clicks that a user might make for the object ``mask`` (H, W) bool.

    Positive clicks fall anywhere in the object, off its border where it is thick enough. Negative
    ones fall off the object, half of the times within :data:`RING` pixels of it.

    Returns:
        A list of :class:`Click`: 1 to ``max_positive`` positive and 0 to ``max_negative`` negative.
    """
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = depth >= min(MARGIN, depth.max())
    outside = ~mask
    if rng.random() < 0.5 and outside.any():
        away = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        outside &= away <= RING
    # Few clicks are the common case of a user who has just begun.
    positives = 1 + rng.binomial(max_positive - 1, rng.uniform(0, 1))
    negatives = rng.binomial(max_negative, rng.uniform(0, 1)) if rng.random() < 0.7 else 0
    return (_points(inside, positives, True, rng) + _points(outside, negatives, False, rng))


def _points(where, count, positive, rng):
    candidates = np.flatnonzero(where)
    if len(candidates) == 0 or count == 0:
        return []
    rows, columns = np.divmod(rng.choice(candidates, count), where.shape[1])
    return [Click(float(y), float(x), positive) for y, x in zip(rows, columns)]


class ClickTrainChain(chainer.Chain):
    """The loss of click segmentation: sigmoid cross entropy of the upsampled logits.

    Args:
        model: A :class:`ClickSegmenter`.
        positive_weight: How much more a pixel of the object counts; 5 in the TensorFlow
            implementation.

    Called with ``x`` (B, 5, H, W) float32 and ``target`` (B, H, W) int32 (1 object, 0 other, -1 not
    counted); returns the scalar loss and reports ``loss`` and the batch's mean ``iou``.
    """

    def __init__(self, model, positive_weight=1.0):
        super().__init__()
        self.positive_weight = positive_weight
        with self.init_scope():
            self.model = model

    def forward(self, x, target):
        logits = resize_bilinear(self.model.forward(x), x.shape[2:])[:, 0]
        loss = self._cross_entropy(logits, target)
        chainer.report({'loss': loss, 'iou': self._iou(logits.array, target)}, self)
        return loss

    def _cross_entropy(self, logits, target):
        if self.positive_weight == 1:
            return F.sigmoid_cross_entropy(logits, target)
        each = F.sigmoid_cross_entropy(logits, target, reduce='no')
        weight = self.xp.where(target == 1, np.float32(self.positive_weight), np.float32(1))
        return F.sum(each * weight) / max(1, int((target != -1).sum()))

    def _iou(self, logits, target):
        found, truth = (logits > 0) & (target != -1), target == 1
        shared = (found & truth).sum(axis=(1, 2))
        united = (found | truth).sum(axis=(1, 2))
        return (shared / self.xp.maximum(united, 1)).mean()
