"""The loss of click segmentation, and the simulated user of iterative training."""

import chainer
import numpy as np
from chainer import functions as F
from chainer.backends import cuda

from chainer_seg.functions import resize_bilinear
from chainer_seg.links import DeviceChain
from chainer_seg.loss_share import share
from chainer_seg.models.deeplab.clicks import click_points
from chainer_seg.models.deeplab.segmenter import ClickSegmenter
from chainer_seg.models.deeplab.simulated_user import next_click


class ClickTrainChain(DeviceChain):
    """The loss of click segmentation: sigmoid cross entropy of the upsampled logits.

    Before the loss is computed, a simulated user adds the clicks that the samples ask for, each where
    the model is wrong (iterative training, arXiv 2102.06583, section 3.2).

    Args:
        model: The model to train.
        positive_weight: Weight of a pixel of the object, others having 1; 5 in the TensorFlow
            implementation.
        jaccard_weight: Weight of 1 - the soft intersection over union of each sample (arXiv 1608.01471,
            section 3, for probabilities).
        loss_scale: Weight of the mean cross entropy; 20 in the TensorFlow implementation.
        freeze_bn: Whether batch normalisation uses its running statistics and is not trained.

    Called with a batch of :class:`ClickSamples`; pixels whose ``target`` is -1 are ignored. Returns the
    scalar loss and reports ``loss`` and the batch's mean ``iou``.
    """

    def __init__(self, model: ClickSegmenter, positive_weight: float = 1.0, jaccard_weight: float = 0.0,
                 loss_scale: float = 1.0, freeze_bn: bool = False) -> None:
        super().__init__()
        self.positive_weight, self.jaccard_weight = positive_weight, jaccard_weight
        self.loss_scale, self.freeze_bn = loss_scale, freeze_bn
        with self.init_scope():
            self.model = model

    def forward(self, image: np.ndarray, points: np.ndarray, simulated_clicks: np.ndarray,
                previous: np.ndarray, target: np.ndarray) -> chainer.Variable:
        points, previous = self.play(image, points, simulated_clicks, previous, target)
        with chainer.using_config('train', chainer.config.train and not self.freeze_bn):
            logits = self._logits(image, points, previous)
        loss = self.loss_scale * weighted_cross_entropy(logits, target, self.positive_weight)
        if self.jaccard_weight:
            loss += self.jaccard_weight * _jaccard_loss(logits, target)
        chainer.report({'loss': loss, 'iou': mean_iou(logits.array, target)}, self)
        return loss

    def play(self, image: np.ndarray, points: np.ndarray, simulated_clicks: np.ndarray, previous: np.ndarray,
             target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Adds the simulated user's clicks; the arguments are those of the chain.

        Returns:
            ``points`` (B, K, 3) with the simulated user's clicks, and ``previous`` (B, H, W), the
            probability before the last one.
        """
        send = self.device.send
        points, previous = np.array(cuda.to_cpu(points)), previous.copy()
        rounds, truth = cuda.to_cpu(simulated_clicks), cuda.to_cpu(target) == 1
        for number in range(rounds.max(initial=0)):
            playing = np.flatnonzero(rounds > number)
            # Samples that start from a mask have no click yet, so there is nothing to segment.
            begun = playing[points[playing, :, 2].any(axis=1)]
            if len(begun):
                there = send(begun)
                previous[there] = self._probability(
                    image[there], send(points[begun]), previous[there])
            found = cuda.to_cpu(previous[send(playing)]) > 0.5
            for each, mask in zip(playing, found):
                _add_click(points[each], mask, truth[each])
        return send(points), previous

    def _probability(self, image: np.ndarray, points: np.ndarray, previous: np.ndarray) -> np.ndarray:
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            return F.sigmoid(self._logits(image, points, previous)).array

    def _logits(self, image: np.ndarray, points: np.ndarray, previous: np.ndarray) -> chainer.Variable:
        x = self.model.encode(image, points, previous)
        return resize_bilinear(self.model.forward(x), image.shape[2:])[:, 0]


def _add_click(points: np.ndarray, found: np.ndarray, truth: np.ndarray) -> None:
    """Writes the simulated user's click into the first free row of ``points`` (K, 3)."""
    click = next_click(found, truth)
    if click is not None:
        points[(points[:, 2] != 0).argmin()] = click_points([click])[0]


def weighted_cross_entropy(logits: chainer.Variable, target: np.ndarray,
                           positive_weight: float = 1.0) -> chainer.Variable:
    """The mean sigmoid cross entropy, with a weight for the pixels of the object.

    Args:
        logits: (B, H, W) float32.
        target: (B, H, W) int32, 1 on the object, 0 elsewhere, -1 where a pixel is ignored.
        positive_weight: Weight of a pixel of the object, others having 1.

    Returns:
        The scalar loss.
    """
    counted = (target != -1).sum()
    if positive_weight == 1:
        return share(counted) * F.sigmoid_cross_entropy(logits, target)
    xp = chainer.backend.get_array_module(target)
    each = F.sigmoid_cross_entropy(logits, target, reduce='no')
    weight = xp.where(target == 1, np.float32(positive_weight), np.float32(1))
    return share(counted) * F.sum(each * weight) / max(1, int(counted))


def mean_iou(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The mean over samples of the intersection over union; arrays as in :func:`weighted_cross_entropy`."""
    xp = chainer.backend.get_array_module(target)
    found, truth = (logits > 0) & (target != -1), target == 1
    shared = (found & truth).sum(axis=(1, 2))
    united = (found | truth).sum(axis=(1, 2))
    return (shared / xp.maximum(united, 1)).mean()


def _jaccard_loss(logits: chainer.Variable, target: np.ndarray) -> chainer.Variable:
    """The mean over samples of 1 - soft intersection over union, for logits (B, H, W)."""
    counts = (target != -1).astype(np.float32)
    truth = (target == 1).astype(np.float32)
    probability = F.sigmoid(logits) * counts
    shared = F.sum(probability * truth, axis=(1, 2))
    united = F.sum(probability + truth, axis=(1, 2)) - shared
    return 1 - F.mean((shared + 1) / (united + 1))
