"""The targets and the losses of a batch of YOLACT (arXiv 1904.02689, section 3)."""

import functools
import operator
from collections.abc import Iterable, Sequence

import chainer
import numpy as np
from chainer import links as L

from chainer_seg.arrays import Array
from chainer_seg.links import DeviceChain
from chainer_seg.loss_share import share
from chainer_seg.models.yolact import losses
from chainer_seg.models.yolact.model import Yolact
from chainer_seg.models.yolact.settings import LossWeights, Thresholds
from chainer_seg.models.yolact.targets import BACKGROUND, PUBLISHED, anchor_targets


PUBLISHED_WEIGHTS = LossWeights()


class YolactTrainChain(DeviceChain):
    """The sum of YOLACT's losses.

    Args:
        model: A :class:`chainer_seg.models.yolact.Yolact`.
        weights: The :class:`LossWeights`.
        thresholds: The :class:`chainer_seg.models.yolact.targets.Thresholds` of the matching.
        negative_ratio: Number of background anchors trained for each positive one.
        max_masks: Maximum number of masks computed for an image; if there are more positive anchors, the
            loss is extrapolated from this many, spread evenly over them.
        freeze_norm: Whether batch normalisation keeps its statistics, scale and shift; recommended for
            fewer than six images per device.

    Called with ``x`` (B, 3, S, S) float32 and, as lists of B arrays, ``bboxes`` (R, 4) float32
    (y_min, x_min, y_max, x_max) as fractions of the image, ``labels`` (R,) int32, ``crowds`` (R,)
    bool and ``masks`` (R, S, S) bool; returns the scalar loss. Reports ``box_loss``, ``class_loss``,
    ``mask_loss``, ``semantic_loss`` and ``rescoring_loss`` with their weights. All but the semantic
    loss are divided by the number of positive anchors of the batch, of all ranks.
    """

    def __init__(self, model: Yolact, weights: LossWeights = PUBLISHED_WEIGHTS,
                 thresholds: Thresholds = PUBLISHED, negative_ratio: float = 3, max_masks: int = 100,
                 freeze_norm: bool = False) -> None:
        super().__init__()
        self.weights, self.thresholds = weights, thresholds
        self.negative_ratio, self.max_masks = negative_ratio, max_masks
        self.freeze_norm = freeze_norm
        with self.init_scope():
            self.model = model

    def forward(self, x: Array, bboxes: Sequence[Array], labels: Sequence[Array], crowds: Sequence[Array],
                masks: Sequence[Array]) -> chainer.Variable:
        _update_norms(self.model, not self.freeze_norm)
        with chainer.using_config('train', not self.freeze_norm):
            codes, logits, coefficients, prototypes, semantic = self.model.forward_train(x)
        anchors: Array = self.xp.asarray(self.model.anchors(x.shape[2:]))
        targets = [anchor_targets(anchors, *objects, self.thresholds)
                   for objects in zip(bboxes, labels, crowds)]
        classes, objects, true_codes = (self.xp.stack(part) for part in zip(*targets))
        sums = [self._mask_losses(*image) for image in zip(
            prototypes, coefficients, classes, objects, masks, bboxes, labels)]
        mask_loss, rescoring_loss = (_total(part) for part in zip(*sums))
        semantic_loss = _total(
            _semantic_loss(*image) for image in zip(semantic, masks, labels, crowds))
        positives = int((classes > BACKGROUND).sum())
        count, shared = max(positives, 1), share(positives)
        weights = self.weights
        found = {
            'box_loss': weights.boxes * shared / count * losses.box_loss(codes, true_codes, classes),
            'class_loss': weights.classes * shared / count * losses.class_loss(
                logits, classes, self.negative_ratio),
            'mask_loss': weights.masks * shared / count * mask_loss,
            'semantic_loss': weights.semantic / len(x) * semantic_loss}
        if self.model.rescores:
            found['rescoring_loss'] = weights.rescoring * shared / count * rescoring_loss
        chainer.report({**found, 'positives': count / len(x)}, self)
        return _total(found.values())

    def _mask_losses(self, prototypes: chainer.Variable, coefficients: chainer.Variable, classes: Array,
                     objects: Array, masks: Array, bboxes: Array,
                     labels: Array) -> tuple[chainer.Variable, chainer.Variable]:
        """The sums of the mask loss and of the re-scoring loss over the positive anchors of an image."""
        nothing = chainer.Variable(self.xp.zeros((), np.float32))
        positive = self.xp.flatnonzero(classes > BACKGROUND)
        if not len(positive):
            return nothing, nothing
        chosen = spread(positive, self.max_masks)
        scale = len(positive) / len(chosen)
        objects = objects[chosen]
        logits = losses.mask_logits(prototypes, coefficients, chosen)
        masks = losses.shrink_masks(masks, logits.shape[1:])
        mask_loss = scale * losses.mask_loss(logits, masks, bboxes, objects)
        if not self.model.rescores:
            return mask_loss, nothing
        return mask_loss, scale * losses.rescoring_loss(
            self.model.rescoring, logits, masks, bboxes, labels, objects)


def _total(losses: Iterable[chainer.Variable]) -> chainer.Variable:
    return functools.reduce(operator.add, losses)


def spread(items: Array, count: int) -> Array:
    """At most ``count`` items of an array (N,), spread evenly over it."""
    if len(items) <= count:
        return items
    return items[chainer.backend.get_array_module(items).arange(count) * len(items) // count]


def _semantic_loss(logits: chainer.Variable, masks: Array, labels: Array, crowds: Array) -> chainer.Variable:
    objects = ~crowds
    masks = losses.shrink_masks(masks[objects], logits.shape[1:])
    return losses.semantic_loss(logits, masks, labels[objects])


def _update_norms(model: chainer.Link, wanted: bool) -> None:
    """Sets whether the optimizer, if there is one, updates the scale and shift of batch normalisation."""
    for link in model.links():
        if isinstance(link, L.BatchNormalization):
            for parameter in link.params():
                if parameter.update_rule is not None:
                    parameter.update_rule.enabled = wanted
