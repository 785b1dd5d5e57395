"""A network as an ONNX graph, from one run of it on a batch of no images.

Such a run has all shapes, and spends no time on numbers.
"""

import contextlib
import dataclasses
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import chainer
import numpy as np

from chainer_seg.models.inference import arrays_of

if TYPE_CHECKING:
    import onnx

    from chainer_seg.models.base import Model

_STRIDE = 64  # as large as that of any network, a power of two

OPSET = 11  # the newest that onnx_chainer writes

# A method of a model that takes and returns arrays, Variables, and tuples of them.
Network = Callable[..., Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """A traced network.

    Attributes:
        proto: The graph and its weights. The inputs are ``input0``, ``input1``, ..., the outputs ``output0``,
            ...; their first axis, and those of the image, have any length.
        parameters: Names of the initializers that are parameters of the model.
        template: What the network returned, with None in the place of each array.
    """

    proto: 'onnx.ModelProto'
    parameters: frozenset[str]
    template: Any

    def digest(self) -> bytes:
        """Equal for graphs that compute the same.

        The graphs of a network for two sizes of images are equal where nothing in it depends on the size.
        Parameters, which only the model's weights decide, do not count.
        """
        graph = self.proto.graph
        parts = [*graph.node, *(tensor for tensor in graph.initializer if tensor.name not in self.parameters)]
        found = hashlib.sha256()
        for part in parts:
            found.update(part.SerializeToString(deterministic=True))
        return found.digest()


def trace(model: 'Model', network: Network, inputs: Sequence[Any]) -> Graph:
    """Traces a network.

    Args:
        model: The model, on the CPU.
        network: A method of its class.
        inputs: Its arguments after ``self``, of which the shapes count, but for the first axis.

    Raises:
        ValueError: The network calls a function that neither onnx_chainer nor this package can export.
    """
    import onnx_chainer
    from onnx_chainer.onnx_helper import cleanse_param_name

    from chainer_seg.engines.converters import register
    register()
    nothing = [chainer.Variable(array[:0]) for array in arrays_of(inputs)]
    chain = _Chain(model, network, inputs)
    # Chainer's checks refuse to pool no images.
    with chainer.using_config('type_check', False), chainer.using_config('train', False):
        with chainer.force_backprop_mode():  # an engine computes inference only
            template = _template(chain.call(nothing))
        with _unchecked():
            proto = onnx_chainer.export(
                chain, nothing, opset_version=OPSET, input_names=_names('input', nothing),
                output_names=_names('output', list(_leaves(template))))
    _drop_unused(proto.graph)
    _free_sizes(proto.graph)
    parameters = frozenset(cleanse_param_name(name) for name, _ in chain.namedparams())
    return Graph(proto, parameters, template)


def is_free_of_size(model: 'Model', network: Network, inputs: Sequence[Any], digest: bytes) -> bool:
    """Whether the graph of a network is the same for images of another size, even and odd at all strides.

    Args:
        model, network, inputs: As those of :func:`trace`.
        digest: That of the graph for these inputs.
    """
    arrays = list(arrays_of(inputs))
    if len(arrays) > 1 or arrays[0].ndim != 4:
        return False
    # Where a side is even after some halvings, this one is odd, and the other way round.
    sides = [(side ^ (_STRIDE - 1)) + _STRIDE for side in arrays[0].shape[2:]]
    other = np.zeros((0, arrays[0].shape[1], *sides), arrays[0].dtype)
    try:
        return trace(model, network, (other,)).digest() == digest
    except ValueError:  # a network for windows of one size
        return False


def fill(template: Any, values: Iterator[Any]) -> Any:
    """The tuples of a template with values in the places of the arrays."""
    if isinstance(template, tuple):
        return tuple(fill(part, values) for part in template)
    return next(values)


class _Chain(chainer.Chain):
    """The network of a model, with flat inputs and outputs as onnx_chainer needs them."""

    def __init__(self, model: 'Model', network: Network, inputs: Sequence[Any]) -> None:
        super().__init__()
        self._network, self._inputs = network, _template(inputs)
        with self.init_scope():
            self.model = model

    def call(self, variables: Sequence[chainer.Variable]) -> Any:
        return self._network(self.model, *fill(self._inputs, iter(variables)))

    def forward(self, *variables: chainer.Variable) -> list[chainer.Variable]:
        return list(_leaves(self.call(variables)))


@contextlib.contextmanager
def _unchecked() -> Iterator[None]:
    """Omits onnx_chainer's check, which copies all weights and takes as long as all the rest."""
    exporter: Any = sys.modules['onnx_chainer.export']
    check = exporter.check_onnx_model
    exporter.check_onnx_model = lambda *arguments: None
    try:
        yield
    finally:
        exporter.check_onnx_model = check


def _template(nested: Any) -> Any:
    """Tuples and lists as tuples, with None in the place of each array."""
    return tuple(map(_template, nested)) if isinstance(nested, (tuple, list)) else None


def _leaves(nested: Any) -> Iterator[Any]:
    if isinstance(nested, (tuple, list)):
        for part in nested:
            yield from _leaves(part)
    else:
        yield nested


def _names(kind: str, values: Sequence[Any]) -> list[str]:
    return [f'{kind}{number}' for number in range(len(values))]


def _drop_unused(graph: 'onnx.GraphProto') -> None:
    """Drops the weights of the model that this network does not use."""
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _free_sizes(graph: 'onnx.GraphProto') -> None:
    """Lets inputs and outputs have any batch size, and images any size."""
    for value in [*graph.input, *graph.output]:
        for axis, length in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1 or value in graph.output:
                length.dim_param = 'batch' if axis == 0 else f'{value.name}_axis{axis}'
