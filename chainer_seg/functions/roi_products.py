"""RoIAlign (Mask R-CNN, He et al. 2017, section 3) on the CPU as two small matrix products per RoI.

The average of the samples of a bin is separable: each axis has a matrix with one row a bin and one
column a pixel. The products of one RoI are large enough to make the loop over RoIs cheap, and they
touch each pixel once, where one sparse matrix for all RoIs reads it for every sample.
"""

import numpy as np

from chainer_seg.functions import roi_sampling as sampling


def average_align(maps: np.ndarray, rois: np.ndarray, indices: np.ndarray, output_size: tuple[int, int],
                  spatial_scale: float, sampling_ratio: tuple[int | None, int | None]) -> np.ndarray:
    """Averages of bilinear samples: (B, C, H, W) maps -> (R, C, outh, outw).

    Args:
        maps: (B, C, H, W) float array.
        rois: (R, 4) float array of y_min, x_min, y_max, x_max.
        indices: (R,) int array, the image of each RoI.
        output_size: (outh, outw).
        spatial_scale (float): pixels of the maps per unit of the RoIs.
        sampling_ratio: samples per bin and axis, a pair; None is one for each pixel of the bin.
    """
    batch, channels, height, width = maps.shape
    dtype = np.result_type(maps.dtype, np.float32)
    pixels = sampling.pixels_first(maps).astype(dtype, copy=False)
    rows = pixels.reshape(batch, height, width * channels)
    top = np.empty((len(rois), channels) + output_size, maps.dtype)
    for roi, window in enumerate(_windows(rois, maps.shape, output_size, spatial_scale,
                                          sampling_ratio, dtype)):
        shape = (output_size[0], window.width, channels)
        columns = (window.weights_y @ rows[(indices[roi],) + window.place(channels)]).reshape(shape)
        top[roi] = np.matmul(window.weights_x, columns).transpose(2, 0, 1)
    return top


def average_align_gradient(gradients: np.ndarray, rois: np.ndarray, indices: np.ndarray,
                           maps_shape: tuple[int, ...], spatial_scale: float,
                           sampling_ratio: tuple[int | None, int | None]) -> np.ndarray:
    """The gradient of the maps (B, C, H, W) from ``gradients`` (R, C, outh, outw) of the output."""
    batch, channels, height, width = maps_shape
    output_size = gradients.shape[2:]
    dtype = np.result_type(gradients.dtype, np.float32)
    rows = np.zeros((batch, height, width * channels), dtype)
    for roi, window in enumerate(_windows(rois, maps_shape, output_size, spatial_scale,
                                          sampling_ratio, dtype)):
        bins = gradients[roi].transpose(1, 2, 0).astype(dtype)
        columns = np.matmul(window.weights_x.T, bins).reshape(output_size[0], -1)
        rows[(indices[roi],) + window.place(channels)] += window.weights_y.T @ columns
    total = sampling.channels_first(rows.reshape(-1, channels), batch, height, width)
    return np.ascontiguousarray(total, dtype=gradients.dtype)


class _Window:
    """The pixels that one RoI uses, and what each gives to each bin: (outh, h) and (outw, w)."""

    def __init__(self, weights_y, weights_x, top, bottom, left, right):
        self.weights_y = weights_y[:, top:bottom]
        self.weights_x = weights_x[:, left:right]
        self.top, self.bottom, self.left, self.right = top, bottom, left, right
        self.width = right - left

    def place(self, channels):
        """Slices of the window in maps (H, W * C)."""
        return slice(self.top, self.bottom), slice(self.left * channels, self.right * channels)


def _windows(rois, maps_shape, output_size, spatial_scale, sampling_ratio, dtype):
    """Gives the window of each RoI."""
    scaled = rois.astype(np.result_type(rois.dtype, np.float32), copy=False)
    scaled = scaled * scaled.dtype.type(spatial_scale)
    # The weights of an axis are first made for all of its pixels.
    numbers = output_size[0] * maps_shape[2] + output_size[1] * maps_shape[3]
    for part in sampling.chunks(len(rois), numbers):
        weights_y, top, bottom = _axis_weights(
            scaled[part, 0], scaled[part, 2], output_size[0], sampling_ratio[0], maps_shape[2], dtype)
        weights_x, left, right = _axis_weights(
            scaled[part, 1], scaled[part, 3], output_size[1], sampling_ratio[1], maps_shape[3], dtype)
        yield from map(_Window, weights_y, weights_x, top, bottom, left, right)


def _axis_weights(starts, ends, bins, ratio, limit, dtype):
    """What each pixel of an axis gives to each bin of each RoI.

    Returns:
        weights (R, bins, limit), and the first and past-last pixel (R,) that have any.
    """
    grids = sampling.grid_sizes(starts, ends, bins, ratio)
    pixels, weights, _ = sampling.axis_samples(starts, ends, bins, grids, limit)
    rows = np.arange(len(starts) * bins).reshape(len(starts), bins, 1, 1) * limit
    flat = sampling.scatter_add(rows + pixels, weights / grids[:, None, None, None],
                                len(starts) * bins * limit, dtype)
    # The unused places of the grid of a smaller RoI lie beyond its end, so bound by the real ones.
    last = np.take_along_axis(pixels[:, -1, :, 1], grids[:, None] - 1, axis=1)[:, 0]
    first = pixels[:, 0, 0, 0]
    return flat.reshape(len(starts), bins, limit), first, np.maximum(last, first) + 1
