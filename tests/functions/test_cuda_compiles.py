"""Every CUDA source is accepted by NVIDIA's own compiler, which needs no GPU."""

import ctypes
import importlib.util
import pathlib

import pytest

from chainer_seg.boxes import NMS_SOURCE
from chainer_seg.functions.deformable_convolution import DEFORMABLE_SOURCE
from chainer_seg.functions.kernels import source_for
from chainer_seg.functions.roi_align import ROI_ALIGN_SOURCE
from chainer_seg.functions.roi_pool import ROI_POOL_SOURCE
from chainer_seg.functions.symmetric_pad import SYMMETRIC_PAD_SOURCE

SOURCES = {'nms': NMS_SOURCE, 'deformable_convolution': DEFORMABLE_SOURCE, 'roi_align': ROI_ALIGN_SOURCE,
           'roi_pool': ROI_POOL_SOURCE, 'symmetric_pad': SYMMETRIC_PAD_SOURCE}


@pytest.fixture(scope='module')
def nvrtc():
    """The library of the compiler, from the package nvidia-cuda-nvrtc-cu12 or -cu13."""
    for package, folder in (('nvidia.cuda_nvrtc', 'lib'), ('nvidia.cu13', 'lib')):
        try:
            spec = importlib.util.find_spec(package)
        except ModuleNotFoundError:
            continue
        for root in spec.submodule_search_locations if spec else ():
            for library in sorted(pathlib.Path(root, folder).glob('libnvrtc.so.*')):
                return ctypes.CDLL(str(library))
    pytest.skip('no NVRTC: pip install nvidia-cuda-nvrtc-cu12 (90 MB) runs this test')


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('name', SOURCES)
def test_source_compiles(nvrtc, name, dtype):
    program = ctypes.c_void_p()
    source = source_for(dtype, SOURCES[name]).encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b'kernels.cu', 0, None, None) == 0
    # The oldest GPUs of CUDA 13; atomic sums of double need compute_60.
    options = (ctypes.c_char_p * 2)(b'--std=c++14', b'--gpu-architecture=compute_75')
    status = nvrtc.nvrtcCompileProgram(program, len(options), options)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert status == 0, log.value.decode()
