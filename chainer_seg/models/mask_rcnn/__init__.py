"""Mask R-CNN (arXiv 1703.06870): boxes, masks and keypoints of the objects of known classes."""

from chainer_seg.models.mask_rcnn.model import MaskRCNN
from chainer_seg.models.mask_rcnn.proposals import ProposalLimits

__all__ = ['MaskRCNN', 'ProposalLimits']
