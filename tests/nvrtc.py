"""NVIDIA's own compiler of CUDA sources, which needs no GPU."""

import ctypes
import functools
import importlib.util
import os
import pathlib
import platform
import sys

import pytest

# The oldest GPUs that CUDA 12 knows, and those of 2020 and 2022; CUDA 13 no longer knows the first.
ARCHITECTURES = ('sm_70', 'sm_80', 'sm_90')


@functools.cache
def find_nvrtc():
    """The library, from the package nvidia-cuda-nvrtc-cu12, or None."""
    try:
        spec = importlib.util.find_spec('nvidia.cuda_nvrtc')
    except ModuleNotFoundError:
        return None
    for root in spec.submodule_search_locations if spec else ():
        for library in sorted(pathlib.Path(root, 'lib').glob('libnvrtc.so.*')):
            return ctypes.CDLL(str(library))
    return None


def require_nvrtc():
    """Skips without NVRTC, or fails where continuous integration demands it and the extra has it."""
    if find_nvrtc() is not None:
        return
    has_wheel = sys.platform == 'linux' and platform.machine() == 'x86_64'
    if has_wheel and os.environ.get('CHAINER_SEG_REQUIRE_COMPILER') == '1':
        pytest.fail('no NVRTC was found, but CHAINER_SEG_REQUIRE_COMPILER is 1')
    pytest.skip('no NVRTC, which the "dev" extra has for Linux on x86-64')


def complaints(source, architecture):
    """What NVRTC says of a source that it does not accept; '' for one that it compiles."""
    nvrtc, program = find_nvrtc(), ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b'kernels.cu', 0, None, None) == 0
    options = (ctypes.c_char_p * 2)(b'--std=c++17', f'--gpu-architecture={architecture}'.encode())
    status = nvrtc.nvrtcCompileProgram(program, len(options), options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode() if status else ''
