"""The samples of a deformable convolution on the CPU, as a sparse matrix (arXiv 1811.11168, section 3.2)."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from chainer.utils import conv


@dataclasses.dataclass(frozen=True)
class Taps:
    """The taps of a convolution; all numbers are pairs for (rows, columns)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    dilation: tuple[int, int]

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size of the output for an image of ``size``."""
        height, width = (conv.get_conv_outsize(*axis[:4], d=axis[4]) for axis in zip(
            size, self.kernel, self.stride, self.pad, self.dilation))
        return height, width

    def __len__(self) -> int:
        return self.kernel[0] * self.kernel[1]

    def regular_positions(self, size: tuple[int, int]) -> npt.NDArray[np.int64]:
        """Rows and columns (2, P, K) of the samples of all taps without offsets."""
        (rows_y, taps_y), (rows_x, taps_x) = (
            np.ogrid[:count, :taps] for count, taps in zip(self.output_size(size), self.kernel))
        y = rows_y * self.stride[0] - self.pad[0] + taps_y * self.dilation[0]
        x = rows_x * self.stride[1] - self.pad[1] + taps_x * self.dilation[1]
        grid = np.broadcast_arrays(y[:, None, :, None], x[None, :, None, :])
        return np.reshape(grid, (2, -1, len(self)))


class Samples:
    """The four pixels around each sample of one image, and their weights: (4, P, K).

    Args:
        offset: (2 K, H', W') float array, the shifts of the taps at each position of the output.
        size: (H, W) of the image.
        taps: Those of the convolution.
    """

    def __init__(self, offset: npt.NDArray, size: tuple[int, int], taps: Taps) -> None:
        shifts = offset.reshape(len(taps), 2, -1).transpose(1, 2, 0)
        positions = taps.regular_positions(size) + shifts
        counts = ((positions > -1) & (positions < np.reshape(size, (2, 1, 1)))).all(axis=0)
        positions = np.where(counts, positions, 0)
        low = np.floor(positions).astype(int)
        high_part = (positions - low).astype(offset.dtype)
        steps = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])[:, :, None, None]
        y, x = np.moveaxis(low + steps, 1, 0)
        self.inside = counts & (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
        self.pixels = np.where(self.inside, y * size[1] + x, 0)
        self.part_y, self.part_x = np.moveaxis(
            np.where(steps, high_part, 1 - high_part), 1, 0)
        self.signs_y, self.signs_x = 2 * np.moveaxis(steps, 1, 0) - 1
        self.n_pixels = size[0] * size[1]

    def matrix(self, mask: npt.NDArray) -> Any:
        """The CSR matrix (P * K, H * W) of the samples times their ``mask`` (K, H', W')."""
        from scipy.sparse import csr_matrix

        scale = mask.reshape(len(mask), -1).T
        weights = np.where(self.inside, self.part_y * self.part_x * scale, 0).astype(mask.dtype)
        rows = self.pixels[0].size
        return csr_matrix((np.moveaxis(weights, 0, 2).ravel(), np.moveaxis(self.pixels, 0, 2).ravel(),
                           np.arange(0, 4 * rows + 1, 4)), shape=(rows, self.n_pixels))

    def gradients(self, columns: npt.NDArray, pixels: npt.NDArray,
                  mask: npt.NDArray) -> tuple[npt.NDArray, npt.NDArray]:
        """Gradients of offset (2 K, P) and mask (K, P) from those of the columns (P * K, C)."""
        products = np.stack([np.einsum('nc,nc->n', columns, pixels[corner.ravel()])
                             for corner in self.pixels]).reshape(self.pixels.shape) * self.inside
        scale = mask.reshape(len(mask), -1).T
        along_y = (products * self.signs_y * self.part_x).sum(axis=0) * scale
        along_x = (products * self.signs_x * self.part_y).sum(axis=0) * scale
        along_mask = (products * self.part_y * self.part_x).sum(axis=0)
        return np.stack([along_y, along_x], axis=2).reshape(len(scale), -1).T, along_mask.T
