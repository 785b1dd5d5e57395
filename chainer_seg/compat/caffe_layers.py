"""What Chainer's CaffeFunction lacks to compute layers as Caffe does (base_conv_layer.cpp).

Chainer ignores ``dilation``, and its pooling differs from Caffe's.
"""

from typing import Any

from chainer_seg import lazy

_POOLING = 'chainer_seg.functions.caffe_pooling'

max_pooling = lazy.function(_POOLING, 'max_pooling')
average_pooling = lazy.function(_POOLING, 'average_pooling')


def dilation_of(param: Any) -> int | tuple[int, ...]:
    """The dilation of a ConvolutionParameter: a number, or one for rows and one for columns."""
    dilation = tuple(param.dilation) or (1,)
    return dilation[0] if len(dilation) == 1 else dilation
