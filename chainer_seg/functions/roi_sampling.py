"""Sampling weights of RoI pooling on the CPU, as one sparse matrix per chunk of RoIs.

In every RoI pooling of Chainer, each output bin is a sum or a maximum over bilinear samples (RoIAlign,
Mask R-CNN, He et al. 2017, section 3) or pixels (Fast R-CNN, Girshick 2015, section 2.1) of the
feature map. A matrix with one row per sample and one column per pixel contains all of them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

# Maximum number of elements of the largest temporary array of a chunk of RoIs, which bounds its memory.
CHUNK_SIZE = 1 << 22


def chunks(n_rois: int, size_per_roi: int) -> list[slice]:
    """Slices of `n_rois` RoIs whose temporary arrays, of `size_per_roi` elements per RoI, are bounded."""
    step = max(1, CHUNK_SIZE // max(1, size_per_roi))
    return [slice(start, min(start + step, n_rois)) for start in range(0, n_rois, step)]


def pixels_first(maps: npt.NDArray) -> npt.NDArray:
    """(B, C, H, W) -> (B * H * W, C), contiguous."""
    return np.ascontiguousarray(maps.transpose(0, 2, 3, 1)).reshape(-1, maps.shape[1])


def channels_first(pixels: npt.NDArray, batch: int, height: int, width: int) -> npt.NDArray:
    """(B * H * W, C) -> (B, C, H, W), a view."""
    return pixels.reshape(batch, height, width, pixels.shape[1]).transpose(0, 3, 1, 2)


def grid_sizes(starts: npt.NDArray, ends: npt.NDArray, bins: int, ratio: int | None,
               least: int = 1) -> npt.NDArray[np.int64]:
    """Samples per bin along one axis, (R,) int: `ratio`, or one for each pixel of the bin.

    `least` is as that of :func:`axis_samples`.
    """
    if ratio is not None:
        return np.full(len(starts), ratio)
    return np.maximum(np.ceil(np.maximum(ends - starts, least) / bins), 1).astype(int)


def axis_samples(starts: npt.NDArray, ends: npt.NDArray, bins: int, grids: npt.NDArray, limit: int,
                 least: int = 1) -> tuple[npt.NDArray[np.int64], npt.NDArray, npt.NDArray[np.bool_]]:
    """Linear interpolation along one axis at the sampling points of every bin.

    Args:
        starts, ends: (R,) float, extent of the RoIs in pixels of the feature map.
        bins: Number of bins along the axis.
        grids: (R,) int, samples per bin; S is the largest.
        limit: Number of pixels along the axis.
        least: Extent of a RoI, in pixels, to which smaller ones are enlarged.

    Returns:
        pixels (R, bins, S, 2) int, weights (R, bins, S, 2) float and valid (R, bins, S) bool;
        a sample more than a pixel outside the map is not valid and has weight 0.
    """
    bin_sizes = np.maximum(ends - starts, least) / bins
    # Rounded at each step as in the reference: the last samples of a RoI that ends at the border of the
    # map, as clipped RoIs do, lie exactly on it.
    starts, bin_sizes = starts[:, None, None], bin_sizes[:, None, None]
    places = np.arange(bins, dtype=starts.dtype)[:, None]
    steps = np.arange(grids.max(initial=1), dtype=starts.dtype)
    counts = grids[:, None, None].astype(starts.dtype)
    points = starts + places * bin_sizes + (steps + starts.dtype.type(0.5)) * bin_sizes / counts
    valid = (steps < counts) & (points >= -1) & (points <= limit)
    points = np.clip(points, 0, limit - 1)
    low = np.floor(points).astype(int)
    fraction = points - low
    pixels = np.stack([low, np.minimum(low + 1, limit - 1)], axis=-1)
    weights = np.stack([1 - fraction, fraction], axis=-1) * valid[..., None]
    return pixels, weights, valid


def sample_matrix(rows: npt.NDArray, columns: npt.NDArray, weights: npt.NDArray,
                  shape: tuple[int, int]) -> Any:
    """A float32 CSR matrix of the non-zero `weights` (any shape) at `rows` and `columns`."""
    from scipy.sparse import csr_matrix

    used = weights != 0
    rows, columns = np.broadcast_to(rows, weights.shape), np.broadcast_to(columns, weights.shape)
    return csr_matrix(
        (weights[used].astype(np.float32), (rows[used], columns[used])), shape=shape)


def scatter_add(indices: npt.NDArray, values: npt.NDArray, size: int,
                dtype: npt.DTypeLike = np.float32) -> npt.NDArray:
    """Sums of `values` (any shape) at the flat `indices` of the same shape: (size,) of `dtype`."""
    return np.bincount(indices.ravel(), values.ravel(), minlength=size).astype(dtype)
