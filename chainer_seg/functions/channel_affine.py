"""A scale and a shift of each channel that are not trained: what a frozen batch normalisation amounts to."""

import chainer
from chainer import function_node
from chainer.backends import cuda
from chainer.utils import type_check

from chainer_seg.arrays import Array, ArrayOrVariable


class ChannelAffine(function_node.FunctionNode):
    """See :func:`channel_affine`."""

    def __init__(self, scale: Array, shift: Array) -> None:
        self.scale, self.shift = scale, shift

    def check_type_forward(self, in_types: type_check.TypeInfoTuple) -> None:
        type_check.expect(in_types.size() == 1)
        type_check.expect(in_types[0].ndim == 4, in_types[0].dtype.kind == 'f',
                          in_types[0].shape[1] == len(self.scale))

    def forward_cpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        y = inputs[0] * _by_channel(self.scale)
        y += _by_channel(self.shift)
        return y.astype(inputs[0].dtype, copy=False),

    def forward_gpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        multiply_add = cuda.elementwise('T x, S scale, S shift', 'T y', 'y = x * scale + shift',
                                        'channel_affine')
        return multiply_add(inputs[0], _by_channel(self.scale), _by_channel(self.shift)),

    def backward(self, indexes: tuple[int, ...],
                 grad_outputs: tuple[chainer.Variable, ...]) -> tuple[chainer.Variable, ...]:
        return channel_affine(grad_outputs[0], self.scale, 0 * self.shift),


def channel_affine(x: ArrayOrVariable, scale: Array, shift: Array) -> chainer.Variable:
    """Scales and shifts each channel.

    Args:
        x: (B, C, H, W) float Variable or array.
        scale, shift: (C,) arrays on the device of ``x``, to which no gradient flows.

    Returns:
        (B, C, H, W) Variable of the dtype of ``x``.
    """
    return ChannelAffine(scale, shift).apply((x,))[0]


def _by_channel(values: Array) -> Array:
    return values.reshape(-1, 1, 1)
