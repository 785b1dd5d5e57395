import importlib.util
import logging
import types

import chainer
import pytest
from chainer.backends import cuda

from chainer_seg import devices
from chainer_seg.errors import DeviceError

CPU = chainer.get_device('@numpy')

# What CuPy 14 says on a machine with a driver but without CUDA's libraries, and without a driver.
NO_LIBRARIES = ('Failure finding "libcublasLt.so.13 or libcublasLt.so.12": No such file: '
                'libcublasLt.so.13 or libcublasLt.so.12\n')
NO_DRIVER = 'cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version'


@pytest.fixture(autouse=True)
def no_warning_yet():
    devices._warn_of_the_cpu.cache_clear()
    yield
    devices._warn_of_the_cpu.cache_clear()


@pytest.fixture
def cupy_with(monkeypatch):
    """Puts a CuPy in place that has so many GPUs, or raises an error when it is asked, or on import."""
    def put(count=0, asked=None, imported=None):
        def get_device_count():
            if asked is not None:
                raise asked
            return count
        runtime = types.SimpleNamespace(getDeviceCount=get_device_count)
        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *arguments: (
            object() if name == 'cupy' else found(name, *arguments)))
        monkeypatch.setattr(cuda, 'available', imported is None)
        monkeypatch.setattr(cuda, '_resolution_error', imported, raising=False)
        monkeypatch.setattr(cuda, 'cupy', types.SimpleNamespace(
            cuda=types.SimpleNamespace(runtime=runtime)), raising=False)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    return put


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *arguments: None)


def test_cpu_by_name():
    assert devices.get_device('cpu') == CPU


def test_without_cupy_the_cpu_is_the_default_without_a_warning(no_cupy, caplog):
    assert devices.get_device(None) == CPU
    assert not caplog.records


@pytest.mark.parametrize('why, reason', [
    ({'imported': ImportError(NO_LIBRARIES)}, 'Failure finding "libcublasLt.so.13'),
    ({'asked': RuntimeError(NO_DRIVER)}, NO_DRIVER),
    ({'asked': OSError('libcuda.so.1: cannot open shared object file')}, 'libcuda.so.1'),
    ({'count': 0}, 'CUDA finds no GPU')])
class TestCuPyThatCannotBeUsed:

    def test_cpu_is_the_default_and_the_reason_is_said_once(self, cupy_with, caplog, why, reason):
        cupy_with(**why)
        with caplog.at_level(logging.WARNING):
            assert [devices.get_device(None) for _ in range(3)] == [CPU] * 3
        (record,) = caplog.records
        assert 'Running on the CPU' in record.getMessage() and reason in record.getMessage()

    def test_gpu_asked_for_is_refused_with_the_reason_of_cupy(self, cupy_with, why, reason):
        cupy_with(**why)
        with pytest.raises(DeviceError) as error:
            devices.get_device('0')
        assert 'GPU 0 was asked for' in str(error.value) and reason in str(error.value)
        assert '--device cpu' in str(error.value) and '\n' not in str(error.value)

    def test_there_are_no_gpus(self, cupy_with, why, reason):
        cupy_with(**why)
        assert devices.gpu_count() == 0

    def test_cpu_asked_for_is_given_without_a_word(self, cupy_with, caplog, why, reason):
        cupy_with(**why)
        assert devices.get_device('cpu') == CPU
        assert not caplog.records


def test_libraries_that_are_missing_are_not_the_fault_of_the_driver(cupy_with):
    cupy_with(imported=ImportError(NO_LIBRARIES))
    with pytest.raises(DeviceError) as error:
        devices.get_device(0)
    assert '"cuda12" or "cuda13" extra' in str(error.value) and 'driver' not in str(error.value)


def test_gpus_that_are_hidden_are_found_in_the_environment(cupy_with, monkeypatch):
    cupy_with(asked=RuntimeError('cudaErrorNoDevice: no CUDA-capable device is detected'))
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    with pytest.raises(DeviceError, match="no CUDA-capable.*CUDA_VISIBLE_DEVICES is '', change it"):
        devices.get_device(0)


def test_gpu_without_cupy_is_rejected_with_the_extra_that_brings_it(no_cupy):
    with pytest.raises(DeviceError, match='GPU 0 was asked for, but CuPy is not installed.*cuda12'):
        devices.get_device('0')


def test_gpu_beyond_the_last_is_rejected_with_those_that_there_are(cupy_with):
    cupy_with(count=2)
    with pytest.raises(DeviceError, match='GPU 2 was asked for, but the GPUs here are 0 to 1'):
        devices.get_device(2)


@pytest.mark.parametrize('name', ['gpu', '-1', 'cuda:0', '', '\N{SUPERSCRIPT TWO}'])
def test_unknown_device_is_named(name):
    with pytest.raises(DeviceError, match='is unknown'):
        devices.get_device(name)
