"""Operators and their gradients, compared with recorded results of torchvision."""

import chainer
import numpy as np
import pytest

from chainer_seg.boxes import batched_nms, nms
from chainer_seg.functions import deformable_convolution, roi_align, roi_pool
from tests.functions.record_torchvision import ALIGN, DEFORMABLE, FILE, POOL, SCALE, SUPPRESSION


@pytest.fixture(scope='module')
def recorded():
    with np.load(FILE) as file:
        return dict(file)


def assert_same(recorded, name, call, *arrays):
    """Output and gradients of ``call`` on the arrays are those recorded under the name."""
    variables = [chainer.Variable(array) for array in arrays]
    y = call(*variables)
    y.grad = recorded[f'{name}/gradient']
    y.backward(retain_grad=True)
    np.testing.assert_allclose(y.array, recorded[name], rtol=1e-4, atol=1e-4)
    for number, variable in enumerate(variables):
        np.testing.assert_allclose(variable.grad, recorded[f'{name}/gradient{number}'],
                                   rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize('number', range(len(ALIGN)))
def test_roi_align_matches_torchvision(recorded, number):
    size, ratio = ALIGN[number]
    assert_same(recorded, f'align{number}', lambda x: roi_align(
        x, recorded['rois'], recorded['indices'], size, SCALE, ratio), recorded['maps'])


@pytest.mark.parametrize('number', range(len(POOL)))
def test_roi_pool_matches_torchvision(recorded, number):
    assert_same(recorded, f'pool{number}', lambda x: roi_pool(
        x, recorded['rois'], recorded['indices'], POOL[number], SCALE), recorded['maps'])


@pytest.mark.parametrize('number', range(len(SUPPRESSION)))
def test_nms_matches_torchvision(recorded, number):
    kept = nms(recorded['boxes'], recorded['scores'], SUPPRESSION[number])
    assert kept.tolist() == recorded[f'nms{number}'].tolist()


@pytest.mark.parametrize('number', range(len(SUPPRESSION)))
def test_batched_nms_matches_torchvision(recorded, number):
    kept = batched_nms(recorded['boxes'], recorded['scores'], recorded['labels'], SUPPRESSION[number])
    assert kept.tolist() == recorded[f'batched{number}'].tolist()


@pytest.mark.parametrize('number', range(len(DEFORMABLE)))
def test_deformable_convolution_matches_torchvision(recorded, number):
    stride, pad, dilation = DEFORMABLE[number]
    name = f'deformable{number}'
    assert_same(recorded, name, lambda x, offset, mask, weights, bias: deformable_convolution(
        x, offset, mask, weights, bias, stride, pad, dilation), recorded['maps'],
        recorded[f'{name}/offset'], recorded[f'{name}/mask'], recorded['weights'], recorded['bias'])
