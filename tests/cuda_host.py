"""Runs CUDA kernels without a GPU: the source is compiled for the host and looped over its grid.

Only what the kernels here use is emulated: the grid and block indices, ``__global__`` functions that
do not share memory or synchronise, and atomic additions (one thread runs after the other).
"""

import pathlib
import runpy
import shutil

import numpy as np
import pytest
from chainer.backends import cuda

# The stand-in for CuPy is a package of that name; its compiler of kernels needs NumPy alone.
_HOST = pathlib.Path(__file__).parent / 'cupy_standin' / 'cupy' / '_host.py'
_run_raw = runpy.run_path(str(_HOST))['run_raw']


def require_compiler():
    """The host's C++ compiler; skips, or fails where continuous integration demands one."""
    import os
    compiler = shutil.which('g++') or shutil.which('c++')
    if compiler is None:
        if os.environ.get('CHAINER_SEG_REQUIRE_COMPILER') == '1':
            pytest.fail('no C++ compiler was found, but CHAINER_SEG_REQUIRE_COMPILER is 1')
        pytest.skip('no C++ compiler to run CUDA kernels on the host')
    return compiler


class HostKernel:
    """A CUDA kernel compiled for the host.

    Called like a CuPy RawKernel: ``kernel(grid, block, arguments)``; arrays are NumPy's and are
    written in place.
    """

    def __init__(self, source, name):
        self._source, self._name = source, name

    def __call__(self, grid, block, arguments):
        _run_raw(self._source, self._name, grid, block, arguments)


def run_gpu_code(monkeypatch, *functions):
    """Lets Chainer functions take their way for a GPU, on NumPy arrays and with kernels on the host.

    Args:
        monkeypatch: pytest's fixture, which undoes it.
        functions: Classes of Chainer functions whose only NumPy calls exist in CuPy too.
    """
    require_compiler()
    monkeypatch.setattr(cuda, 'cupy', np, raising=False)
    monkeypatch.setattr(cuda, 'raw', HostKernel)
    for function in functions:
        for way in ('forward', 'backward'):
            if hasattr(function, f'{way}_gpu'):
                monkeypatch.setattr(function, f'{way}_cpu', getattr(function, f'{way}_gpu'))
