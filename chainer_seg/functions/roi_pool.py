"""RoI pooling (Fast R-CNN, Girshick 2015, section 2.1): the largest pixel of each bin.

The conventions are those of the reference: corners are rounded to whole pixels of the map, half away
from zero, and the last pixel belongs to the RoI.
"""

from collections.abc import Iterator

import chainer
import numpy as np
import numpy.typing as npt
from chainer import function_node
from chainer import functions as F
from chainer.backends import cuda
from chainer.utils import type_check

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.functions import roi_sampling as sampling
from chainer_seg.functions.arguments import as_array, as_pair
from chainer_seg.functions.chainer_roi_pooling import bin_ranges
from chainer_seg.functions.kernels import launch, working_type

# One thread finds the largest pixel of one bin. The bins are computed in float32, as in the reference:
# where an edge falls on a pixel, rounding decides whether the pixel belongs to the bin.
ROI_POOL_SOURCE = r'''
__device__ inline int clipped(int value, int limit) {
    return min(max(value, 0), limit);
}

extern "C" __global__ void roi_pool(
        long long count, const real* x, const float* rois, const int* roi_indices,
        real* y, int* places, int channels, int height, int width, int bins_y, int bins_x,
        double spatial_scale) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    int column = (int)(element % bins_x), row = (int)((element / bins_x) % bins_y);
    long long roi = element / bins_x / bins_y / channels;
    int channel = (int)((element / bins_x / bins_y) % channels);
    const float* box = rois + 4 * roi;
    float scale = (float)spatial_scale;
    int top = (int)round(box[0] * scale), left = (int)round(box[1] * scale);
    int bottom = (int)round(box[2] * scale), right = (int)round(box[3] * scale);
    float bin_height = (float)max(bottom - top + 1, 1) / bins_y;
    float bin_width = (float)max(right - left + 1, 1) / bins_x;
    int first_y = clipped((int)floor(row * bin_height) + top, height);
    int last_y = clipped((int)ceil((row + 1) * bin_height) + top, height);
    int first_x = clipped((int)floor(column * bin_width) + left, width);
    int last_x = clipped((int)ceil((column + 1) * bin_width) + left, width);
    const real* plane = x + ((long long)roi_indices[roi] * channels + channel) * height * width;
    int place = -1;
    for (int i = first_y; i < last_y; ++i)
        for (int j = first_x; j < last_x; ++j)
            if (place < 0 || plane[i * width + j] > plane[place]) place = i * width + j;
    y[element] = place < 0 ? 0 : plane[place];
    places[element] = place;
}

extern "C" __global__ void roi_pool_gradient(
        long long count, const real* gy, const int* places, const int* roi_indices, real* gx,
        int channels, int pixels, int bins) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count || places[element] < 0) return;
    long long roi = element / bins / channels;
    int channel = (int)((element / bins) % channels);
    long long plane = ((long long)roi_indices[roi] * channels + channel) * pixels;
    atomicAdd(gx + plane + places[element], gy[element]);
}
'''


class RoIPool(function_node.FunctionNode):
    """See :func:`roi_pool`."""

    def __init__(self, rois: Array, roi_indices: Array, output_size: tuple[int, int],
                 spatial_scale: float) -> None:
        self.rois, self.roi_indices = rois, roi_indices
        self.output_size, self.spatial_scale = output_size, spatial_scale
        # Indices of the largest pixels: a by-product on a GPU; on a CPU, backward finds them.
        self.places: Array | None = None

    def check_type_forward(self, in_types: type_check.TypeInfoTuple) -> None:
        type_check.expect(in_types.size() == 1)
        type_check.expect(in_types[0].ndim == 4, in_types[0].dtype.kind == 'f')

    def forward_cpu(self, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, ...]:
        x, = inputs
        self.maps_shape = x.shape
        self.retain_inputs((0,))
        self.retain_outputs((0,))
        bins = _Bins(self.rois, self.output_size, self.spatial_scale, x.shape[2:])
        return _largest_pixels(x, self.roi_indices, bins),

    def forward_gpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        x, = inputs
        self.maps_shape = x.shape
        dtype = working_type(x.dtype)
        y = cuda.cupy.empty((len(self.rois), x.shape[1]) + self.output_size, dtype)
        self.places = cuda.cupy.empty(y.shape, np.int32)
        launch(ROI_POOL_SOURCE, 'roi_pool', y.size, dtype, x.astype(dtype, copy=False),
               self.rois.astype(np.float32), self.roi_indices, y, self.places, *x.shape[1:],
               *self.output_size, float(self.spatial_scale))
        return y.astype(x.dtype, copy=False),

    def backward(self, indexes: tuple[int, ...],
                 grad_outputs: tuple[chainer.Variable, ...]) -> tuple[chainer.Variable | None, ...]:
        if self.places is None:
            (x,), (y,) = self.get_retained_inputs(), self.get_retained_outputs()
            bins = _Bins(self.rois, self.output_size, self.spatial_scale, x.shape[2:])
            self.places = _find_places(x.array, y.array, self.roi_indices, bins)
        return RoIPoolGradient(self.places, self.roi_indices, self.maps_shape).apply(grad_outputs)


class RoIPoolGradient(function_node.FunctionNode):
    """Adds the gradients of the bins (R, C, h, w) to those of their largest pixels."""

    def __init__(self, places: Array, roi_indices: Array, maps_shape: tuple[int, ...]) -> None:
        self.places, self.roi_indices, self.maps_shape = places, roi_indices, maps_shape

    def forward_cpu(self, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, ...]:
        flat, used = self._flat_places()
        size = int(np.prod(self.maps_shape))
        gx = sampling.scatter_add(flat, inputs[0] * used, size, inputs[0].dtype)
        return gx.reshape(self.maps_shape),

    def forward_gpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        gy, = inputs
        dtype = working_type(gy.dtype)
        gx = cuda.cupy.zeros(self.maps_shape, dtype)
        _, channels, height, width = self.maps_shape
        launch(ROI_POOL_SOURCE, 'roi_pool_gradient', gy.size, dtype, gy.astype(dtype, copy=False),
               self.places, self.roi_indices, gx, channels, height * width,
               gy.shape[2] * gy.shape[3])
        return gx.astype(gy.dtype, copy=False),

    def backward(self, indexes: tuple[int, ...],
                 grad_outputs: tuple[chainer.Variable, ...]) -> tuple[chainer.Variable | None, ...]:
        flat, used = self._flat_places()
        taken = F.get_item(F.flatten(grad_outputs[0]), flat)
        return F.where(used, taken, taken.xp.zeros_like(taken.array)),

    def _flat_places(self) -> tuple[Array, Array]:
        """Index of the largest pixel of each bin into the flattened maps, and whether it exists."""
        _, channels, height, width = self.maps_shape
        xp = cuda.get_array_module(self.places)
        planes = self.roi_indices.astype(np.int64)[:, None] * channels + xp.arange(channels)
        used = self.places >= 0
        return planes[..., None, None] * (height * width) + xp.where(used, self.places, 0), used


class _Bins:
    """First and past-last pixels of the bins, (R, h) rows and (R, w) columns."""

    def __init__(self, rois: npt.NDArray, output_size: tuple[int, int], spatial_scale: float,
                 size: tuple[int, ...]) -> None:
        scaled = rois.astype(np.float32) * np.float32(spatial_scale)
        corners = np.trunc(scaled + np.copysign(np.float32(0.5), scaled)).astype(int)
        y_min, x_min, y_max, x_max = corners.T
        self.size, self.output_size = size, output_size
        self.first_y, self.last_y = bin_ranges(
            y_min, y_max + 1, output_size[0], size[0], np.float32)
        self.first_x, self.last_x = bin_ranges(
            x_min, x_max + 1, output_size[1], size[1], np.float32)
        # (R, 1, h, w): masks arrays of all channels.
        self.filled = ((self.first_y < self.last_y)[:, None, :, None]
                       & (self.first_x < self.last_x)[:, None, None])


def _largest_pixels(maps: npt.NDArray, roi_indices: npt.NDArray, bins: _Bins) -> npt.NDArray:
    """The largest pixel (R, C, h, w) of each bin, 0 in an empty bin: along columns, then along rows."""
    batch, channels, height, width = maps.shape
    pixels = sampling.pixels_first(maps).reshape(batch, height, width, channels)
    top = np.zeros((len(roi_indices), channels) + bins.output_size, maps.dtype)
    for roi in np.flatnonzero(bins.filled.any(axis=(1, 2, 3))):
        left, right = bins.first_x[roi].min(), bins.last_x[roi].max()
        rows = _pool_axis(pixels[roi_indices[roi], :, left:right], bins.first_y[roi],
                          bins.last_y[roi], 0)
        best = _pool_axis(rows, bins.first_x[roi] - left, bins.last_x[roi] - left, 1)
        top[roi] = np.where(bins.filled[roi], best.transpose(2, 0, 1), 0)
    return top


def _pool_axis(values: npt.NDArray, first: npt.NDArray, last: npt.NDArray, axis: int) -> npt.NDArray:
    """The maximum over each range of an axis; all ranges advance together, finished ones stay at the end."""
    limit = values.shape[axis] - 1
    best = np.take(values, np.clip(first, 0, limit), axis)
    for step in range(1, (last - first).max(initial=0)):
        here = np.clip(np.minimum(first + step, last - 1), 0, limit)
        np.maximum(best, np.take(values, here, axis), out=best)
    return best


def _find_places(maps: npt.NDArray, top: npt.NDArray, roi_indices: npt.NDArray,
                 bins: _Bins) -> npt.NDArray[np.int32]:
    """Index (R, C, h, w) of the first pixel of each bin that equals ``top``; -1 in an empty bin."""
    batch, channels, height, width = maps.shape
    pixels = sampling.pixels_first(maps)
    places = np.full(top.shape, -1, np.int32)
    # Sorted, so that the RoIs of a chunk need about the same number of steps.
    extents = [(last - first).max(axis=1, initial=0) for first, last in (
        (bins.first_y, bins.last_y), (bins.first_x, bins.last_x))]
    order = np.argsort(extents[0] * extents[1], kind='stable')
    for chunk in sampling.chunks(len(order), channels * bins.output_size[0] * bins.output_size[1]):
        part = order[chunk]
        wanted = top[part].transpose(0, 2, 3, 1)
        found = np.full(wanted.shape, -1, np.int32)
        for place in _steps(bins, part, extents):
            values = pixels[roi_indices[part, None, None] * (height * width) + place]
            np.copyto(found, place[..., None], where=(values == wanted) & (found < 0))
        places[part] = np.where(bins.filled[part], found.transpose(0, 3, 1, 2), -1)
    return places


def _steps(bins: _Bins, part: npt.NDArray, extents: list[npt.NDArray]) -> Iterator[npt.NDArray[np.int32]]:
    """Yields the pixels (R, h, w) of the bins of some RoIs, one pixel per bin at a time, in row order."""
    for step_y in range(extents[0][part].max()):
        y = np.clip(np.minimum(bins.first_y[part] + step_y, bins.last_y[part] - 1), 0, None)
        for step_x in range(extents[1][part].max()):
            x = np.clip(np.minimum(bins.first_x[part] + step_x, bins.last_x[part] - 1), 0, None)
            yield (y[:, :, None] * bins.size[1] + x[:, None]).astype(np.int32)


def roi_pool(x: ArrayOrVariable, rois: ArrayOrVariable, roi_indices: ArrayOrVariable,
             output_size: int | tuple[int, int], spatial_scale: float) -> chainer.Variable:
    """Pools regions of feature maps to a fixed size: the maximum of each bin of whole pixels.

    Args:
        x: (B, C, H, W) float Variable or array.
        rois: (R, 4) float array of (y_min, x_min, y_max, x_max), the last pixel inclusive.
        roi_indices: (R,) int array: the image of the batch that each RoI lies in.
        output_size: Number of bins, (h, w) or one number for both.
        spatial_scale: Pixels of ``x`` per unit of ``rois``, such as 1 / 16.

    Returns:
        (R, C, h, w) Variable; 0 for a bin outside the map.
    """
    return RoIPool(as_array(rois), as_array(roi_indices).astype(np.int32), as_pair(output_size),
                   spatial_scale).apply((x,))[0]
