"""NVIDIA's compiler accepts every CUDA source of this package for every supported architecture."""

import importlib
import pkgutil

import pytest

import chainer_seg
from chainer_seg.functions.kernels import source_for
from tests.nvrtc import ARCHITECTURES, complaints, require_nvrtc

MODULES = ('chainer_seg.boxes', *(
    f'chainer_seg.functions.{each.name}'
    for each in pkgutil.iter_modules([f'{chainer_seg.__path__[0]}/functions'])))
SOURCES = {name: source for module in map(importlib.import_module, MODULES)
           for name, source in vars(module).items()
           if name.endswith('_SOURCE') and '__global__' in source}


def test_all_sources_are_found():
    assert {'NMS_SOURCE', 'DEFORMABLE_SOURCE', 'ROI_ALIGN_SOURCE', 'ROI_POOL_SOURCE',
            'SYMMETRIC_PAD_SOURCE'} <= set(SOURCES)


@pytest.mark.parametrize('architecture', ARCHITECTURES)
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('name', SOURCES)
def test_source_compiles(name, dtype, architecture):
    require_nvrtc()
    assert complaints(source_for(dtype, SOURCES[name]), architecture) == ''


def test_invalid_source_does_not_compile():
    require_nvrtc()
    assert 'identifier "missing" is undefined' in complaints(
        'extern "C" __global__ void fault(int* x) { *x = missing; }', ARCHITECTURES[0])
