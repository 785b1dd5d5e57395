"""Chainer's functions that add at indices give the same on GPU and CPU, without deprecated calls."""

import chainer
import numpy as np
import pytest
from chainer import functions as F
from chainer.utils import sparse

ROWS = np.array([0, 2, 2, 3, 0])


def _dense(x, send):
    matrix = sparse.to_coo(send(np.array([[0, 1, 0], [2, 0, 3]], np.float32)), requires_grad=True)
    return F.sum(x) * chainer.Variable(matrix.to_dense())[0, 1]


CASES = {
    'indexing by an array': lambda x, send: F.get_item(x, (send(ROWS), slice(1, 3))),
    'indexing by slices': lambda x, send: F.get_item(x, (slice(None, None, 2), -1)),
    'scatter_add': lambda x, send: F.scatter_add(x, send(ROWS), x[send(ROWS)] * 2),
    'spatial_transformer_sampler': lambda x, send: F.spatial_transformer_sampler(
        x[None, None], send(np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 2, 2, 2))),
    'sparse matrices': _dense}


def output_and_gradient(function, send):
    x = chainer.Variable(send(np.arange(24, dtype=np.float32).reshape(4, 6)))
    y = function(x, send)
    F.sum(y * y).backward()
    return chainer.cuda.to_cpu(y.array), chainer.cuda.to_cpu(x.grad)


@pytest.mark.gpu
@pytest.mark.parametrize('name', CASES)
def test_adding_at_indices_matches_the_cpu_without_deprecated_calls(name):
    cupy = pytest.importorskip('cupy')
    expected = output_and_gradient(CASES[name], np.asarray)
    log = getattr(cupy, 'standin_log', None)
    if log is not None:
        log.reset()
    found = output_and_gradient(CASES[name], cupy.asarray)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert log is None or not log.counts['deprecated'], dict(log.places['deprecated'])
