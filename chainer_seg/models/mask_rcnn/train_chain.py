"""The losses of Mask R-CNN (arXiv 1703.06870, section 3), normalised as in Detectron."""

import functools
import operator
from collections.abc import Sequence

import chainer
import numpy as np
import numpy.typing as npt
from chainer import functions as F
from chainer.backends import cuda

from chainer_seg.arrays import Array
from chainer_seg.errors import TrainingError
from chainer_seg.links import DeviceChain
from chainer_seg.loss_share import share
from chainer_seg.models.mask_rcnn.keypoint_targets import keypoint_targets, shows_keypoints
from chainer_seg.models.mask_rcnn.model import MaskRCNN
from chainer_seg.models.mask_rcnn.proposals import ProposalLimits
from chainer_seg.models.mask_rcnn.samples import Truth
from chainer_seg.models.mask_rcnn.targets import RegionTargets, anchor_targets, region_targets

# Up to this a delta's loss is quadratic, and linear beyond.
ANCHOR_BETA, REGION_BETA = 1 / 9, 1

# Detectron's numbers of proposals in training: per level before suppression, and in total.
TRAINING_LIMITS = {'c4': ProposalLimits(12000, 2000), 'fpn': ProposalLimits(2000, 2000)}


Maps = Sequence[chainer.Variable]  # of all levels, (B, C, h, w) each


class MaskRCNNTrainChain(DeviceChain):
    """The sum of all losses of a :class:`MaskRCNN`.

    Args:
        model: A :class:`MaskRCNN`.
        gamma: Weight of the mask loss.
        anchors: Number of anchors per image that the proposal network is trained on.
        regions: Number of regions per image that the heads are trained on.
        foreground_share: Maximum share of regions with an object.
        limits: :class:`~chainer_seg.models.mask_rcnn.proposals.ProposalLimits`; those of Detectron's
            training by default.
        freeze_bn: Whether batch normalisation uses its running statistics and is not trained.

    Called with ``x`` (B, 3, H, W) float32 and ``truths``, a list of B
    :class:`~chainer_seg.models.mask_rcnn.samples.Truth`; returns the scalar loss. Reports
    ``rpn_class_loss``, ``rpn_box_loss``, ``class_loss``, ``box_loss`` and, with these heads,
    ``mask_loss`` without its weight and ``keypoint_loss``.

    Raises:
        chainer_seg.errors.TrainingError: The images have other classes or keypoints than the model.
    """

    def __init__(self, model: MaskRCNN, gamma: float = 1, anchors: int = 256, regions: int = 512,
                 foreground_share: float = 0.25, limits: ProposalLimits | None = None,
                 freeze_bn: bool = False) -> None:
        super().__init__()
        self.gamma, self.anchors, self.regions = gamma, anchors, regions
        self.foreground_share = foreground_share
        self.limits = limits or TRAINING_LIMITS[model.config['neck']]
        self.freeze_bn = freeze_bn
        with self.init_scope():
            self.model = model

    def forward(self, x: Array, truths: Sequence[Truth]) -> chainer.Variable:
        _check(self.model, truths)
        rngs = [np.random.default_rng(truth.seed) for truth in truths]
        # Batch normalisation is the only layer that behaves differently in training.
        with chainer.using_config('train', chainer.config.train and not self.freeze_bn):
            features = self.model.extract(x)
            objectness, deltas = self.model.rpn(features)
            losses = self._anchor_losses(objectness, deltas, truths, rngs)
            regions = self._draw_regions(objectness, deltas, truths, rngs)
            losses.update(self._region_losses(features, regions))
            losses.update(self._object_losses(features, regions, truths))
        chainer.report(losses, self)
        return functools.reduce(operator.add, (
            loss * (self.gamma if name == 'mask_loss' else 1) for name, loss in losses.items()))

    def _anchor_losses(self, objectness: Maps, deltas: Maps, truths: Sequence[Truth],
                       rngs: Sequence[np.random.Generator]) -> dict[str, chainer.Variable]:
        anchors = np.concatenate([
            cuda.to_cpu(each) for each in self.model.anchors([x.shape[2:] for x in objectness])])
        targets = [anchor_targets(anchors, truth.boxes, truth.size.inner, rng, self.anchors)
                   for truth, rng in zip(truths, rngs)]
        # Every image has the same weight, however many of its anchors are trained.
        counts = [len(target.chosen) for target in targets]
        weights = np.repeat(1 / np.maximum(counts, 1) / len(targets), counts).astype(np.float32)
        image = np.repeat(np.arange(len(targets)), counts)
        chosen = np.concatenate([target.chosen for target in targets])
        labels = np.concatenate([target.labels for target in targets])
        positive = np.flatnonzero(labels)
        true_deltas = np.concatenate([target.deltas for target in targets])
        send = self.model.device.send
        logits = _by_anchor(objectness, 1)[send(image), send(chosen), 0]
        moves = _by_anchor(deltas, 4)[send(image[positive]), send(chosen[positive])]
        class_losses = F.sigmoid_cross_entropy(logits, send(labels), reduce='no')
        box_losses = smooth_l1(moves, send(true_deltas), ANCHOR_BETA)
        return {'rpn_class_loss': F.sum(class_losses * send(weights)),
                'rpn_box_loss': F.sum(box_losses * send(weights[positive, None]))}

    def _draw_regions(self, objectness: Maps, deltas: Maps, truths: Sequence[Truth],
                      rngs: Sequence[np.random.Generator]) -> list[RegionTargets]:
        """The :class:`~chainer_seg.models.mask_rcnn.targets.RegionTargets` of each image."""
        rois, roi_indices = self.model.propose(
            objectness, deltas, [truth.size.inner for truth in truths], self.limits)
        rois, roi_indices = cuda.to_cpu(rois), cuda.to_cpu(roi_indices)
        return [region_targets(rois[roi_indices == number], truth.boxes, truth.labels, truth.crowds,
                               rng, self.regions, self.foreground_share)
                for number, (truth, rng) in enumerate(zip(truths, rngs))]

    def _region_losses(self, features: Maps, regions: Sequence[RegionTargets]) -> dict[str, chainer.Variable]:
        boxes, numbers = _collect([targets.boxes for targets in regions])
        labels = np.concatenate([targets.labels for targets in regions])
        true_deltas = np.concatenate([targets.deltas for targets in regions])
        foreground = np.flatnonzero(labels)
        send = self.model.device.send
        logits, deltas = self.model.box_head(features, send(boxes), send(numbers))
        deltas = F.reshape(deltas, (len(boxes), -1, 4))
        moves = deltas[send(foreground), send(labels[foreground])]
        shared = share(len(boxes))
        return {'class_loss': shared * F.softmax_cross_entropy(logits, send(labels)),
                # Divided by all regions, as in Fast R-CNN; those without an object have no box loss.
                'box_loss': shared * F.sum(smooth_l1(moves, send(true_deltas), REGION_BETA)) / len(boxes)}

    def _object_losses(self, features: Maps, regions: Sequence[RegionTargets],
                       truths: Sequence[Truth]) -> dict[str, chainer.Variable]:
        """The losses of the heads that only see regions with an object."""
        shown = [targets.boxes[:len(targets.objects)] for targets in regions]
        # Masks and keypoints are known in pixels of the images.
        originals = [truth.size.to_image(boxes) for boxes, truth in zip(shown, truths)]
        losses = {}
        if self.model.with_masks:
            losses['mask_loss'] = self._mask_loss(features, regions, truths, shown, originals)
        if self.model.keypoints:
            losses['keypoint_loss'] = self._keypoint_loss(features, regions, truths, shown, originals)
        return losses

    def _mask_loss(self, features: Maps, regions: Sequence[RegionTargets], truths: Sequence[Truth],
                   shown: Sequence[np.ndarray], originals: Sequence[np.ndarray]) -> chainer.Variable:
        boxes, numbers = _collect(shown)
        shared = share(len(boxes))
        if not len(boxes):
            return _nothing(self.model)
        send = self.model.device.send
        logits = self.model.mask_head(features, send(boxes), send(numbers))
        labels = np.concatenate([targets.labels[:len(targets.objects)] for targets in regions])
        true_masks = np.concatenate([
            truth.masks.project(targets.objects, where, logits.shape[2])
            for truth, targets, where in zip(truths, regions, originals)])
        own = logits[self.xp.arange(len(labels)), send(labels)]
        return shared * F.sigmoid_cross_entropy(own, send(true_masks.astype(np.int32)))

    def _keypoint_loss(self, features: Maps, regions: Sequence[RegionTargets], truths: Sequence[Truth],
                       shown: Sequence[np.ndarray], originals: Sequence[np.ndarray]) -> chainer.Variable:
        points = [truth.keypoints[targets.objects] for truth, targets in zip(truths, regions)
                  if truth.keypoints is not None]
        if self.model.half_open:  # Pixels and keypoints of Detectron2 lie between their edges.
            points = [each + np.array([0.5, 0.5, 0], np.float32) for each in points]
            originals = [each + np.array([0, 0, 1, 1], np.float32) for each in originals]
        useful = [shows_keypoints(*each) for each in zip(points, originals)]
        boxes, numbers = _collect([each[chosen] for each, chosen in zip(shown, useful)])
        if not len(boxes):
            share(0)
            return _nothing(self.model)
        send = self.model.device.send
        logits = self.model.keypoint_head(features, send(boxes), send(numbers))
        cells = np.concatenate([
            keypoint_targets(there[chosen], where[chosen], logits.shape[2])
            for there, where, chosen in zip(points, originals, useful)])
        # The positions of a map are the classes; the mean is over the annotated keypoints.
        return share(int((cells >= 0).sum())) * F.softmax_cross_entropy(
            F.reshape(logits, (cells.size, -1)), send(cells.ravel()), ignore_label=-1)


def smooth_l1(predictions: chainer.Variable, targets: np.ndarray, beta: float) -> chainer.Variable:
    """The loss of each delta: d^2 / (2 beta) up to beta, |d| - beta / 2 beyond (arXiv 1504.08083)."""
    return F.huber_loss(predictions, targets, beta, reduce='no') / beta


def _by_anchor(maps: Maps, values: int) -> chainer.Variable:
    """Maps (B, A * values, h, w) of all levels as (B, anchors, values), in the order of the anchors."""
    return F.concat([
        F.reshape(F.transpose(x, (0, 2, 3, 1)), (len(x), -1, values)) for x in maps], axis=1)


def _collect(boxes: Sequence[np.ndarray]) -> tuple[np.ndarray, npt.NDArray[np.int32]]:
    """The boxes of all images (R, 4), and the number of the image of each (R,) int32."""
    counts = [len(each) for each in boxes]
    return np.concatenate(boxes), np.repeat(np.arange(len(boxes), dtype=np.int32), counts)


def _nothing(model: MaskRCNN) -> chainer.Variable:
    return chainer.Variable(model.xp.zeros((), np.float32))


def _check(model: MaskRCNN, truths: Sequence[Truth]) -> None:
    largest = max((truth.labels.max(initial=-1) for truth in truths), default=-1)
    if largest >= model.classes:
        raise TrainingError(f'An image has an object of class {largest}, but the model has the classes '
                            f'0 to {model.classes - 1}; build it with the classes of the data set.')
    if any(truth.size.half_open != model.half_open for truth in truths):
        raise TrainingError('The samples follow other rules of boxes than the model; make them by '
                            'DetectionSamples(..., half_open=model.half_open).')
    if model.keypoints and any(truth.keypoints is None or truth.keypoints.shape[1] != model.keypoints
                               for truth in truths):
        raise TrainingError(f'The model has {model.keypoints} keypoints, but the data set has another '
                            f'number; train on one with the same number, or without a keypoint head.')
