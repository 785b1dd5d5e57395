"""The loss of DeepLab: softmax cross entropy at every eighth pixel (arXiv 1606.00915, section 3)."""

from collections.abc import Sequence

import functools
import operator

import chainer
from chainer import functions as F

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.label_images import VOID
from chainer_seg.links import BatchNorm, DeviceChain
from chainer_seg.loss_share import share
from chainer_seg.models.deeplab.model import DeepLab
from chainer_seg.models.deeplab.multi_scale import multi_scale_logits


class SemanticTrainChain(DeviceChain):
    """Computes the loss of a DeepLab, at one scale or at several.

    With several scales there is a loss for each and one for their maximum, each at the positions of its
    own logits (section 3.3; the authors' Caffe files).

    Args:
        model: The model to train.
        scales: Scales at which the network sees the samples; (1, 0.75, 0.5) are published.
        frozen_norm: Whether batch normalisation uses its running statistics and does not update them.
        last_layers: Whether only the pyramid is trained, on a frozen ResNet.

    Attributes:
        fixed: Patterns of the parameters with a learning rate of 0.

    Called with a batch of :class:`~chainer_seg.models.deeplab.SemanticSamples`: ``image`` (B, 3, H, W)
    float32 and ``labels`` (B, H, W) int32, of which -1 is ignored. Returns the scalar loss; reports
    ``loss``, ``pixel_accuracy``, and with several scales the parts ``loss@1``, ``loss@0.75``, ... and
    ``loss@max``.
    """

    def __init__(self, model: DeepLab, scales: Sequence[float] = (1,), frozen_norm: bool = False,
                 last_layers: bool = False) -> None:
        super().__init__()
        self.scales = tuple(scales)
        self.frozen_norm = frozen_norm or last_layers
        with self.init_scope():
            self.model = model
        self.last_layers = last_layers
        self.fixed: tuple[str, ...] = ()
        if last_layers:
            self.fixed = ('/model/resnet/*',)
        elif frozen_norm and isinstance(model.resnet.stem.norm, BatchNorm):
            self.fixed = ('/model/resnet/*/gamma', '/model/resnet/*/beta')

    def forward(self, image: Array, labels: Array) -> chainer.Variable:
        # Batch normalisation is the only layer that behaves differently in training.
        with chainer.using_config('train', chainer.config.train and not self.frozen_norm):
            logits, fused = multi_scale_logits(self._logits, image, self.scales)
        losses = {f'loss@{scale:g}': _cross_entropy(each, labels)
                  for scale, each in zip(self.scales, logits)}
        if len(self.scales) > 1:
            losses['loss@max'] = _cross_entropy(fused, labels)
            chainer.report(losses, self)
        loss = functools.reduce(operator.add, losses.values())
        chainer.report({'loss': loss, 'pixel_accuracy': _pixel_accuracy(fused.array, labels)}, self)
        return loss

    def _logits(self, x: ArrayOrVariable) -> chainer.Variable:
        if not self.last_layers:
            return self.model.forward(x)
        with chainer.no_backprop_mode():
            features = self.model.resnet(x)[-1]
        return self.model.pyramid(features.array)



def labels_at(labels: Array, size: tuple[int, int]) -> Array:
    """The labels (B, h, w) at the positions of logits of size (h, w).

    The first and the last logits belong to the first and the last pixels of the labels (B, H, W), those
    in between to the nearest pixel: every eighth one of 321, as in the authors' Caffe files.
    """
    xp = chainer.backend.get_array_module(labels)
    rows, columns = (xp.rint(xp.linspace(0, length - 1, wanted)).astype(int)
                     for length, wanted in zip(labels.shape[1:], size))
    return labels[:, rows[:, None], columns]


def _cross_entropy(logits: chainer.Variable, labels: Array) -> chainer.Variable:
    """The mean softmax cross entropy over all positions that are not void."""
    labels = labels_at(labels, logits.shape[2:])
    shared = share((labels != VOID).sum())
    return shared * F.softmax_cross_entropy(logits, labels, ignore_label=VOID)


def _pixel_accuracy(logits: Array, labels: Array) -> Array:
    labels = labels_at(labels, logits.shape[2:])
    right = (logits.argmax(axis=1) == labels).sum()
    count = int((labels != VOID).sum())
    return share(count) * right / max(1, count)
