"""A chain that computes on its own GPU, whichever GPU of several is the current one."""

import functools
import inspect

import chainer


class DeviceChain(chainer.Chain):
    """Base of networks and train chains: their public methods run with their device as the current one.

    Arrays that CuPy makes go to the current device, which is the first one unless somebody says
    otherwise. So every function that a subclass defines under a public name is entered by
    ``chainer.using_device(self.device)``; generators are not, for they compute in their caller's time.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, value in list(vars(cls).items()):
            if (inspect.isfunction(value) and not name.startswith('_')
                    and not inspect.isgeneratorfunction(value)):
                setattr(cls, name, _on_own_device(value))


def _on_own_device(method):
    @functools.wraps(method)
    def wrapped(self, *args, **kwargs):
        with chainer.using_device(self.device):
            return method(self, *args, **kwargs)
    return wrapped
