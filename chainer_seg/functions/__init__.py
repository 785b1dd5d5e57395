"""Differentiable operations that Chainer does not have or does slowly on a CPU."""

from chainer_seg.functions.channel_affine import channel_affine
from chainer_seg.functions.deformable_convolution import deformable_convolution
from chainer_seg.functions.resize_bilinear import resize_bilinear, resize_like
from chainer_seg.functions.roi_align import roi_align
from chainer_seg.functions.roi_pool import roi_pool
from chainer_seg.functions.same_pad import same_pad
from chainer_seg.functions.symmetric_pad import symmetric_pad

__all__ = ['channel_affine', 'deformable_convolution', 'resize_bilinear', 'resize_like', 'roi_align',
           'roi_pool', 'same_pad', 'symmetric_pad']
