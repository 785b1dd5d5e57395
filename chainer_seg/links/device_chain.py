"""A chain that computes on its own GPU, whichever GPU is the current one."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import chainer


class DeviceChain(chainer.Chain):
    """Base of networks and train chains: their public methods run with their device as the current one.

    CuPy allocates arrays on the current device, by default the first one. Therefore every public
    method of a subclass runs in ``chainer.using_device(self.device)``, except for generators, whose
    body runs interleaved with the code of the caller.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in list(vars(cls).items()):
            if (inspect.isfunction(value) and not name.startswith('_')
                    and not inspect.isgeneratorfunction(value)):
                setattr(cls, name, _on_own_device(value))


def _on_own_device(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(self: chainer.Link, *args: Any, **kwargs: Any) -> Any:
        with chainer.using_device(self.device):
            return method(self, *args, **kwargs)
    return wrapped
