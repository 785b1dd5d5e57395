"""Training click segmentation: examples with clicks drawn from the ground truth, and the loss."""

import chainer
import cv2
import numpy as np
from chainer import functions as F
from chainer.backends import cuda

from chainer_seg.functions import resize_bilinear
from chainer_seg.images import resize
from chainer_seg.links import DeviceChain
from chainer_seg.models.deeplab.clicks import Click, click_points
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.deeplab.simulated_user import next_click
from chainer_seg.models.deeplab.sampling import find_sampling, sample_clicks

RING = 40  # Negative clicks of the paper's first strategy lie this near the object, in pixels.
MARGIN = 5  # Positive clicks lie this far inside the object where it is large enough.

# Clicks fall on at most so many other objects, so that all samples have as many rows for clicks.
_MOST_OTHERS = 8

# A sample that begins with a mask gets one moved, grown or shrunk by at most this part of the object.
_START_ERROR = 0.25
_MOST_NEIGHBOURS = 3  # that are put together with an object


class ClickSamples:
    """Makes a training sample of an image and its objects: one object, a crop around it, and clicks.

    Called as ``transform(example, rng)`` by the training iterator.

    Args:
        size: (height, width) of the samples in pixels.
        scale_range: The crop's side is the object's, times a number drawn from this range, small
            numbers being as likely as large ones on a logarithmic scale.
        max_positive, max_negative: Largest numbers of clicks; there is always one positive click.
        least_area: Smaller objects (pixels of the original image) are not drawn.
        simulated_clicks: Maximum number of clicks that a simulated user adds in :class:`ClickTrainChain`
            (iterative training, arXiv 2102.06583, section 3.2); a sample with simulated clicks begins
            with few others.
        start_masks: Share of the samples that begin with a wrong mask in place of clicks, for
            models with ``mask_input``.
        composites: Share of the samples whose object is put together of neighbouring ones: what
            people click on mostly has parts that do not look alike.
        sampling: 'paper', 'tensorflow' or a :class:`ClickSampling` draws the clicks of a sample as
            :func:`sample_clicks` does, by one of its strategies and at its own numbers;
            None as :func:`draw_clicks` does.
        whole_images: Whether the whole image is resized, as in the TensorFlow implementation, in
            place of a crop.

    Returns:
        A tuple, or None for an image without a usable object: ``image`` (3, height, width) float32
        as :func:`network_image` gives it; ``points`` (K, 3) float32 as :func:`click_points` gives
        them, filled up with zeros; ``simulated_clicks`` () int32; ``previous`` (height, width) float32,
        the mask that the object begins with, 0 for none; ``target`` (height, width) int32, 1 on the
        object and 0 elsewhere.
    """

    def __init__(self, size=(192, 192), scale_range=(1.2, 4.0), max_positive=5, max_negative=5,
                 least_area=100, simulated_clicks=0, start_masks=0.0, composites=0.0,
                 sampling=None, whole_images=False):
        self.size = tuple(size)
        self.scale_range = scale_range
        self.max_positive, self.max_negative = max_positive, max_negative
        self.least_area = least_area
        self.simulated_clicks, self.start_masks = simulated_clicks, start_masks
        self.composites = composites
        self.sampling = None if sampling is None else find_sampling(sampling)
        self.whole_images = whole_images

    def __call__(self, example, rng):
        image, instances = example
        areas = instances.masks.sum(axis=(1, 2))
        usable = np.flatnonzero(~instances.crowds & (areas >= self.least_area))
        if len(usable) == 0:
            return None
        chosen = [rng.choice(usable)]
        if self.composites and rng.random() < self.composites:
            chosen = _with_neighbours(instances.bboxes, usable, chosen[0], rng)
        bbox = np.concatenate([instances.bboxes[chosen, :2].min(axis=0),
                               instances.bboxes[chosen, 2:].max(axis=0)])
        masks = np.concatenate([instances.masks[chosen].any(axis=0, keepdims=True),
                                instances.masks[self._others(chosen, len(instances), rng)]])
        image, (mask, *others) = self._view(image, masks, bbox, rng)
        if not mask.any():
            return None
        clicks, simulated_clicks, previous = self._begin(mask, others, rng)
        points = np.zeros((self._most_clicks() + self.simulated_clicks, 3), np.float32)
        points[:len(clicks)] = click_points(clicks)
        return (network_image(image), points, np.int32(simulated_clicks), previous,
                mask.astype(np.int32))

    def _others(self, chosen, count, rng):
        """The numbers of the other objects that clicks may fall on."""
        if self.sampling is None or 'others' not in self.sampling.strategies:
            return []
        return rng.permutation(np.delete(np.arange(count), chosen))[:_MOST_OTHERS]

    def _most_clicks(self):
        if self.sampling is None:
            return self.max_positive + self.max_negative
        return self.sampling.most_clicks(_MOST_OTHERS)

    def _begin(self, mask, others, rng):
        """The clicks and the mask at the start, and the number of clicks that the simulated user adds."""
        nothing = np.zeros(self.size, np.float32)
        simulated_clicks = int(rng.integers(self.simulated_clicks + 1))
        if simulated_clicks and rng.random() < self.start_masks:
            return [], simulated_clicks, _wrong_mask(mask, rng).astype(np.float32)
        if simulated_clicks:
            return draw_clicks(mask, rng, 1, 0), simulated_clicks, nothing
        if self.sampling is None:
            return draw_clicks(mask, rng, self.max_positive, self.max_negative), 0, nothing
        strategy = rng.choice(self.sampling.strategies)
        return sample_clicks(mask, others, rng, strategy, self.sampling), 0, nothing

    def _view(self, image, masks, bbox, rng):
        """The image and each of the masks (R, H, W) in the sample's size, mirrored half the time."""
        part = np.s_[:, :] if self.whole_images else self._window(masks.shape[1:], bbox, rng)
        image = resize(image[part], self.size)
        masks = [resize(mask[part].astype(np.float32), self.size) > 0.5 for mask in masks]
        if rng.random() < 0.5:
            image, masks = image[:, ::-1], [mask[:, ::-1] for mask in masks]
        return image, masks

    def _window(self, image_size, bbox, rng):
        """Where a crop around the object at a random scale lies, as two slices."""
        height, width = image_size
        scale = np.exp(rng.uniform(*np.log(self.scale_range)))
        side = max(bbox[2] - bbox[0], bbox[3] - bbox[1], 16) * scale
        window = np.minimum(side * np.array(self.size) / max(self.size), (height, width))
        window = np.maximum(window, 8).astype(int)
        centre = (bbox[:2] + bbox[2:]) / 2 + rng.uniform(-0.3, 0.3, 2) * window
        top, left = np.clip(centre - window / 2, 0,
                            np.maximum((height, width) - window, 0)).astype(int)
        return np.s_[top:top + window[0], left:left + window[1]]


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


def _with_neighbours(bboxes, usable, chosen, rng):
    """``chosen`` and some of the ``usable`` objects whose boxes touch its box."""
    top_left = np.maximum(bboxes[usable, :2], bboxes[chosen, :2])
    bottom_right = np.minimum(bboxes[usable, 2:], bboxes[chosen, 2:])
    touching = usable[(top_left <= bottom_right).all(axis=1) & (usable != chosen)]
    count = min(len(touching), int(rng.integers(1, _MOST_NEIGHBOURS + 1)))
    return [chosen, *rng.choice(touching, count, replace=False)]


def _wrong_mask(mask, rng):
    """The mask (H, W) bool moved, and grown or shrunk, as someone's careless work might be."""
    reach = _START_ERROR * np.sqrt(mask.sum())
    shift = rng.uniform(-reach, reach, 2)
    moved = cv2.warpAffine(mask.astype(np.uint8), np.float32([[1, 0, shift[1]], [0, 1, shift[0]]]),
                           mask.shape[::-1])
    side = 1 + 2 * int(rng.uniform(0, reach / 2))
    change = cv2.dilate if rng.random() < 0.5 else cv2.erode
    return change(moved, np.ones((side, side), np.uint8)) > 0


class ClickTrainChain(DeviceChain):
    """The loss of click segmentation: sigmoid cross entropy of the upsampled logits.

    Before the loss is computed, a simulated user looks at what the model finds and adds the clicks that
    the samples ask for.

    Args:
        model: A :class:`ClickSegmenter`.
        positive_weight: How much more a pixel of the object counts; 5 in the TensorFlow
            implementation.
        jaccard_weight: How much 1 - the soft intersection over union of each sample adds to the
            loss (arXiv 1608.01471, section 3, for probabilities).
        loss_scale: The mean cross entropy is multiplied by this; 20 in the TensorFlow
            implementation.
        freeze_bn: Whether batch normalisation uses its running statistics and learns nothing.

    Called with a batch of what :class:`ClickSamples` makes; ``target`` may hold -1 where a pixel is
    not counted. Returns the scalar loss and reports ``loss`` and the batch's mean ``iou``.
    """

    def __init__(self, model, positive_weight=1.0, jaccard_weight=0.0, loss_scale=1.0,
                 freeze_bn=False):
        super().__init__()
        self.positive_weight, self.jaccard_weight = positive_weight, jaccard_weight
        self.loss_scale, self.freeze_bn = loss_scale, freeze_bn
        with self.init_scope():
            self.model = model

    def forward(self, image, points, simulated_clicks, previous, target):
        points, previous = self.play(image, points, simulated_clicks, previous, target)
        with chainer.using_config('train', chainer.config.train and not self.freeze_bn):
            logits = self._logits(image, points, previous)
        loss = self.loss_scale * weighted_cross_entropy(logits, target, self.positive_weight)
        if self.jaccard_weight:
            loss += self.jaccard_weight * _jaccard_loss(logits, target)
        chainer.report({'loss': loss, 'iou': mean_iou(logits.array, target)}, self)
        return loss

    def play(self, image, points, simulated_clicks, previous, target):
        """Lets the simulated user click; arguments as those of the chain.

        Returns:
            ``points`` (B, K, 3) with the simulated user's clicks, and ``previous`` (B, H, W), what the model
            found before the last one.
        """
        send = self.device.send
        points, previous = np.array(cuda.to_cpu(points)), previous.copy()
        rounds, truth = cuda.to_cpu(simulated_clicks), cuda.to_cpu(target) == 1
        for number in range(rounds.max(initial=0)):
            playing = np.flatnonzero(rounds > number)
            # Who begins with a mask has no click at first, and nothing to ask the model yet.
            begun = playing[points[playing, :, 2].any(axis=1)]
            if len(begun):
                there = send(begun)
                previous[there] = self._probability(
                    image[there], send(points[begun]), previous[there])
            found = cuda.to_cpu(previous[send(playing)]) > 0.5
            for each, mask in zip(playing, found):
                _click(points[each], mask, truth[each])
        return send(points), previous

    def _probability(self, image, points, previous):
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            return F.sigmoid(self._logits(image, points, previous)).array

    def _logits(self, image, points, previous):
        x = self.model.encode(image, points, previous)
        return resize_bilinear(self.model.forward(x), image.shape[2:])[:, 0]


def _click(points, found, truth):
    """Writes the simulated user's click into the first free row of ``points`` (K, 3)."""
    click = next_click(found, truth)
    if click is not None:
        points[(points[:, 2] != 0).argmin()] = click_points([click])[0]


def weighted_cross_entropy(logits: chainer.Variable, target: np.ndarray,
                           positive_weight: float = 1.0) -> chainer.Variable:
    """The mean sigmoid cross entropy over the pixels that count, those of the object weighted.

    Args:
        logits: (B, H, W) float32.
        target: (B, H, W) int32, 1 on the object, 0 elsewhere, -1 where a pixel is not counted.
        positive_weight: How much more a pixel of the object counts.

    Returns:
        The scalar loss.
    """
    if positive_weight == 1:
        return F.sigmoid_cross_entropy(logits, target)
    xp = chainer.backend.get_array_module(target)
    each = F.sigmoid_cross_entropy(logits, target, reduce='no')
    weight = xp.where(target == 1, np.float32(positive_weight), np.float32(1))
    return F.sum(each * weight) / max(1, int((target != -1).sum()))


def mean_iou(logits: chainer.Variable, target: np.ndarray) -> np.ndarray:
    """The mean over samples of the intersection over union; arrays as weighted_cross_entropy has."""
    xp = chainer.backend.get_array_module(target)
    found, truth = (logits > 0) & (target != -1), target == 1
    shared = (found & truth).sum(axis=(1, 2))
    united = (found | truth).sum(axis=(1, 2))
    return (shared / xp.maximum(united, 1)).mean()


def _jaccard_loss(logits, target):
    """The mean over samples of 1 - soft intersection over union, for logits (B, H, W)."""
    counts = (target != -1).astype(np.float32)
    truth = (target == 1).astype(np.float32)
    probability = F.sigmoid(logits) * counts
    shared = F.sum(probability * truth, axis=(1, 2))
    united = F.sum(probability + truth, axis=(1, 2)) - shared
    return 1 - F.mean((shared + 1) / (united + 1))
