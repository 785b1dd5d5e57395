"""The loss of DeepLab: softmax cross entropy at every eighth pixel (arXiv 1606.00915, section 3)."""

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.label_images import VOID
from chainer_seg.links import BatchNorm, DeviceChain
from chainer_seg.models.deeplab.multi_scale import multi_scale_logits


class SemanticTrainChain(DeviceChain):
    """Computes the loss of a DeepLab, at one scale or at several.

    With several scales there is a loss for each and one for their maximum, and the labels are compared
    at the places of each one's own logits (section 3.3; the authors' Caffe files).

    Args:
        model: A :class:`~chainer_seg.models.deeplab.DeepLab`.
        scales: The sizes in which the network sees the samples; (1, 0.75, 0.5) are published.
        frozen_norm: Whether batch normalisation uses its running statistics and leaves them alone.
        last_layers: Whether the pyramid alone is trained, on a ResNet that stays as it is.

    Attributes:
        fixed (tuple of str): Patterns of the parameters that are to have a learning rate of 0.

    Called with a batch of what :class:`~chainer_seg.models.deeplab.SemanticSamples` makes: ``image``
    (B, 3, H, W) float32 and ``labels`` (B, H, W) int32, of which -1 is not counted. Returns the scalar
    loss; reports ``loss``, ``pixel_accuracy``, and with several scales the parts ``loss@1``,
    ``loss@0.75``, ... and ``loss@max``.
    """

    def __init__(self, model, scales=(1,), frozen_norm=False, last_layers=False):
        super().__init__()
        self.scales = tuple(scales)
        self.frozen_norm = frozen_norm or last_layers
        with self.init_scope():
            self.model = model
        self._network = _LastLayers(model) if last_layers else model
        self.fixed = ()
        if last_layers:
            self.fixed = ('/model/resnet/*',)
        elif frozen_norm and isinstance(model.resnet.stem.norm, BatchNorm):
            self.fixed = ('/model/resnet/*/gamma', '/model/resnet/*/beta')

    def forward(self, image, labels):
        # There is no other layer that knows the difference between training and use.
        with chainer.using_config('train', chainer.config.train and not self.frozen_norm):
            logits, fused = multi_scale_logits(self._network, image, self.scales)
        losses = {f'loss@{scale:g}': _cross_entropy(each, labels)
                  for scale, each in zip(self.scales, logits)}
        if len(self.scales) > 1:
            losses['loss@max'] = _cross_entropy(fused, labels)
            chainer.report(losses, self)
        loss = sum(losses.values())
        chainer.report({'loss': loss, 'pixel_accuracy': _pixel_accuracy(fused.array, labels)}, self)
        return loss


class _LastLayers:
    """A DeepLab through whose ResNet no gradient goes."""

    def __init__(self, model):
        self.model = model

    def forward(self, x):
        with chainer.no_backprop_mode():
            features = self.model.resnet(x)[-1]
        return self.model.pyramid(features.array)


def labels_at(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The labels (B, h, w) of the pixels in which logits of a size (h, w) stand.

    The first and the last logits are those of the first and the last pixels of (B, H, W) labels; in
    between, the nearest pixel counts: every eighth one of 321, as in the authors' Caffe files.
    """
    xp = chainer.backend.get_array_module(labels)
    rows, columns = (xp.rint(xp.linspace(0, length - 1, wanted)).astype(int)
                     for length, wanted in zip(labels.shape[1:], size))
    return labels[:, rows[:, None], columns]


def _cross_entropy(logits, labels):
    """The mean over all positions that are not void."""
    return F.softmax_cross_entropy(logits, labels_at(labels, logits.shape[2:]), ignore_label=VOID)


def _pixel_accuracy(logits, labels):
    labels = labels_at(labels, logits.shape[2:])
    right = (logits.argmax(axis=1) == labels).sum()
    return right / max(1, int((labels != VOID).sum()))
