"""What all models share when they are used: no gradients, and finite outputs or an error."""

import contextlib
import functools
from collections.abc import Iterator

import chainer
import numpy as np

from chainer_seg.errors import ModelError

_silence = functools.partial(np.errstate, over='ignore', invalid='ignore')
_LISTED = 3  # names of broken parameters in an error


@contextlib.contextmanager
def inference() -> Iterator[None]:
    """A network inside is used, not trained.

    NumPy does not warn of numbers that overflow: :func:`check_finite` says it of the outputs.
    """
    with chainer.using_config('train', False), chainer.no_backprop_mode(), _silence():
        yield


def total_of(*outputs: object) -> object:
    """A number, still on the device of the outputs, that is finite where all of their values are.

    Args:
        outputs: Arrays or Variables of floats, and tuples or lists of them.
    """
    total = 0
    with _silence():
        for output in outputs:
            if isinstance(output, (tuple, list)):
                total = total + total_of(*output)
            else:
                # The sum of finite values overflows only where they are far beyond any use.
                total = total + getattr(output, 'array', output).sum(dtype=np.float32)
    return total


def check_finite(model: chainer.Link, *outputs: object) -> None:
    """Refuses outputs of a network that are not finite; waits once for the device.

    Args:
        model: The network, for the error.
        outputs: As those of :func:`total_of`, or what it gave.

    Raises:
        chainer_seg.errors.ModelError: A value is NaN or infinite.
    """
    if np.isfinite(float(total_of(*outputs))):
        return
    broken = _broken_parameters(model)
    if broken:
        more = f' and {len(broken) - _LISTED} more' if len(broken) > _LISTED else ''
        cause = f'its weights hold NaN or infinity in {", ".join(broken[:_LISTED])}{more}'
    else:
        cause = 'numbers overflow in it, for its weights or the image are too large'
    raise ModelError(f'The {type(model).__name__} gives NaN or infinite values: {cause}; load another '
                     f'model file, or train it again.')


def _broken_parameters(model):
    """The paths of the parameters and running statistics that are not finite, sorted."""
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(model)
    return sorted(name for name, value in serializer.target.items()
                  if value is not None and value.dtype.kind == 'f' and not np.isfinite(value).all())
