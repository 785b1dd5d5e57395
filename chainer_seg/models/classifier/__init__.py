"""Networks that name what is on a picture; the others start their training from such a one."""

from chainer_seg.models.classifier.model import ResNetClassifier
from chainer_seg.models.classifier.samples import ObjectCrops
from chainer_seg.models.classifier.train_chain import ClassifierTrainChain

__all__ = ['ClassifierTrainChain', 'ObjectCrops', 'ResNetClassifier']
