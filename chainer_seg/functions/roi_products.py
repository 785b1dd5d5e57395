"""RoIAlign (Mask R-CNN, He et al. 2017, section 3) on the CPU as two small matrix products per RoI.

The average of the samples of a bin is separable: each axis has a matrix with one row per bin and one
column per pixel. The products of one RoI are large enough to make the loop over RoIs cheap, and they
read each pixel once, whereas one sparse matrix for all RoIs would read it for every sample.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from chainer_seg.functions import roi_sampling as sampling


def average_align(maps: npt.NDArray, rois: npt.NDArray, indices: npt.NDArray, output_size: tuple[int, int],
                  spatial_scale: float, sampling_ratio: tuple[int | None, int | None],
                  least: int = 1) -> npt.NDArray:
    """Averages of bilinear samples: (B, C, H, W) maps -> (R, C, outh, outw).

    Args:
        maps: (B, C, H, W) float array.
        rois: (R, 4) float array of y_min, x_min, y_max, x_max.
        indices: (R,) int array, the image of each RoI.
        output_size: (outh, outw).
        spatial_scale: Pixels of the maps per unit of the RoIs.
        sampling_ratio: Samples per bin along each axis; None is one for each pixel of the bin.
        least: Side, in pixels of the maps, to which smaller RoIs are enlarged.
    """
    batch, channels, height, width = maps.shape
    dtype = np.result_type(maps.dtype, np.float32)
    pixels = sampling.pixels_first(maps).astype(dtype, copy=False)
    rows = pixels.reshape(batch, height, width * channels)
    top = np.empty((len(rois), channels) + output_size, maps.dtype)
    for roi, window in enumerate(_windows(rois, maps.shape, output_size, spatial_scale,
                                          sampling_ratio, least, dtype)):
        shape = (output_size[0], window.width, channels)
        columns = (window.weights_y @ rows[(indices[roi],) + window.place(channels)]).reshape(shape)
        top[roi] = np.matmul(window.weights_x, columns).transpose(2, 0, 1)
    return top


def average_align_gradient(gradients: npt.NDArray, rois: npt.NDArray, indices: npt.NDArray,
                           maps_shape: tuple[int, ...], spatial_scale: float,
                           sampling_ratio: tuple[int | None, int | None], least: int = 1) -> npt.NDArray:
    """The gradient of the maps (B, C, H, W) from ``gradients`` (R, C, outh, outw) of the output."""
    batch, channels, height, width = maps_shape
    output_size = gradients.shape[2:]
    dtype = np.result_type(gradients.dtype, np.float32)
    rows = np.zeros((batch, height, width * channels), dtype)
    for roi, window in enumerate(_windows(rois, maps_shape, output_size, spatial_scale,
                                          sampling_ratio, least, dtype)):
        bins = gradients[roi].transpose(1, 2, 0).astype(dtype)
        columns = np.matmul(window.weights_x.T, bins).reshape(output_size[0], -1)
        rows[(indices[roi],) + window.place(channels)] += window.weights_y.T @ columns
    total = sampling.channels_first(rows.reshape(-1, channels), batch, height, width)
    return np.ascontiguousarray(total, dtype=gradients.dtype)


class _Window:
    """The pixels that one RoI covers, and their weights in each bin: (outh, h) and (outw, w)."""

    def __init__(self, weights_y: npt.NDArray, weights_x: npt.NDArray, top: int, bottom: int, left: int,
                 right: int) -> None:
        self.weights_y = weights_y[:, top:bottom]
        self.weights_x = weights_x[:, left:right]
        self.top, self.bottom, self.left, self.right = top, bottom, left, right
        self.width = right - left

    def place(self, channels: int) -> tuple[slice, slice]:
        """Slices of the window in maps (H, W * C)."""
        return slice(self.top, self.bottom), slice(self.left * channels, self.right * channels)


def _windows(rois: npt.NDArray, maps_shape: tuple[int, ...], output_size: tuple[int, ...],
             spatial_scale: float, sampling_ratio: tuple[int | None, int | None], least: int,
             dtype: npt.DTypeLike) -> Iterator[_Window]:
    """Yields the window of each RoI."""
    scaled = rois.astype(np.result_type(rois.dtype, np.float32), copy=False)
    scaled = scaled * scaled.dtype.type(spatial_scale)
    # The weights of an axis are first computed for all of its pixels.
    numbers = output_size[0] * maps_shape[2] + output_size[1] * maps_shape[3]
    for part in sampling.chunks(len(rois), numbers):
        weights_y, top, bottom = _axis_weights(
            scaled[part, 0], scaled[part, 2], output_size[0], sampling_ratio[0], maps_shape[2], least,
            dtype)
        weights_x, left, right = _axis_weights(
            scaled[part, 1], scaled[part, 3], output_size[1], sampling_ratio[1], maps_shape[3], least,
            dtype)
        yield from map(_Window, weights_y, weights_x, top, bottom, left, right)


def _axis_weights(starts: npt.NDArray, ends: npt.NDArray, bins: int, ratio: int | None, limit: int,
                  least: int, dtype: npt.DTypeLike) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
    """The weight of each pixel of an axis in each bin of each RoI.

    Returns:
        weights (R, bins, limit), and the first and past-last pixel (R,) with a weight.
    """
    grids = sampling.grid_sizes(starts, ends, bins, ratio, least)
    pixels, weights, _ = sampling.axis_samples(starts, ends, bins, grids, limit, least)
    rows = np.arange(len(starts) * bins).reshape(len(starts), bins, 1, 1) * limit
    flat = sampling.scatter_add(rows + pixels, weights / grids[:, None, None, None],
                                len(starts) * bins * limit, dtype)
    # The unused samples of the grid of a smaller RoI lie beyond its end and do not count.
    last = np.take_along_axis(pixels[:, -1, :, 1], grids[:, None] - 1, axis=1)[:, 0]
    first = pixels[:, 0, 0, 0]
    return flat.reshape(len(starts), bins, limit), first, np.maximum(last, first) + 1
