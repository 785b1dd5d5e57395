"""The base of all models: how one is configured, which classes it knows, and what it refuses to return."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import chainer
import numpy as np

from chainer_seg.errors import ModelError
from chainer_seg.links import DeviceChain
from chainer_seg.models.inference import Output, total_of

_LISTED = 3  # Broken parameters that an error names.


class Model(DeviceChain):
    """Base of the networks that model files hold, the engines run and the recipes train.

    A subclass is constructed from keyword arguments that JSON can hold, all of which have type hints;
    :func:`chainer_seg.model_file.load_model` checks the arguments in a file against them. Public
    methods run with the model's device as the current one.

    Attributes:
        config: All arguments of the constructor by name, in its order, defaults included.
        class_names: Names of the classes, by label; empty where they are not known.
        origin: Where the weights came from, or None.
        engine: What computes the networks in inference on the CPU in Chainer's place, as of
            :func:`chainer_seg.engines.compile`; None for Chainer.
    """

    config: dict[str, Any]
    class_names: tuple[str, ...]
    origin: dict[str, Any] | None
    engine: Any

    def __init__(self) -> None:
        super().__init__()
        self.class_names = ()
        self.origin = None
        self.engine = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if '__init__' in vars(cls):
            cls.__init__ = _keeping_config(vars(cls)['__init__'])  # type: ignore[method-assign]

    def check_finite(self, *outputs: Output) -> None:
        """Refuses outputs of the network that are not finite; waits once for the device.

        Args:
            outputs: As those of :func:`chainer_seg.models.inference.total_of`, or what it returned.

        Raises:
            chainer_seg.errors.ModelError: A value is NaN or infinite.
        """
        if np.isfinite(float(total_of(*outputs))):
            return
        broken = self._broken_parameters()
        if broken:
            more = f' and {len(broken) - _LISTED} more' if len(broken) > _LISTED else ''
            cause = f'its weights contain NaN or infinity in {", ".join(broken[:_LISTED])}{more}'
        else:
            cause = 'numbers overflow because its weights or the image values are too large'
        raise ModelError(f'The {type(self).__name__} returned NaN or infinite values: {cause}. Load '
                         f'another model file, or train the model again.')

    def _broken_parameters(self) -> list[str]:
        """The paths of the parameters and running statistics that are not finite, sorted."""
        serializer = chainer.serializers.DictionarySerializer()
        serializer.save(self)
        return sorted(name for name, value in serializer.target.items()
                      if value is not None and value.dtype.kind == 'f' and not np.isfinite(value).all())


def _keeping_config(constructor: Callable[..., None]) -> Callable[..., None]:
    """A constructor that first stores its arguments, with the defaults, as ``config``."""
    signature = inspect.signature(constructor)

    @functools.wraps(constructor)
    def wrapped(self: Model, *args: Any, **kwargs: Any) -> None:
        # The constructors of base classes, which it calls, must not overwrite it.
        if 'config' not in vars(self):
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            self.config = dict(list(bound.arguments.items())[1:])
        constructor(self, *args, **kwargs)
    return wrapped
