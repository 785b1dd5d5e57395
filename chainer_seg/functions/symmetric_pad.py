"""Padding that mirrors the image at its border, the edge pixel repeated, as DeepMask's trunk uses it."""

import numpy as np
from chainer import function_node
from chainer.backends import cuda
from chainer.utils import type_check

# One thread writes one output element; `mirrored` folds an index back into [0, length).
SYMMETRIC_PAD_SOURCE = r'''
__device__ inline int mirrored(int index, int length) {
    int period = 2 * length;
    index = ((index % period) + period) % period;
    return index < length ? index : period - 1 - index;
}

extern "C" __global__ void symmetric_pad(
        const float* x, float* y, int planes, int height, int width, int pad) {
    int out_height = height + 2 * pad;
    int out_width = width + 2 * pad;
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= (long long)planes * out_height * out_width) return;
    int column = (int)(element % out_width);
    int row = (int)((element / out_width) % out_height);
    long long plane = element / out_width / out_height;
    y[element] = x[(plane * height + mirrored(row - pad, height)) * width
                   + mirrored(column - pad, width)];
}
'''

_THREADS = 256


class SymmetricPad(function_node.FunctionNode):
    """See :func:`symmetric_pad`."""

    def __init__(self, pad):
        self.pad = pad

    def check_type_forward(self, in_types):
        type_check.expect(in_types.size() == 1)
        type_check.expect(in_types[0].ndim == 4, in_types[0].dtype.kind == 'f')

    def forward_cpu(self, inputs):
        edge = (self.pad, self.pad)
        return np.pad(inputs[0], ((0, 0), (0, 0), edge, edge), mode='symmetric'),

    def forward_gpu(self, inputs):
        x, = inputs
        if x.dtype != np.float32:
            edge = (self.pad, self.pad)
            return cuda.cupy.pad(x, ((0, 0), (0, 0), edge, edge), mode='symmetric'),
        batch, channels, height, width = x.shape
        y = cuda.cupy.empty(
            (batch, channels, height + 2 * self.pad, width + 2 * self.pad), np.float32)
        if y.size:
            kernel = cuda.raw(SYMMETRIC_PAD_SOURCE, 'symmetric_pad')
            kernel(((y.size + _THREADS - 1) // _THREADS,), (_THREADS,),
                   (cuda.cupy.ascontiguousarray(x), y, np.int32(batch * channels),
                    np.int32(height), np.int32(width), np.int32(self.pad)))
        return y,

    def backward(self, indexes, grad_outputs):
        inner = slice(self.pad, -self.pad)
        return grad_outputs[0][:, :, inner, inner],


def symmetric_pad(x, pad):
    """Pads both image axes by mirroring (cba|abcd|dcb).

    Args:
        x: (B, C, H, W) float Variable or array.
        pad: Number of pixels added on each side; at least 0.

    Returns:
        (B, C, H + 2 pad, W + 2 pad) Variable.

    The gradient of the border is dropped, as the reference implementation (DeepMask's
    ``SpatialSymmetricPadding``) does: it is the gradient of zero padding, not that of mirroring.
    """
    if pad < 0:
        raise ValueError(f'pad must not be negative, but is {pad}')
    if pad == 0:
        return x
    return SymmetricPad(pad).apply((x,))[0]
