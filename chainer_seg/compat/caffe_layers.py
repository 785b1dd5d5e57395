"""What Chainer's CaffeFunction needs to compute layers as Caffe does (base_conv_layer.cpp).

It ignores ``dilation``, and its pooling differs from Caffe's.
"""

from chainer_seg import lazy

_POOLING = 'chainer_seg.functions.caffe_pooling'

max_pooling = lazy.function(_POOLING, 'max_pooling')
average_pooling = lazy.function(_POOLING, 'average_pooling')


def dilation_of(param):
    """The dilation of a ConvolutionParameter: a number, or one for rows and one for columns."""
    dilation = tuple(param.dilation) or (1,)
    return dilation[0] if len(dilation) == 1 else dilation
