"""Which engine computes a model's networks."""

import importlib.util
import logging
from typing import TypeVar

from chainer_seg.engines.onnx_runtime import OnnxRuntime
from chainer_seg.errors import UserError
from chainer_seg.models.base import Model

log = logging.getLogger(__name__)

AnyModel = TypeVar('AnyModel', bound=Model)

ENGINES = ('auto', 'chainer', 'onnxruntime')

_INSTALL = 'pip install "chainer-seg[onnx]"'


def compile(model: AnyModel, engine: str = 'auto') -> AnyModel:
    """Lets an engine compute the networks of a model in inference on the CPU.

    Nothing else changes: images are prepared and results decoded as before, training is Chainer's, and so
    is inference on a GPU. When the weights of the model change, the engine takes the new ones.

    Args:
        model: Any model of this package.
        engine: ``'onnxruntime'``; ``'chainer'`` for none; ``'auto'`` for ONNX Runtime where it is installed.

    Returns:
        The model itself.

    Raises:
        chainer_seg.errors.UserError: There is no such engine, or it is not installed.
    """
    if engine not in ENGINES:
        raise UserError(f'There is no engine {engine!r}; choose from {", ".join(ENGINES)}.')
    missing = [name for name in ('onnx', 'onnxruntime') if importlib.util.find_spec(name) is None]
    if engine == 'onnxruntime' and missing:
        raise UserError(f'The engine onnxruntime needs the package {" and ".join(missing)}: {_INSTALL}')
    if engine == 'auto' and missing:
        log.debug('ONNX Runtime is not installed, so Chainer computes the network: %s is faster', _INSTALL)
    model.engine = None if engine == 'chainer' or missing else OnnxRuntime()
    return model
