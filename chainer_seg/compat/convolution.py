"""Chainer's convolutions on the CPU, computed by :mod:`chainer_seg.functions.convolution`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainer_seg import lazy
from chainer_seg.compat.import_hook import Patches

if TYPE_CHECKING:  # `import chainer_seg` leaves NumPy to those who need it.
    import numpy.typing as npt

    from chainer_seg.arrays import Array

_PRODUCTS = 'chainer_seg.functions.convolution'
_DEPTHWISE = 'chainer_seg.functions.depthwise'

make_geometry = lazy.function(_PRODUCTS, 'Geometry')
convolve = lazy.function(_PRODUCTS, 'convolve')
convolve_transposed = lazy.function(_PRODUCTS, 'convolve_transposed')
weight_gradient = lazy.function(_PRODUCTS, 'weight_gradient')
convolve_depthwise = lazy.function(_DEPTHWISE, 'convolve')
convolve_depthwise_transposed = lazy.function(_DEPTHWISE, 'convolve_transposed')
depthwise_weight_gradient = lazy.function(_DEPTHWISE, 'weight_gradient')


def patch_convolution(module: Any) -> None:
    """Make ``chainer.functions.connection.convolution_2d`` use the functions of this package."""

    def forward(self: Any, x: npt.NDArray, W: npt.NDArray, b: npt.NDArray | None) -> tuple[npt.NDArray]:
        if self._use_ideep:
            return self._forward_ideep(x, W, b)
        y = convolve(x, W, _geometry(self, W.shape[2:], self._get_out_size(x.shape, W.shape)))
        return _with_bias(y, b),

    def gradient_of_weights(self: Any, x: npt.NDArray, gy: npt.NDArray) -> tuple[npt.NDArray]:
        if self._use_ideep:
            return self._forward_ideep(x, gy)
        geometry = _geometry(self, (self.kh, self.kw), gy.shape[2:])
        gradient = weight_gradient(x, gy, self.W_shape, geometry)
        return gradient.astype(self.W_dtype, copy=False),

    grouped = module.Convolution2DFunction._forward_grouped_convolution
    grouped_gradient = module.Convolution2DGradW._forward_grouped_convolution

    def forward_grouped(self: Any, x: Array, W: Array, b: Array | None) -> tuple[Array]:
        if not _is_on_cpu(x):
            return grouped(self, x, W, b)
        geometry = _geometry(self, W.shape[2:], self._get_out_size(x.shape, W.shape))
        if _is_depthwise(x, W.shape, self.groups):
            return _with_bias(convolve_depthwise(x, W, geometry), b),
        return _with_bias(convolve(x, W, geometry, self.groups), b),

    def gradient_of_grouped_weights(self: Any, x: Array, gy: Array) -> tuple[Array]:
        if not _is_on_cpu(x):
            return grouped_gradient(self, x, gy)
        geometry = _geometry(self, (self.kh, self.kw), gy.shape[2:])
        if _is_depthwise(x, self.W_shape, self.groups):
            gradient = depthwise_weight_gradient(x, gy, geometry)
        else:
            gradient = weight_gradient(x, gy, self.W_shape, geometry, self.groups)
        return gradient.astype(self.W_dtype, copy=False),

    module.Convolution2DFunction._forward_cpu_core = forward
    module.Convolution2DFunction._forward_grouped_convolution = forward_grouped
    module.Convolution2DGradW._forward_cpu_core = gradient_of_weights
    module.Convolution2DGradW._forward_grouped_convolution = gradient_of_grouped_weights


def patch_deconvolution(module: Any) -> None:
    """Make ``chainer.functions.connection.deconvolution_2d`` use the functions of this package."""

    def forward(self: Any, x: npt.NDArray, W: npt.NDArray, b: npt.NDArray | None) -> tuple[npt.NDArray]:
        if self._use_ideep:
            return self._forward_ideep(x, W, b)
        geometry = _geometry(self, W.shape[2:], x.shape[2:])
        return _with_bias(convolve_transposed(x, W, geometry, (self.outh, self.outw)), b),

    grouped = module.Deconvolution2DFunction._forward_grouped_convolution

    def forward_grouped(self: Any, x: Array, W: Array, b: Array | None) -> tuple[Array]:
        if not _is_on_cpu(x):
            return grouped(self, x, W, b)
        size = self.outh, self.outw
        geometry = _geometry(self, W.shape[2:], x.shape[2:])
        if _is_depthwise(x, W.shape, self.groups):
            return _with_bias(convolve_depthwise_transposed(x, W, geometry, size), b),
        return _with_bias(convolve_transposed(x, W, geometry, size, self.groups), b),

    module.Deconvolution2DFunction._forward_cpu_core = forward
    module.Deconvolution2DFunction._forward_grouped_convolution = forward_grouped


def _is_on_cpu(x: Array) -> bool:
    import numpy as np
    return isinstance(x, np.ndarray)


def _is_depthwise(x: Array, weight_shape: tuple[int, ...], groups: int) -> bool:
    """Whether each group has one input and one output channel."""
    return x.shape[1] == groups and weight_shape[:2] == (groups, 1)


def _geometry(function: Any, kernel: tuple[int, int], output: tuple[int, int]) -> Any:
    return make_geometry(kernel, (function.sy, function.sx), (function.ph, function.pw),
                         (function.dy, function.dx), output)


def _with_bias(y: npt.NDArray, b: npt.NDArray | None) -> npt.NDArray:
    if b is not None:
        y += b[:, None, None]
    return y


PATCHES = Patches(hooks={
    'chainer.functions.connection.convolution_2d': patch_convolution,
    'chainer.functions.connection.deconvolution_2d': patch_deconvolution,
})
