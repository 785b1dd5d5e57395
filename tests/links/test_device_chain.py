"""Public methods of a DeviceChain run with its device as the current one."""

import chainer
import pytest

from chainer_seg.links import DeviceChain


@pytest.fixture
def entered(monkeypatch):
    """The devices that were made the current ones."""
    devices, using_device = [], chainer.using_device

    def record(device):
        devices.append(device)
        return using_device(device)
    monkeypatch.setattr(chainer, 'using_device', record)
    return devices


class Doubling(DeviceChain):

    def forward(self, x):
        """Twice x."""
        return 2 * x

    def inner(self):
        return self.forward(1)

    def each(self, count):
        yield from range(count)

    def _private(self):
        return 3

    @property
    def size(self):
        return 4


class Trebling(Doubling):

    def forward(self, x):
        return super().forward(x) * 1.5


def test_public_methods_enter_the_device(entered):
    chain = Doubling()
    assert chain.forward(2) == 4 and chain(3) == 6
    assert entered == [chain.device] * 2


def test_methods_of_an_indirect_subclass_enter_the_device(entered):
    assert Trebling().forward(2) == 6
    assert entered == [chainer.get_device('@numpy')] * 2


def test_generators_private_methods_and_properties_do_not_enter_the_device(entered):
    chain = Doubling()
    assert (list(chain.each(2)), chain._private(), chain.size) == ([0, 1], 3, 4)
    assert entered == []


def test_methods_keep_their_name_and_docstring():
    assert Doubling.forward.__name__ == 'forward' and Doubling.forward.__doc__ == 'Twice x.'


def test_the_device_is_restored_after_an_error(entered):
    with pytest.raises(TypeError):
        Doubling().forward(None)
    assert Doubling().inner() == 2
