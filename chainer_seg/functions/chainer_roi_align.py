"""`chainer.functions.roi_average_align_2d` and `roi_max_align_2d` on the CPU without Python loops.

The functions replace methods of Chainer's function classes, whose state they keep.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.functions import roi_sampling as sampling
from chainer_seg.functions.roi_products import average_align, average_align_gradient


class _Samples:
    """The bilinear samples of a chunk of RoIs: an array of pixels and one of weights for each axis."""

    def __init__(self, function: Any, rois: npt.NDArray, indices: npt.NDArray, height: int,
                 width: int) -> None:
        rois = rois.astype(np.float64) * function.spatial_scale
        grid_h = sampling.grid_sizes(rois[:, 0], rois[:, 2], function.outh,
                                     function.sampling_ratio[0])
        grid_w = sampling.grid_sizes(rois[:, 1], rois[:, 3], function.outw,
                                     function.sampling_ratio[1])
        y, self.weights_y, valid_y = sampling.axis_samples(
            rois[:, 0], rois[:, 2], function.outh, grid_h, height)
        self.x, self.weights_x, valid_x = sampling.axis_samples(
            rois[:, 1], rois[:, 3], function.outw, grid_w, width)
        self.rows = (indices.astype(int)[:, None, None, None] * height + y) * width
        # (R, outh, S_y, 2, outw, S_x, 2) below: y axes, then x axes.
        self.valid = valid_y[:, :, :, None, None] & valid_x[:, None, None]
        self.count = grid_h * grid_w
        self.grid_w = grid_w

    def pixels(self) -> npt.NDArray[np.int64]:
        """Pixel index of every corner of every sample, (R, outh, S_y, 2, outw, S_x, 2)."""
        return self.rows[..., None, None, None] + self.x[:, None, None, None]

    def weights(self) -> npt.NDArray:
        """Bilinear weight of every corner of every sample, in the shape of `pixels`."""
        return self.weights_y[..., None, None, None] * self.weights_x[:, None, None, None]


def _size_per_roi(function: Any, rois: npt.NDArray) -> int:
    """Number of corners of all samples of the RoI that has most."""
    rois = rois.astype(np.float64) * function.spatial_scale
    corners = 4 * function.outh * function.outw
    for low, high, bins, ratio in ((0, 2, function.outh, function.sampling_ratio[0]),
                                   (1, 3, function.outw, function.sampling_ratio[1])):
        grids = sampling.grid_sizes(rois[:, low], rois[:, high], bins, ratio)
        corners *= int(grids.max(initial=1))
    return corners


def _chunks(function: Any, maps_shape: tuple[int, ...], rois: npt.NDArray, indices: npt.NDArray,
            size_per_roi: int) -> Iterator[tuple[slice, _Samples]]:
    """Pairs (slice of the RoIs, their samples)."""
    height, width = maps_shape[2:]
    for part in sampling.chunks(len(rois), size_per_roi):
        yield part, _Samples(function, rois[part], indices[part], height, width)


def average_forward(self: Any, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray]:
    """Replaces ROIAverageAlign2D.forward_cpu: (B, C, H, W) maps -> (R, C, outh, outw)."""
    self.retain_inputs((1, 2))
    maps, rois, indices = inputs
    self._bottom_data_shape = maps.shape
    return average_align(maps, rois, indices, (self.outh, self.outw), self.spatial_scale,
                         self.sampling_ratio),


def average_backward(self: Any, inputs: tuple[npt.NDArray, ...],
                     gy: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, None, None]:
    """Replaces ROIAverageAlign2D.backward_cpu."""
    rois, indices = inputs[1:]
    return average_align_gradient(gy[0], rois, indices, self._bottom_data_shape, self.spatial_scale,
                                  self.sampling_ratio), None, None


def max_forward(self: Any, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray]:
    """Replaces ROIMaxAlign2D.forward_cpu: the largest sample of each bin, -inf in a bin without any."""
    self.retain_inputs((1, 2))
    maps, rois, indices = inputs
    self._bottom_data_shape = maps.shape
    channels = maps.shape[1]
    pixels = sampling.pixels_first(maps)
    top = np.empty((len(rois), channels, self.outh, self.outw), maps.dtype)
    self.argmax_data = np.empty(top.shape, np.int32)
    size_per_roi = _size_per_roi(self, rois) * max(1, channels // 4)
    for part, samples in _chunks(self, maps.shape, rois, indices, size_per_roi):
        values = _sample_values(samples, pixels)
        best = values.argmax(axis=3)
        top[part] = np.take_along_axis(values, best[:, :, :, None], axis=3)[:, :, :, 0].transpose(
            0, 3, 1, 2)
        self.argmax_data[part] = _as_sample_number(samples, best).transpose(0, 3, 1, 2)
    self.argmax_data[np.isneginf(top)] = -1
    return top,


def _sample_values(samples: _Samples, pixels: npt.NDArray) -> npt.NDArray:
    """The interpolated maps at every sample: (R, outh, outw, S_y * S_x, C), -inf where not valid."""
    # (R, outh, S_y, 2, outw, S_x, 2) -> (R, outh, outw, S_y, S_x, 2, 2)
    order = (0, 1, 4, 2, 5, 3, 6)
    weights, columns = samples.weights().transpose(order), samples.pixels().transpose(order)
    shape = weights.shape[:5]
    rows = np.arange(np.prod(shape, dtype=int)).reshape(shape + (1, 1))
    matrix = sampling.sample_matrix(rows, columns, weights, (rows.size, len(pixels)))
    values = (matrix @ pixels).reshape(shape[:3] + (-1, pixels.shape[1]))
    valid = samples.valid.transpose(0, 1, 3, 2, 4).reshape(values.shape[:4])
    return np.where(valid[..., None], values, np.float32(-np.inf))


def _as_sample_number(samples: _Samples, best: npt.NDArray) -> npt.NDArray:
    """Indices into the padded grid of the chunk as Chainer's iy * grid width + ix."""
    iy, ix = np.divmod(best, samples.x.shape[2])
    return iy * samples.grid_w[:, None, None, None] + ix


def max_backward(self: Any, inputs: tuple[npt.NDArray, ...],
                 gy: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, None, None]:
    """Replaces ROIMaxAlign2D.backward_cpu: the gradient goes to the corners of the largest sample."""
    rois, indices = inputs[1:]
    batch, channels, height, width = self._bottom_data_shape
    gradient = np.zeros(self._bottom_data_shape, gy[0].dtype).ravel()
    size_per_roi = max(_size_per_roi(self, rois), 4 * channels * self.outh * self.outw)
    for part, samples in _chunks(self, self._bottom_data_shape, rois, indices, size_per_roi):
        taken = self.argmax_data[part]
        iy, ix = np.divmod(np.maximum(taken, 0), samples.grid_w[:, None, None, None])
        roi, channel, ph, pw = np.ogrid[tuple(slice(n) for n in taken.shape)]
        corners = (samples.rows[roi, ph, iy][..., :, None] + samples.x[roi, pw, ix][..., None, :])
        weights = (samples.weights_y[roi, ph, iy][..., :, None]
                   * samples.weights_x[roi, pw, ix][..., None, :])
        weights = weights * (gy[0][part] * (taken >= 0))[..., None, None]
        image, pixel = np.divmod(corners, height * width)
        flat = (image * channels + channel[..., None, None]) * (height * width) + pixel
        gradient += sampling.scatter_add(flat, weights, gradient.size)
    return gradient.reshape(self._bottom_data_shape), None, None
