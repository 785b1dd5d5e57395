"""RoI pooling on the CPU without Python loops over bins and pixels (Fast R-CNN, section 2.1).

The functions replace methods of Chainer's function classes, whose state they keep. Chainer's own
forward pass of the two max poolings remains, because it loops over bins only.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.functions import roi_sampling as sampling


def bin_ranges(starts: npt.NDArray, ends: npt.NDArray, bins: int, limit: int,
               dtype: type[np.floating] = np.float64) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and past-last pixel of every bin along one axis, two (R, bins) int arrays.

    The edges are computed in ``dtype`` before they are rounded.
    """
    strides = np.maximum(ends - starts, 1)[:, None].astype(dtype) / dtype(bins)
    steps = np.arange(bins, dtype=dtype)
    first = np.floor(steps * strides).astype(int) + starts[:, None]
    last = np.ceil((steps + 1) * strides).astype(int) + starts[:, None]
    return np.clip(first, 0, limit), np.clip(last, 0, limit)


def whole_pixels(x: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Numbers rounded half away from zero as ``round`` of C and CUDA does, int."""
    x = np.asarray(x, np.float64)  # In float32, adding 0.5 could round up to the next whole number.
    return np.trunc(x + np.copysign(0.5, x)).astype(int)


def _to_pixels(rois: npt.NDArray, spatial_scale: float) -> npt.NDArray[np.int64]:
    """RoIs in whole pixels of the feature map, scaled in their own dtype as on a GPU."""
    return whole_pixels(rois * rois.dtype.type(spatial_scale))


def _average_matrix(self: Any, rois: npt.NDArray, indices: npt.NDArray, shape: tuple[int, ...]) -> Any:
    """(R * outh * outw, B * H * W) sparse matrix that averages the pixels of each bin."""
    batch, _, height, width = shape
    first_y, last_y = bin_ranges(rois[:, 0], rois[:, 2], self.outh, height)
    first_x, last_x = bin_ranges(rois[:, 1], rois[:, 3], self.outw, width)
    y = first_y[..., None] + np.arange((last_y - first_y).max(initial=1))
    x = first_x[..., None] + np.arange((last_x - first_x).max(initial=1))
    weight_y = (y < last_y[..., None]) / np.maximum(last_y - first_y, 1)[..., None]
    weight_x = (x < last_x[..., None]) / np.maximum(last_x - first_x, 1)[..., None]
    # Axes: RoI, bin row, pixel row, bin column, pixel column.
    weights = weight_y[..., None, None] * weight_x[:, None, None]
    rows = (indices.astype(int)[:, None, None] * height + y) * width
    columns = rows[..., None, None] + x[:, None, None]
    n_bins = len(rois) * self.outh * self.outw
    bins = np.arange(n_bins).reshape(len(rois), self.outh, 1, self.outw, 1)
    return sampling.sample_matrix(bins, columns, weights, (n_bins, batch * height * width))


def _average_matrices(self: Any, rois: npt.NDArray, indices: npt.NDArray,
                      shape: tuple[int, ...]) -> Iterator[tuple[slice, Any]]:
    """Pairs (slice of the RoIs, their averaging matrix)."""
    rois = _to_pixels(rois, self.spatial_scale)
    # Along each axis, a bin contains at most its share of the map and one more pixel at either end.
    size_per_roi = (shape[2] + 2 * self.outh) * (shape[3] + 2 * self.outw)
    for part in sampling.chunks(len(rois), size_per_roi):
        yield part, _average_matrix(self, rois[part], indices[part], shape)


def average_forward(self: Any, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray]:
    """Replaces ROIAveragePooling2D.forward_cpu: (B, C, H, W) maps -> (R, C, outh, outw)."""
    self.retain_inputs((1, 2))
    maps, rois, indices = inputs
    self._bottom_data_shape = maps.shape
    pixels = sampling.pixels_first(maps)
    top = np.empty((len(rois), maps.shape[1], self.outh, self.outw), maps.dtype)
    for part, matrix in _average_matrices(self, rois, indices, maps.shape):
        pooled = matrix @ pixels
        n_rois = len(rois[part])
        top[part] = sampling.channels_first(pooled, n_rois, self.outh, self.outw)
    return top,


def average_backward(self: Any, inputs: tuple[npt.NDArray, ...],
                     gy: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, None, None]:
    """Replaces ROIAveragePooling2D.backward_cpu: the transposed matrices of the forward pass."""
    rois, indices = inputs[1:]
    shape = self._bottom_data_shape
    batch, channels, height, width = shape
    gradient = np.zeros((batch * height * width, channels), gy[0].dtype)
    for part, matrix in _average_matrices(self, rois, indices, shape):
        gradient += matrix.T @ sampling.pixels_first(gy[0][part])
    gradient = sampling.channels_first(gradient, batch, height, width)
    return np.ascontiguousarray(gradient), None, None


def _scatter_to_maxima(indices: npt.NDArray, pixels: npt.NDArray, used: npt.NDArray[np.bool_],
                       gradients: npt.NDArray, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray:
    """Add `gradients` (R, C, outh, outw) at the `pixels` of the same shape, where `used`."""
    batch, channels, height, width = shape
    planes = indices.astype(int)[:, None] * channels + np.arange(channels)
    flat = planes[..., None, None] * (height * width) + np.where(used, pixels, 0)
    total = sampling.scatter_add(flat, gradients * used, batch * channels * height * width)
    return total.reshape(shape).astype(dtype, copy=False)


def max_backward(self: Any, inputs: tuple[npt.NDArray, ...],
                 gy: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, None, None]:
    """Replaces ROIMaxPooling2D.backward_cpu: the gradient goes to the pixels of the maxima."""
    rois, indices = inputs[1:]
    gradient = _scatter_to_maxima(
        indices, self.argmax_data, self.argmax_data >= 0, gy[0], self._bottom_data_shape,
        rois.dtype)
    return gradient, None, None


def caffe_max_backward(self: Any, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, None]:
    """Replaces ROIPooling2DGrad.forward_cpu, whose RoIs are (index, x_min, y_min, x_max, y_max)."""
    rois, gradients = inputs
    height, width = self._bottom_data_shape[2:]
    x_min, y_min, x_max, y_max = _to_pixels(rois[:, 1:], self.spatial_scale).T
    first_y, last_y = bin_ranges(y_min, y_max + 1, self.outh, height)
    first_x, last_x = bin_ranges(x_min, x_max + 1, self.outw, width)
    # The maximum of a bin outside the map is recorded as pixel 0.
    used = (first_y < last_y)[:, None, :, None] & (first_x < last_x)[:, None, None]
    gradient = _scatter_to_maxima(
        rois[:, 0], self.argmax_data, used, gradients, self._bottom_data_shape, rois.dtype)
    return gradient, None
