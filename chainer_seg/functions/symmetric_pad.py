"""Padding that mirrors an image at its border and repeats the edge pixel, as in DeepMask's trunk."""

import chainer
import numpy as np
import numpy.typing as npt
from chainer import function_node, functions as F
from chainer.backends import cuda
from chainer.utils import type_check

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.functions.kernels import launch, working_type

# One thread writes one output element; `mirrored` folds an index back into [0, length).
SYMMETRIC_PAD_SOURCE = r'''
__device__ inline int mirrored(int index, int length) {
    int period = 2 * length;
    index = ((index % period) + period) % period;
    return index < length ? index : period - 1 - index;
}

extern "C" __global__ void symmetric_pad(
        long long count, const real* x, real* y, int height, int width, int pad) {
    int out_height = height + 2 * pad;
    int out_width = width + 2 * pad;
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    int column = (int)(element % out_width);
    int row = (int)((element / out_width) % out_height);
    long long plane = element / out_width / out_height;
    y[element] = x[(plane * height + mirrored(row - pad, height)) * width
                   + mirrored(column - pad, width)];
}
'''


class SymmetricPad(function_node.FunctionNode):
    """See :func:`symmetric_pad`."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def check_type_forward(self, in_types: type_check.TypeInfoTuple) -> None:
        type_check.expect(in_types.size() == 1)
        type_check.expect(in_types[0].ndim == 4, in_types[0].dtype.kind == 'f')

    def forward_cpu(self, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, ...]:
        edge = (self.pad, self.pad)
        return np.pad(inputs[0], ((0, 0), (0, 0), edge, edge), mode='symmetric'),

    def forward_gpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        x, = inputs
        batch, channels, height, width = x.shape
        dtype = working_type(x.dtype)
        y = cuda.cupy.empty(
            (batch, channels, height + 2 * self.pad, width + 2 * self.pad), dtype)
        launch(SYMMETRIC_PAD_SOURCE, 'symmetric_pad', y.size, dtype, x.astype(dtype, copy=False), y,
               height, width, self.pad)
        return y.astype(x.dtype, copy=False),

    def backward(self, indexes: tuple[int, ...],
                 grad_outputs: tuple[chainer.Variable, ...]) -> tuple[chainer.Variable | None, ...]:
        inner = slice(self.pad, -self.pad)
        return F.get_item(grad_outputs[0], (slice(None), slice(None), inner, inner)),


def symmetric_pad(x: ArrayOrVariable, pad: int) -> ArrayOrVariable:
    """Pads both image axes by mirroring (cba|abcd|dcb).

    Args:
        x: (B, C, H, W) float Variable or array.
        pad: Number of pixels added on each side; at least 0.

    Returns:
        (B, C, H + 2 pad, W + 2 pad) Variable; ``x`` itself if ``pad`` is 0.

    Raises:
        ValueError: ``pad`` is negative.

    The gradient of the border is dropped, as in the reference implementation (DeepMask's
    ``SpatialSymmetricPadding``): it is the gradient of zero padding, not that of mirroring.
    """
    if pad < 0:
        raise ValueError(f'pad must be at least 0, got {pad}')
    if pad == 0:
        return x
    return SymmetricPad(pad).apply((x,))[0]
