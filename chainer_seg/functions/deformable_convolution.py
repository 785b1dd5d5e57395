"""Deformable convolution with modulation (Deformable ConvNets v2, arXiv 1811.11168, section 3.2)."""

import dataclasses
from collections.abc import Iterator

import chainer
import numpy as np
import numpy.typing as npt
from chainer import function
from chainer.backends import cuda
from chainer.utils import type_check

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.functions.arguments import as_pair
from chainer_seg.functions.deformable_sampling import Samples, Taps
from chainer_seg.functions.kernels import launch, working_type

# `Corners` are the four pixels around a sample and their weights, 0 outside the image. Arrays are
# (B, C, H, W) images, (B, 2 K, P) offsets, (B, K, P) masks and (B, C, K, P) columns, for K taps and
# P positions of the output.
DEFORMABLE_SOURCE = r'''
struct Corners {
    int pixel[4];
    real weight[4], slope_y[4], slope_x[4];
};

struct Shape {
    int height, width, kernel_y, kernel_x, out_height, out_width;
    int stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;
};

__device__ inline Corners corners_of(const real* offset, int tap, int position, Shape shape) {
    int positions = shape.out_height * shape.out_width;
    real y = position / shape.out_width * shape.stride_y - shape.pad_y
           + tap / shape.kernel_x * shape.dilation_y + offset[2 * tap * positions + position];
    real x = position % shape.out_width * shape.stride_x - shape.pad_x
           + tap % shape.kernel_x * shape.dilation_x + offset[(2 * tap + 1) * positions + position];
    bool counts = y > -1 && y < shape.height && x > -1 && x < shape.width;
    int low_y = counts ? (int)floor(y) : 0, low_x = counts ? (int)floor(x) : 0;
    real fraction_y = y - low_y, fraction_x = x - low_x;
    Corners corners;
    for (int i = 0; i < 4; ++i) {
        int row = low_y + i / 2, column = low_x + i % 2;
        bool inside = counts && row >= 0 && row < shape.height && column >= 0 && column < shape.width;
        real part_y = i / 2 ? fraction_y : 1 - fraction_y, part_x = i % 2 ? fraction_x : 1 - fraction_x;
        corners.pixel[i] = inside ? row * shape.width + column : 0;
        corners.weight[i] = inside ? part_y * part_x : 0;
        corners.slope_y[i] = inside ? (i / 2 ? part_x : -part_x) : 0;
        corners.slope_x[i] = inside ? (i % 2 ? part_y : -part_y) : 0;
    }
    return corners;
}

struct Sample {
    int positions, taps, tap, position;
    long long plane, image, modulation;
    Corners corners;
};

// The sample of an element of columns with the given number of channels.
__device__ inline Sample sample_of(
        long long element, int channels, const real* offset, Shape shape) {
    Sample s;
    s.positions = shape.out_height * shape.out_width;
    s.taps = shape.kernel_y * shape.kernel_x;
    s.position = (int)(element % s.positions);
    s.tap = (int)(element / s.positions % s.taps);
    s.plane = element / s.positions / s.taps;
    s.image = s.plane / channels;
    s.modulation = (s.image * s.taps + s.tap) * s.positions + s.position;
    s.corners = corners_of(offset + s.image * 2 * s.taps * s.positions, s.tap, s.position, shape);
    return s;
}

extern "C" __global__ void deformable_columns(
        long long count, const real* x, const real* offset, const real* mask, real* columns,
        int channels, int height, int width, int kernel_y, int kernel_x,
        int out_height, int out_width, int stride_y, int stride_x, int pad_y, int pad_x,
        int dilation_y, int dilation_x) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    Shape shape = {height, width, kernel_y, kernel_x, out_height, out_width,
                   stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x};
    Sample s = sample_of(element, channels, offset, shape);
    const real* pixels = x + s.plane * height * width;
    real sum = 0;
    for (int i = 0; i < 4; ++i) sum += s.corners.weight[i] * pixels[s.corners.pixel[i]];
    columns[element] = sum * mask[s.modulation];
}

extern "C" __global__ void deformable_gradient_of_image(
        long long count, const real* columns, const real* offset, const real* mask, real* gx,
        int channels, int height, int width, int kernel_y, int kernel_x,
        int out_height, int out_width, int stride_y, int stride_x, int pad_y, int pad_x,
        int dilation_y, int dilation_x) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    Shape shape = {height, width, kernel_y, kernel_x, out_height, out_width,
                   stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x};
    Sample s = sample_of(element, channels, offset, shape);
    real gradient = columns[element] * mask[s.modulation];
    real* pixels = gx + s.plane * height * width;
    for (int i = 0; i < 4; ++i)
        atomicAdd(pixels + s.corners.pixel[i], s.corners.weight[i] * gradient);
}

extern "C" __global__ void deformable_gradient_of_samples(
        long long count, const real* columns, const real* x, const real* offset, const real* mask,
        real* goffset, real* gmask, int channels, int height, int width, int kernel_y, int kernel_x,
        int out_height, int out_width, int stride_y, int stride_x, int pad_y, int pad_x,
        int dilation_y, int dilation_x) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    Shape shape = {height, width, kernel_y, kernel_x, out_height, out_width,
                   stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x};
    Sample s = sample_of(element, 1, offset, shape);
    Corners c = s.corners;
    real along_y = 0, along_x = 0, along_mask = 0;
    for (int channel = 0; channel < channels; ++channel) {
        long long plane = s.image * channels + channel;
        const real* pixels = x + plane * height * width;
        real gradient = columns[(plane * s.taps + s.tap) * s.positions + s.position];
        for (int i = 0; i < 4; ++i) {
            real product = gradient * pixels[c.pixel[i]];
            along_mask += c.weight[i] * product;
            along_y += c.slope_y[i] * product;
            along_x += c.slope_x[i] * product;
        }
    }
    long long place = (s.image * s.taps + s.tap) * 2 * s.positions + s.position;
    goffset[place] = along_y * mask[element];
    goffset[place + s.positions] = along_x * mask[element];
    gmask[element] = along_mask;
}
'''


class DeformableConvolution(function.Function):
    """See :func:`deformable_convolution`."""

    def __init__(self, taps: Taps) -> None:
        self.taps = taps

    def check_type_forward(self, in_types: type_check.TypeInfoTuple) -> None:
        type_check.expect(in_types.size() >= 4, in_types.size() <= 5)
        x, offset, mask, weights = in_types[:4]
        taps = len(self.taps)
        type_check.expect(
            x.dtype.kind == 'f', x.ndim == 4, offset.ndim == 4, mask.ndim == 4, weights.ndim == 4,
            x.shape[1] == weights.shape[1], offset.shape[1] == 2 * taps, mask.shape[1] == taps,
            offset.shape[2:] == mask.shape[2:])

    def forward_cpu(self, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, ...]:
        x, offset, mask, weights = inputs[:4]
        matrix = _as_matrix(weights)
        y = np.empty((len(x), len(weights)) + offset.shape[2:], x.dtype)
        for image, (pixels, samples) in enumerate(self._images(x, offset)):
            columns = samples.matrix(mask[image]) @ pixels
            y[image] = (matrix @ columns.reshape(-1, matrix.shape[1]).T).reshape(y.shape[1:])
        return _with_bias(y, inputs),

    def backward_cpu(self, inputs: tuple[npt.NDArray, ...],
                     grad_outputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray | None, ...]:
        x, offset, mask, weights = inputs[:4]
        matrix = _as_matrix(weights)
        gx, goffset, gmask = (np.empty_like(array) for array in (x, offset, mask))
        gmatrix = np.zeros_like(matrix)
        for image, (pixels, samples) in enumerate(self._images(x, offset)):
            gy = grad_outputs[0][image].reshape(len(weights), -1)
            sampling = samples.matrix(mask[image])
            gmatrix += gy @ (sampling @ pixels).reshape(-1, matrix.shape[1])
            gcolumns = (gy.T @ matrix).reshape(-1, x.shape[1])
            gx[image] = (sampling.T @ gcolumns).T.reshape(x.shape[1:])
            shifts, scales = samples.gradients(gcolumns, pixels, mask[image])
            goffset[image], gmask[image] = (
                gradient.reshape(target.shape[1:])
                for gradient, target in ((shifts, goffset), (scales, gmask)))
        gweights = gmatrix.reshape(len(weights), *self.taps.kernel, -1).transpose(0, 3, 1, 2)
        return (gx, goffset, gmask, gweights) + _gradient_of_bias(inputs, grad_outputs[0])

    def _images(self, x: npt.NDArray, offset: npt.NDArray) -> Iterator[tuple[npt.NDArray, Samples]]:
        """For each image its pixels (H * W, C) and its samples."""
        for image, shifts in zip(x, offset):
            pixels = np.ascontiguousarray(image.reshape(len(image), -1).T)
            yield pixels, Samples(shifts, (x.shape[2], x.shape[3]), self.taps)

    def forward_gpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        x, offset, mask, weights = inputs[:4]
        columns = self._columns(x, offset, mask)
        y = cuda.cupy.matmul(weights.reshape(len(weights), -1), columns)
        y = y.reshape((len(x), len(weights)) + offset.shape[2:]).astype(x.dtype, copy=False)
        return _with_bias(y, inputs),

    def backward_gpu(self, inputs: tuple[Array, ...],
                     grad_outputs: tuple[Array, ...]) -> tuple[Array | None, ...]:
        x, offset, mask, weights = inputs[:4]
        matrix = weights.reshape(len(weights), -1)
        gy = grad_outputs[0].reshape(len(x), len(weights), -1)
        gmatrix = cuda.cupy.matmul(gy, self._columns(x, offset, mask).transpose(0, 2, 1)).sum(axis=0)
        gcolumns = cuda.cupy.matmul(matrix.T, gy)
        dtype = working_type(x.dtype)
        gcolumns = gcolumns.astype(dtype, copy=False)
        pixels, shifts, scales = (array.astype(dtype, copy=False) for array in inputs[:3])
        gx = cuda.cupy.zeros(x.shape, dtype)
        # empty_like would keep the strides of an input that is not contiguous.
        goffset, gmask = (cuda.cupy.empty(array.shape, dtype) for array in (shifts, scales))
        self._launch('deformable_gradient_of_image', gcolumns.size, x, offset,
                     gcolumns, shifts, scales, gx)
        self._launch('deformable_gradient_of_samples', mask.size, x, offset,
                     gcolumns, pixels, shifts, scales, goffset, gmask)
        gradients = (gx, goffset, gmask, gmatrix.reshape(weights.shape))
        return tuple(gradient.astype(array.dtype, copy=False) for gradient, array in zip(
            gradients, inputs)) + _gradient_of_bias(inputs, grad_outputs[0])

    def _columns(self, x: Array, offset: Array, mask: Array) -> Array:
        """The samples times the mask, (B, C * K, P)."""
        dtype = working_type(x.dtype)
        positions = offset.shape[2] * offset.shape[3]
        columns = cuda.cupy.empty((len(x), x.shape[1] * len(self.taps), positions), dtype)
        self._launch('deformable_columns', columns.size, x, offset, *(
            array.astype(dtype, copy=False) for array in (x, offset, mask)), columns)
        return columns

    def _launch(self, name: str, count: int, x: Array, offset: Array, *arrays: Array) -> None:
        kernel, stride, pad, dilation = dataclasses.astuple(self.taps)
        launch(DEFORMABLE_SOURCE, name, count, arrays[0].dtype, *arrays, *x.shape[1:], *kernel,
               *offset.shape[2:], *stride, *pad, *dilation)


def deformable_convolution(x: ArrayOrVariable, offset: ArrayOrVariable, mask: ArrayOrVariable | None,
                           W: ArrayOrVariable, b: ArrayOrVariable | None = None,
                           stride: int | tuple[int, int] = 1, pad: int | tuple[int, int] = 0,
                           dilate: int | tuple[int, int] = 1) -> chainer.Variable:
    """A convolution whose taps are shifted by offsets and weighted by a mask.

    Args:
        x: (B, C, H, W) float Variable or array.
        offset: (B, 2 * kh * kw, H', W') shift of each tap at each position of the output, in pixels:
            for each tap, row by row, first down, then to the right.
        mask: (B, kh * kw, H', W') weight of each tap, or None for 1.
        W: (O, C, kh, kw) weights.
        b: (O,) bias or None.
        stride, pad, dilate: As in ``F.convolution_2d``, numbers or pairs (rows, columns).

    Returns:
        (B, O, H', W') Variable. Samples are bilinear, with zeros outside the image.
    """
    taps = Taps(W.shape[2:], as_pair(stride), as_pair(pad), as_pair(dilate))
    if mask is None:
        xp = cuda.get_array_module(x)
        mask = xp.ones((len(x), len(taps)) + offset.shape[2:], x.dtype)
    inputs = (x, offset, mask, W) + (() if b is None else (b,))
    return DeformableConvolution(taps)(*inputs)


def _as_matrix(weights: npt.NDArray) -> npt.NDArray:
    """(O, C, kh, kw) -> (O, kh * kw * C), the order of the columns on the CPU."""
    return np.ascontiguousarray(weights.transpose(0, 2, 3, 1)).reshape(len(weights), -1)


def _with_bias(y: Array, inputs: tuple[Array, ...]) -> Array:
    if len(inputs) > 4:
        y += inputs[4][:, None, None]
    return y


def _gradient_of_bias(inputs: tuple[Array, ...], gy: Array) -> tuple[Array, ...]:
    return (gy.sum(axis=(0, 2, 3)),) if len(inputs) > 4 else ()
