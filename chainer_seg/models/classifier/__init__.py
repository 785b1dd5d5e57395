"""Networks that name what is on a picture; the others start their training from such a one."""

from chainer_seg.models.classifier.model import ResNetClassifier

__all__ = ['ResNetClassifier']
