"""Every CUDA kernel computes the results of NumPy for every memory layout of its arrays."""

import chainer
import numpy as np
import pytest

from chainer_seg import boxes as geometry
from chainer_seg.functions import deformable_convolution, roi_align, roi_pool, symmetric_pad
from chainer_seg.functions.deformable_convolution import DEFORMABLE_SOURCE, DeformableConvolution
from chainer_seg.functions.kernels import kernel_parameters, launch
from chainer_seg.functions.roi_align import RoIAlign, RoIAlignGradient
from chainer_seg.functions.roi_pool import RoIPool, RoIPoolGradient
from chainer_seg.functions.symmetric_pad import SYMMETRIC_PAD_SOURCE, SymmetricPad
from tests.cuda_host import run_gpu_code

FUNCTIONS = (DeformableConvolution, RoIAlign, RoIAlignGradient, RoIPool, RoIPoolGradient, SymmetricPad)


def channels_last(array):
    """As cuDNN's and CuPy 14's convolutions may return it (NHWC)."""
    last = np.moveaxis(array, 1, -1) if array.ndim > 1 else array
    return np.moveaxis(last.copy(), -1, 1) if array.ndim > 1 else last


def fortran(array):
    return array.T.copy().T


def reversed_axes(array):
    """Strides below zero along every axis."""
    back = (slice(None, None, -1),) * array.ndim
    return array[back].copy()[back]


def sliced(array):
    """Every other element of a larger array, whose others are not numbers."""
    larger = array
    for axis in range(array.ndim):
        larger = larger.repeat(2, axis)
    larger.fill(np.nan if array.dtype.kind == 'f' else -9)
    place = (slice(None, None, 2),) * array.ndim
    larger[place] = array
    return larger[place]


def broadcast(array):
    """The first element along the first axis, seen again and again by a stride of zero."""
    return np.broadcast_to(array[:1], array.shape)


LAYOUTS = [channels_last, fortran, reversed_axes, sliced, broadcast]


def deformable_arrays(rng):
    offset = rng.integers(-2, 3, (2, 18, 5, 6)) + rng.uniform(0.1, 0.9, (2, 18, 5, 6))
    arrays = (rng.standard_normal((2, 3, 5, 6)), offset, rng.uniform(0, 1, (2, 9, 5, 6)),
              rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4))
    return [array.astype(np.float32) for array in arrays], ()


def roi_arrays(rng):
    corners = rng.uniform(-2, 14, (6, 2))
    rois = np.hstack([corners, corners + rng.uniform(1, 12, (6, 2))])
    return ([rng.standard_normal((2, 3, 7, 8)).astype(np.float32)],
            (rois.astype(np.float32), rng.integers(0, 2, 6).astype(np.int32)))


def pad_arrays(rng):
    return [rng.standard_normal((2, 3, 4, 5)).astype(np.float32)], ()


# The function, and what makes its arrays: those that have gradients, and the others.
CASES = {
    'deformable_convolution': (
        lambda *arrays: deformable_convolution(*arrays, pad=1), deformable_arrays),
    'roi_align': (lambda *arrays: roi_align(*arrays, (2, 3), 0.5, 2), roi_arrays),
    'roi_pool': (lambda *arrays: roi_pool(*arrays, (2, 3), 0.5), roi_arrays),
    'symmetric_pad': (lambda x: symmetric_pad(x, 2), pad_arrays)}


def output_and_gradients(function, inputs, others, gradient_of):
    """The output and the gradients of the inputs, on the CPU, for the gradient of the output."""
    variables = [chainer.Variable(array) for array in inputs]
    y = function(*variables, *others)
    y.grad = gradient_of(y.array)
    y.backward()
    return [chainer.cuda.to_cpu(array) for array in (y.array, *(each.grad for each in variables))]


def check(name, layout, rng, send=lambda array: array, begin=lambda: None):
    """Compares a function on arrays of a layout with NumPy on contiguous copies.

    ``send`` brings arrays to the device; ``begin`` is called before the function works on them there.
    """
    function, make = CASES[name]
    inputs, others = make(rng)
    gradients = rng.standard_normal(4096).astype(np.float32)

    def gradient_of(y):
        return layout(send(gradients[:y.size].reshape(y.shape)))
    laid = [[layout(send(array)) for array in part] for part in (inputs, others)]
    plain = [[np.ascontiguousarray(chainer.cuda.to_cpu(array)) for array in part] for part in laid]
    expected = output_and_gradients(
        function, *plain, lambda y: np.ascontiguousarray(chainer.cuda.to_cpu(gradient_of(y))))
    begin()
    found = output_and_gradients(function, *laid, gradient_of)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('name', CASES)
def test_kernels_on_the_host_accept_every_layout(name, layout, rng, monkeypatch):
    check(name, layout, rng, begin=lambda: run_gpu_code(monkeypatch, *FUNCTIONS))


@pytest.mark.gpu
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('name', CASES)
def test_kernels_on_a_gpu_accept_every_layout(name, layout, rng):
    cupy = pytest.importorskip('cupy')
    check(name, layout, rng, send=cupy.asarray)


def suppression_arrays(rng):
    corners = rng.uniform(0, 20, (90, 2))
    boxes = np.hstack([corners, corners + rng.uniform(4, 10, (90, 2))]).astype(np.float32)
    return boxes, rng.integers(0, 3, 90).astype(np.int32)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_suppression_on_the_host_accepts_every_layout(layout, rng, monkeypatch):
    boxes, groups = (layout(array) for array in suppression_arrays(rng))
    expected = geometry.batched_nms(
        boxes.copy(), -np.arange(90, dtype=np.float32), groups.copy(), 0.4)
    run_gpu_code(monkeypatch)
    assert geometry._suppress_on_gpu(boxes, groups, 0.4, 0).tolist() == expected.tolist()


@pytest.mark.gpu
@pytest.mark.parametrize('layout', LAYOUTS)
def test_suppression_on_a_gpu_accepts_every_layout(layout, rng):
    cupy = pytest.importorskip('cupy')
    scores = rng.uniform(0, 1, 90).astype(np.float32)
    boxes, groups = (layout(cupy.asarray(array)) for array in suppression_arrays(rng))
    expected = geometry.batched_nms(boxes.get(), layout(scores).copy(), groups.get(), 0.4)
    found = geometry.batched_nms(boxes, layout(cupy.asarray(scores)), groups, 0.4)
    assert found.get().tolist() == expected.tolist()


def test_a_gradient_that_is_not_contiguous_reaches_every_input_of_a_deformable_convolution(
        rng, monkeypatch):
    """Convolutions of CuPy 14 give outputs and gradients in NHWC order: all of YOLACT++'s."""
    inputs, _ = deformable_arrays(rng)
    gradient = channels_last(rng.standard_normal((2, 4, 5, 6)).astype(np.float32))
    function = CASES['deformable_convolution'][0]
    expected = output_and_gradients(function, inputs, (), lambda _: gradient)
    run_gpu_code(monkeypatch, *FUNCTIONS)
    laid = [channels_last(array) for array in inputs]
    for ours, theirs in zip(output_and_gradients(function, laid, (), lambda _: gradient), expected):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_output_arrays_must_be_contiguous(rng, monkeypatch):
    run_gpu_code(monkeypatch)
    x, y = np.zeros((1, 1, 2, 2), np.float32), fortran(np.zeros((1, 1, 4, 4), np.float32))
    with pytest.raises(ValueError, match='the output array y must be contiguous'):
        launch(SYMMETRIC_PAD_SOURCE, 'symmetric_pad', y.size, np.float32, x, y, 2, 2, 1)


def test_arrays_must_have_the_declared_dtype(monkeypatch):
    run_gpu_code(monkeypatch)
    x, y = np.zeros((1, 1, 2, 2), np.float64), np.zeros((1, 1, 4, 4), np.float32)
    with pytest.raises(TypeError, match='declares x as float32, got float64'):
        launch(SYMMETRIC_PAD_SOURCE, 'symmetric_pad', y.size, np.float32, x, y, 2, 2, 1)


def test_output_parameters_are_those_without_const():
    parameters = kernel_parameters(DEFORMABLE_SOURCE, 'deformable_gradient_of_samples')
    assert [each.name for each in parameters if each.is_written] == ['goffset', 'gmask']
    assert [each.name for each in parameters if each.is_array and not each.is_written] == [
        'columns', 'x', 'offset', 'mask']
    assert {each.kind for each in parameters} == {'real', 'int'}
