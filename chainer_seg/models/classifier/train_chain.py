"""The loss of a classifier: softmax cross entropy."""

import chainer
from chainer import functions as F


class ClassifierTrainChain(chainer.Chain):
    """The loss of a :class:`ResNetClassifier`.

    Called with ``x`` (B, 3, H, W) float32 and ``label`` (B,) int32; returns the scalar loss and
    reports ``class_loss`` and ``accuracy``.
    """

    def __init__(self, model):
        super().__init__()
        with self.init_scope():
            self.model = model

    def forward(self, x, label):
        logits = self.model(x)
        loss = F.softmax_cross_entropy(logits, label)
        chainer.report({'class_loss': loss, 'accuracy': F.accuracy(logits, label)}, self)
        return loss
