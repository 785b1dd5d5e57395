"""Building blocks that the systems share."""

from chainer_seg.links.batch_norm import BatchNorm
from chainer_seg.links.darknet import DarkNet
from chainer_seg.links.deformable_convolution import DeformableConvolution2D
from chainer_seg.links.device_chain import DeviceChain
from chainer_seg.links.efficientnet import EfficientNet
from chainer_seg.links.feature_pyramid import FeaturePyramid
from chainer_seg.links.frozen_affine import FrozenAffine
from chainer_seg.links.group_norm import GroupNorm
from chainer_seg.links.hrnet import HRNet
from chainer_seg.links.mobilenet_v2 import MobileNetV2
from chainer_seg.links.resnet import ResNet
from chainer_seg.links.resnet_copy import copy_resnet

__all__ = ['BatchNorm', 'DarkNet', 'DeformableConvolution2D', 'DeviceChain', 'EfficientNet',
           'FeaturePyramid', 'FrozenAffine', 'GroupNorm', 'HRNet', 'MobileNetV2', 'ResNet', 'copy_resnet']
