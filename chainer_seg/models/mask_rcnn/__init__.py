"""Mask R-CNN (arXiv 1703.06870): boxes, masks and keypoints of the objects of known classes."""

from chainer_seg.models.mask_rcnn.model import MaskRCNN
from chainer_seg.models.mask_rcnn.proposals import ProposalLimits
from chainer_seg.models.mask_rcnn.samples import DetectionSamples, PolygonDataset, Truth, batch_samples
from chainer_seg.models.mask_rcnn.train_chain import MaskRCNNTrainChain

__all__ = ['DetectionSamples', 'MaskRCNN', 'MaskRCNNTrainChain', 'PolygonDataset', 'ProposalLimits',
           'Truth', 'batch_samples']
