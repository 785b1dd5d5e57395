import chainer
import pytest

from chainer_seg import devices
from chainer_seg.errors import DeviceError


def test_cpu_by_name():
    assert devices.get_device('cpu') == chainer.get_device('@numpy')


def test_first_gpu_is_the_default_only_where_there_is_one(monkeypatch):
    monkeypatch.setattr(devices, 'gpu_count', lambda: 0)
    assert devices.get_device(None) == chainer.get_device('@numpy')


def test_gpu_asked_for_without_cupy_or_gpu_is_one_sentence(monkeypatch):
    monkeypatch.setattr(devices, 'gpu_count', lambda: 0)
    with pytest.raises(DeviceError, match=r'GPU 0 was asked for, but .*use --device cpu'):
        devices.get_device('0')


@pytest.mark.parametrize('name', ['gpu', '-1', 'cuda:0', ''])
def test_unknown_device_is_named(name):
    with pytest.raises(DeviceError, match='is unknown'):
        devices.get_device(name)
