"""Runs CUDA kernels without a GPU: the source is compiled for the host and looped over its grid.

Only what the kernels here use is emulated: the grid and block indices, ``__global__`` functions that
do not share memory or synchronise, and atomic additions (one thread runs after the other).
"""

import ctypes
import functools
import hashlib
import pathlib
import re
import shutil
import subprocess
import tempfile

import numpy as np
import pytest
from chainer.backends import cuda

_PRELUDE = r'''
#include <cmath>
#include <algorithm>
struct Dim3 { unsigned x, y, z; };
static Dim3 blockIdx, threadIdx, blockDim, gridDim;
#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__
using std::min; using std::max;
template <typename T> static T atomicAdd(T* address, T value) {
    T old = *address; *address += value; return old;
}
'''

_TYPES = {'int': ctypes.c_int, 'float': ctypes.c_float, 'double': ctypes.c_double,
          'long long': ctypes.c_longlong}


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
        self._types = _argument_types(source, name)
        self._run = _compile(source, name)

    def __call__(self, grid, block, arguments):
        sizes = list(grid) + [1] * (3 - len(grid)) + list(block) + [1] * (3 - len(block))
        passed = [argument.ctypes.data_as(ctypes.c_void_p) if isinstance(argument, np.ndarray)
                  and argument.ndim else kind(argument)
                  for argument, kind in zip(arguments, self._types)]
        self._run(*map(ctypes.c_uint, sizes), *passed)


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


def _argument_types(source, name):
    parameters = re.search(rf'void\s+{name}\s*\((.*?)\)', source, re.DOTALL).group(1)
    kinds = []
    for parameter in parameters.split(','):
        plain = parameter.replace('const', '').strip()
        kinds.append(ctypes.c_void_p if '*' in plain else _TYPES[plain.rsplit(None, 1)[0]])
    return kinds


@functools.cache
def _compile(source, name):
    kinds = _argument_types(source, name)
    names = {kind: text for text, kind in _TYPES.items()}
    declared = ', '.join(f'{"void*" if kind is ctypes.c_void_p else names[kind]} a{i}'
                         for i, kind in enumerate(kinds))
    signature = re.search(rf'void\s+{name}\s*\((.*?)\)', source, re.DOTALL).group(1)
    casts = ', '.join(
        f'({parameter.rsplit("*", 1)[0]}*)a{i}' if '*' in parameter else f'a{i}'
        for i, parameter in enumerate(signature.split(',')))
    driver = f'''
extern "C" void run_grid(unsigned gx, unsigned gy, unsigned gz,
                         unsigned bx, unsigned by, unsigned bz, {declared}) {{
    gridDim = {{gx, gy, gz}}; blockDim = {{bx, by, bz}};
    for (unsigned k = 0; k < gz; ++k) for (unsigned j = 0; j < gy; ++j)
    for (unsigned i = 0; i < gx; ++i)
    for (unsigned c = 0; c < bz; ++c) for (unsigned b = 0; b < by; ++b)
    for (unsigned a = 0; a < bx; ++a) {{
        blockIdx = {{i, j, k}}; threadIdx = {{a, b, c}};
        {name}({casts});
    }}
}}
'''
    text = _PRELUDE + source + driver
    folder = pathlib.Path(tempfile.mkdtemp(prefix='cuda_host_'))
    try:
        stem = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        stem.with_suffix('.cpp').write_text(text)
        subprocess.run([require_compiler(), '-O1', '-Wall', '-Wno-unknown-pragmas', '-shared',
                        '-fPIC', '-o', f'{stem}.so', f'{stem}.cpp'], check=True)
        return ctypes.CDLL(f'{stem}.so').run_grid
    finally:
        shutil.rmtree(folder, ignore_errors=True)
