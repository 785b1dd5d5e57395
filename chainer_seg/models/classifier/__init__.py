"""Image classifiers, whose weights the other systems start from."""

from chainer_seg.models.classifier.model import ResNetClassifier

__all__ = ['ResNetClassifier']
