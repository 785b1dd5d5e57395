"""The losses of DeepMask (arXiv 1506.06204, section 3.2) and of SharpMask (arXiv 1603.08695)."""

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.arrays import Array
from chainer_seg.functions import resize_bilinear
from chainer_seg.links import DeviceChain
from chainer_seg.models.deepmask.model import STEPS, DeepMask, Refinement, SharpMask, crop


# Approximate share of a window covered by the object in its centre: 0.14 for synthetic shapes, 0.10 for the
# objects of 50 images of COCO 2017.
OBJECT_SHARE = 0.12


class DeepMaskTrainChain(DeviceChain):
    """The loss of the head for which a batch has targets.

    Args:
        model: A :class:`DeepMask`.
        mask_weight: Weight of the mask loss; the Torch implementation multiplies it
            by the batch size.

    Called with ``x`` (B, 3, H, W) float32 and either ``mask`` (B, S, S), to whose side the logits
    are enlarged, or ``score`` (B,), both float32 of -1 and 1; returns the scalar loss. Reports
    ``mask_loss`` without its weight and the mean ``mask_iou``, or ``score_loss`` and
    ``score_accuracy``. The other head is not updated, neither by momentum nor by weight decay.
    """

    def __init__(self, model: DeepMask, mask_weight: float = 32) -> None:
        super().__init__()
        self.mask_weight = mask_weight
        with self.init_scope():
            self.model = model

    def forward(self, x: Array, mask: Array | None = None, score: Array | None = None) -> chainer.Variable:
        _update(self.model.mask, mask is not None)
        _update(self.model.score, mask is None)
        features = self.model.encode(x)
        if mask is None:
            assert score is not None  # a batch has targets for one head
            logits = self.model.score(features)[:, 0, 0]
            loss = soft_margin(logits, score)
            correct = (logits.array >= 0) == (score > 0)
            chainer.report({'score_loss': loss, 'score_accuracy': correct.mean()}, self)
            return loss
        logits = self.model.window_masks(features, ())
        return _mask_loss(self, enlarge(logits, mask.shape[1]), mask)


class SharpMaskTrainChain(DeviceChain):
    """The loss of the refined mask; the trunk and the score branch are frozen.

    Args:
        model: A :class:`SharpMask`.
        mask_weight: As that of :class:`DeepMaskTrainChain`.

    Called with ``x`` (B, 3, H, W) and ``mask`` (B, patch_size, patch_size) float32 of -1 and 1;
    returns the scalar loss and reports ``mask_loss`` and ``mask_iou``. Only the refinement is updated;
    batch normalisation uses its running statistics.
    """

    def __init__(self, model: SharpMask, mask_weight: float = 32) -> None:
        super().__init__()
        self.mask_weight = mask_weight
        with self.init_scope():
            self.model = model

    def forward(self, x: Array, mask: Array) -> chainer.Variable:
        trunk, refine = self.model.trunk, self.model.refine
        for link in self.model.children():
            _update(link, link is refine)
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            stages = trunk(x)
            features = trunk.describe(crop(stages[-1], 1))
        skips = [refine.skip(k, crop(stages[-k], 2 ** (k - 1))) for k in range(1, STEPS + 1)]
        return _mask_loss(self, refine(features, skips), mask)


def begin_at_prior(refine: Refinement) -> None:
    """Initialises a refinement so that pixels have the prior probability of the object.

    Otherwise the first updates mainly lower the probability of every pixel, until the ReLUs before the
    last convolution, which has two inputs in the published sizes, are all inactive.

    Args:
        refine: The refinement of a :class:`SharpMask`; its last convolution is changed.
    """
    with chainer.using_device(refine.device):
        refine.logit.W.array *= np.float32(0.1)
        refine.logit.b.array[...] = np.log(OBJECT_SHARE / (1 - OBJECT_SHARE))


def soft_margin(logits: chainer.Variable, target: Array) -> chainer.Variable:
    """mean(log(1 + exp(-target * logits))) for targets of -1 and 1, of any shape."""
    # The same number as this cross entropy, whose gradient does not overflow.
    return F.sigmoid_cross_entropy(logits, (target > 0).astype(np.int32))


def enlarge(logits: chainer.Variable, side: int) -> chainer.Variable:
    """Mask logits (B, h, w) enlarged bilinearly to (B, side, side), with aligned corners."""
    if logits.shape[1:] == (side, side):
        return logits
    return resize_bilinear(logits[:, None], (side, side))[:, 0]


def patch_ious(logits: Array, target: Array) -> Array:
    """Intersection over union (B,) of masks whose logits (B, S, S) are at least 0 with those of 1."""
    found, truth = logits >= 0, target > 0
    shared, united = (found & truth).sum(axis=(1, 2)), (found | truth).sum(axis=(1, 2))
    # An empty mask without an object is correct.
    return (shared + (united == 0)) / (united + (united == 0))


def _update(link: chainer.Link, wanted: bool) -> None:
    """Sets whether the optimizer, if there is one, updates the parameters of ``link``."""
    for parameter in link.params():
        if parameter.update_rule is not None:
            parameter.update_rule.enabled = wanted


def _mask_loss(chain: DeepMaskTrainChain | SharpMaskTrainChain, logits: chainer.Variable,
               mask: Array) -> chainer.Variable:
    loss = soft_margin(logits, mask)
    chainer.report({'mask_loss': loss, 'mask_iou': patch_ious(logits.array, mask).mean()}, chain)
    return chain.mask_weight * loss
