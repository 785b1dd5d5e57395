"""RoIAlign (Mask R-CNN, He et al. 2017, section 3): the average of bilinear samples in each bin.

The conventions are Detectron's, no shift by half a pixel and RoIs of at least one pixel of the map, or
those of Detectron2's ``ROIAlignV2``.
"""

import chainer
import numpy as np
import numpy.typing as npt
from chainer import function_node
from chainer.backends import cuda
from chainer.utils import type_check

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.functions.arguments import as_array, as_pair
from chainer_seg.functions.kernels import launch, working_type
from chainer_seg.functions.roi_products import average_align, average_align_gradient

# One thread computes one output element. `Corners` are the four pixels around a sample. A sample more
# than a pixel outside the map counts as 0; a nearer one is moved to the border.
ROI_ALIGN_SOURCE = r'''
struct Corners {
    int low_y, high_y, low_x, high_x;
    real fraction_y, fraction_x;
    bool inside;
};

__device__ inline Corners corners_of(real y, real x, int height, int width) {
    Corners corners;
    corners.inside = y >= -1 && y <= height && x >= -1 && x <= width;
    y = min(max(y, (real)0), (real)(height - 1));
    x = min(max(x, (real)0), (real)(width - 1));
    corners.low_y = (int)y;
    corners.low_x = (int)x;
    corners.high_y = min(corners.low_y + 1, height - 1);
    corners.high_x = min(corners.low_x + 1, width - 1);
    corners.fraction_y = y - corners.low_y;
    corners.fraction_x = x - corners.low_x;
    return corners;
}

struct Axis {
    real start, bin_size;
    int samples;

    // Rounded at each step as in the reference, so that samples on the border stay there.
    __device__ inline real place(int sample) const {
        return start + (sample + (real)0.5) * bin_size / samples;
    }
};

__device__ inline Axis axis_of(real start, real end, int bins, int bin, int ratio, int least) {
    Axis axis;
    axis.bin_size = max(end - start, (real)least) / bins;
    axis.start = start + bin * axis.bin_size;
    axis.samples = ratio > 0 ? ratio : max((int)ceil(axis.bin_size), 1);
    return axis;
}

// The plane of the maps that an output element averages, and its samples along both axes.
struct Bin {
    long long plane;
    Axis rows, columns;
};

__device__ inline Bin bin_of(
        long long element, const real* rois, const int* roi_indices, int channels,
        int height, int width, int bins_y, int bins_x, double spatial_scale, int ratio, int least) {
    int column = (int)(element % bins_x), row = (int)((element / bins_x) % bins_y);
    long long roi = element / bins_x / bins_y / channels;
    int channel = (int)((element / bins_x / bins_y) % channels);
    const real* box = rois + 4 * roi;
    real scale = (real)spatial_scale;
    Bin bin;
    bin.plane = ((long long)roi_indices[roi] * channels + channel) * height * width;
    bin.rows = axis_of(box[0] * scale, box[2] * scale, bins_y, row, ratio, least);
    bin.columns = axis_of(box[1] * scale, box[3] * scale, bins_x, column, ratio, least);
    return bin;
}

extern "C" __global__ void roi_align(
        long long count, const real* x, const real* rois, const int* roi_indices, real* y,
        int channels, int height, int width, int bins_y, int bins_x,
        double spatial_scale, int ratio, int least) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    Bin bin = bin_of(element, rois, roi_indices, channels, height, width, bins_y, bins_x,
                     spatial_scale, ratio, least);
    const real* plane = x + bin.plane;
    real sum = 0;
    for (int i = 0; i < bin.rows.samples; ++i)
        for (int j = 0; j < bin.columns.samples; ++j) {
            Corners c = corners_of(bin.rows.place(i), bin.columns.place(j), height, width);
            if (!c.inside) continue;
            real upper = plane[c.low_y * width + c.low_x] * (1 - c.fraction_x)
                       + plane[c.low_y * width + c.high_x] * c.fraction_x;
            real lower = plane[c.high_y * width + c.low_x] * (1 - c.fraction_x)
                       + plane[c.high_y * width + c.high_x] * c.fraction_x;
            sum += upper * (1 - c.fraction_y) + lower * c.fraction_y;
        }
    y[element] = sum / (bin.rows.samples * bin.columns.samples);
}

extern "C" __global__ void roi_align_gradient(
        long long count, const real* gy, const real* rois, const int* roi_indices, real* gx,
        int channels, int height, int width, int bins_y, int bins_x,
        double spatial_scale, int ratio, int least) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    Bin bin = bin_of(element, rois, roi_indices, channels, height, width, bins_y, bins_x,
                     spatial_scale, ratio, least);
    real* plane = gx + bin.plane;
    real share = gy[element] / (bin.rows.samples * bin.columns.samples);
    for (int i = 0; i < bin.rows.samples; ++i)
        for (int j = 0; j < bin.columns.samples; ++j) {
            Corners c = corners_of(bin.rows.place(i), bin.columns.place(j), height, width);
            if (!c.inside) continue;
            real upper = share * (1 - c.fraction_y), lower = share * c.fraction_y;
            atomicAdd(plane + c.low_y * width + c.low_x, upper * (1 - c.fraction_x));
            atomicAdd(plane + c.low_y * width + c.high_x, upper * c.fraction_x);
            atomicAdd(plane + c.high_y * width + c.low_x, lower * (1 - c.fraction_x));
            atomicAdd(plane + c.high_y * width + c.high_x, lower * c.fraction_x);
        }
}
'''


class _Grid:
    """The grid of samples, common to the function and its gradient."""

    def __init__(self, output_size: tuple[int, int], spatial_scale: float, sampling_ratio: int,
                 least: int) -> None:
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.least = least  # side of a RoI, in pixels of the map

    @property
    def cpu_ratio(self) -> tuple[int | None, int | None]:
        """Samples per bin of both axes; None is one for each pixel of the bin."""
        ratio = self.sampling_ratio or None
        return ratio, ratio

    def launch(self, name: str, source: Array, target: Array, rois: Array, roi_indices: Array,
               maps_shape: tuple[int, ...]) -> None:
        """Runs a kernel from the array ``source`` to ``target``, one of which contains the maps."""
        count = len(rois) * maps_shape[1] * self.output_size[0] * self.output_size[1]
        launch(ROI_ALIGN_SOURCE, name, count, source.dtype, source,
               rois.astype(source.dtype, copy=False), roi_indices, target, *maps_shape[1:],
               *self.output_size, float(self.spatial_scale), self.sampling_ratio, self.least)


class RoIAlign(function_node.FunctionNode):
    """See :func:`roi_align`."""

    def __init__(self, grid: _Grid, rois: Array, roi_indices: Array) -> None:
        self.grid, self.rois, self.roi_indices = grid, rois, roi_indices

    def check_type_forward(self, in_types: type_check.TypeInfoTuple) -> None:
        type_check.expect(in_types.size() == 1)
        type_check.expect(in_types[0].ndim == 4, in_types[0].dtype.kind == 'f')

    def forward_cpu(self, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, ...]:
        self.maps_shape = inputs[0].shape
        return average_align(inputs[0], self.rois, self.roi_indices, self.grid.output_size,
                             self.grid.spatial_scale, self.grid.cpu_ratio, self.grid.least),

    def forward_gpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        x, = inputs
        self.maps_shape = x.shape
        dtype = working_type(x.dtype)
        y = cuda.cupy.empty((len(self.rois), x.shape[1]) + self.grid.output_size, dtype)
        self.grid.launch('roi_align', x.astype(dtype, copy=False), y, self.rois, self.roi_indices,
                         x.shape)
        return y.astype(x.dtype, copy=False),

    def backward(self, indexes: tuple[int, ...],
                 grad_outputs: tuple[chainer.Variable, ...]) -> tuple[chainer.Variable | None, ...]:
        return RoIAlignGradient(
            self.grid, self.rois, self.roi_indices, self.maps_shape).apply(grad_outputs)


class RoIAlignGradient(function_node.FunctionNode):
    """The transposed map: spreads gradients of the bins (R, C, h, w) over the maps (B, C, H, W)."""

    def __init__(self, grid: _Grid, rois: Array, roi_indices: Array, maps_shape: tuple[int, ...]) -> None:
        self.grid, self.rois, self.roi_indices = grid, rois, roi_indices
        self.maps_shape = maps_shape

    def forward_cpu(self, inputs: tuple[npt.NDArray, ...]) -> tuple[npt.NDArray, ...]:
        return average_align_gradient(inputs[0], self.rois, self.roi_indices, self.maps_shape,
                                      self.grid.spatial_scale, self.grid.cpu_ratio, self.grid.least),

    def forward_gpu(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        gy, = inputs
        dtype = working_type(gy.dtype)
        gx = cuda.cupy.zeros(self.maps_shape, dtype)
        self.grid.launch('roi_align_gradient', gy.astype(dtype, copy=False), gx, self.rois,
                         self.roi_indices, self.maps_shape)
        return gx.astype(gy.dtype, copy=False),

    def backward(self, indexes: tuple[int, ...],
                 grad_outputs: tuple[chainer.Variable, ...]) -> tuple[chainer.Variable | None, ...]:
        return RoIAlign(self.grid, self.rois, self.roi_indices).apply(grad_outputs)


def roi_align(x: ArrayOrVariable, rois: ArrayOrVariable, roi_indices: ArrayOrVariable,
              output_size: int | tuple[int, int], spatial_scale: float,
              sampling_ratio: int = 0, aligned: bool = False) -> chainer.Variable:
    """Pools regions of feature maps to a fixed size without rounding to whole pixels.

    Args:
        x: (B, C, H, W) float Variable or array.
        rois: (R, 4) float array of (y_min, x_min, y_max, x_max); they get no gradient.
        roi_indices: (R,) int array: the image of the batch that each RoI lies in.
        output_size: Number of bins, (h, w) or one number for both.
        spatial_scale: Pixels of ``x`` per unit of ``rois``, such as 1 / 16.
        sampling_ratio: Samples per bin along each axis; 0 is one for each pixel that a bin spans.
        aligned: Whether the centre of the first pixel of ``x`` is at half a pixel, as in Detectron2, and RoIs
            may be smaller than a pixel.

    Returns:
        (R, C, h, w) Variable. A sample more than a pixel outside the map counts as 0.
    """
    grid = _Grid(as_pair(output_size), spatial_scale, sampling_ratio, least=0 if aligned else 1)
    boxes = as_array(rois)
    if aligned:
        boxes = boxes - boxes.dtype.type(0.5 / spatial_scale)
    return RoIAlign(grid, boxes, as_array(roi_indices).astype(np.int32)).apply((x,))[0]
