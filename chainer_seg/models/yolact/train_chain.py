"""YOLACT in training: the targets of a batch and the sum of its losses (arXiv 1904.02689, section 3)."""

import dataclasses

import chainer
import numpy as np
from chainer import links as L

from chainer_seg.links import DeviceChain
from chainer_seg.models.yolact import losses
from chainer_seg.models.yolact.targets import BACKGROUND, PUBLISHED, anchor_targets
from chainer_seg.schema import NotNegative


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """How much each loss counts; the published numbers.

    Attributes:
        classes: Of the class of anchors.
        boxes: Of the codes of positive anchors.
        masks: Of the masks of positive anchors.
        semantic: Of the map of each class, which is only there in training.
        rescoring: Of the quality that a net with mask re-scoring predicts for its masks.
    """

    classes: NotNegative = 1
    boxes: NotNegative = 1.5
    masks: NotNegative = 6.125
    semantic: NotNegative = 1
    rescoring: NotNegative = 25


PUBLISHED_WEIGHTS = LossWeights()


class YolactTrainChain(DeviceChain):
    """The sum of YOLACT's losses.

    Args:
        model: A :class:`chainer_seg.models.yolact.Yolact`.
        weights: The :class:`LossWeights`.
        thresholds: The :class:`chainer_seg.models.yolact.targets.Thresholds` of the matching.
        negative_ratio: Anchors of the background that are trained for each positive one.
        max_masks: Largest number of masks that are computed for an image; the sum of the losses of so
            many, spread evenly over the positive anchors, stands for all.
        freeze_norm: Whether batch normalisation keeps its statistics, scale and shift, as it should
            where a device sees fewer than six images at a time.

    Called with ``x`` (B, 3, S, S) float32 and, as lists of B arrays, ``bboxes`` (R, 4) float32
    (y_min, x_min, y_max, x_max) as fractions of the image, ``labels`` (R,) int32, ``crowds`` (R,)
    bool and ``masks`` (R, S, S) bool; returns the scalar loss. Reports ``box_loss``, ``class_loss``,
    ``mask_loss``, ``semantic_loss`` and ``rescoring_loss`` with their weights. All but the semantic
    loss are divided by the number of positive anchors of the batch.
    """

    def __init__(self, model, weights=PUBLISHED_WEIGHTS, thresholds=PUBLISHED, negative_ratio=3,
                 max_masks=100, freeze_norm=False):
        super().__init__()
        self.weights, self.thresholds = weights, thresholds
        self.negative_ratio, self.max_masks = negative_ratio, max_masks
        self.freeze_norm = freeze_norm
        with self.init_scope():
            self.model = model

    def forward(self, x, bboxes, labels, crowds, masks):
        _update_norms(self.model, not self.freeze_norm)
        with chainer.using_config('train', not self.freeze_norm):
            codes, logits, coefficients, prototypes, semantic = self.model.forward_train(x)
        anchors = self.xp.asarray(self.model.anchors(x.shape[2:]))
        targets = [anchor_targets(anchors, *objects, self.thresholds)
                   for objects in zip(bboxes, labels, crowds)]
        classes, objects, true_codes = (self.xp.stack(part) for part in zip(*targets))
        sums = [self._mask_losses(*image) for image in zip(
            prototypes, coefficients, classes, objects, masks, bboxes, labels)]
        mask_loss, rescoring_loss = (sum(part) for part in zip(*sums))
        semantic_loss = sum(
            _semantic_loss(*image) for image in zip(semantic, masks, labels, crowds))
        count = max(int((classes > BACKGROUND).sum()), 1)
        weights = self.weights
        found = {
            'box_loss': weights.boxes / count * losses.box_loss(codes, true_codes, classes),
            'class_loss': weights.classes / count * losses.class_loss(
                logits, classes, self.negative_ratio),
            'mask_loss': weights.masks / count * mask_loss,
            'semantic_loss': weights.semantic / len(x) * semantic_loss}
        if self.model.rescores:
            found['rescoring_loss'] = weights.rescoring / count * rescoring_loss
        chainer.report({**found, 'positives': count / len(x)}, self)
        return sum(found.values())

    def _mask_losses(self, prototypes, coefficients, classes, objects, masks, bboxes, labels):
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


def spread(items, count):
    """At most ``count`` of the items of an array (N,), evenly spread over it."""
    if len(items) <= count:
        return items
    return items[chainer.backend.get_array_module(items).arange(count) * len(items) // count]


def _semantic_loss(logits, masks, labels, crowds):
    objects = ~crowds
    masks = losses.shrink_masks(masks[objects], logits.shape[1:])
    return losses.semantic_loss(logits, masks, labels[objects])


def _update_norms(model, wanted):
    """Says whether the optimizer, where there is one, updates scale and shift of batch normalisation."""
    for link in model.links():
        if isinstance(link, L.BatchNormalization):
            for parameter in link.params():
                if parameter.update_rule is not None:
                    parameter.update_rule.enabled = wanted
