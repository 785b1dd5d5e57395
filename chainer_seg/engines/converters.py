"""The functions of this package as ONNX operators, for onnx_chainer.

A converter gets the function, the version of the operators, the names of inputs and outputs, and the
exporter's context, and returns nodes.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

Nodes = Sequence['onnx.NodeProto']
Converter = Callable[[Any, int, list[str], list[str], Any], Nodes]


def register() -> None:
    """Makes onnx_chainer know the functions of this package."""
    from onnx_chainer import mapping
    from onnx_chainer.functions.converter import FunctionConverter
    mapping.converters.update({name: FunctionConverter(convert) for name, convert in CONVERTERS.items()})


def _builder() -> Any:
    from onnx_chainer.onnx_helper import GraphBuilder
    return GraphBuilder()


def _resize(func: Any, opset: int, inputs: list[str], outputs: list[str], context: Any) -> Nodes:
    """Resize, to a given size or to that of the second input."""
    graph = _builder()
    mode = 'align_corners' if func.align_corners else 'half_pixel'
    if len(inputs) > 1:
        sizes = graph.op('Concat', [
            _part_of_shape(graph, context, inputs[0], 0, 2, 'kept'),
            _part_of_shape(graph, context, inputs[1], 2, 4, 'taken')], axis=0)
    else:
        size = context.add_const(np.array(func.size, np.int64), 'size')
        sizes = graph.op('Concat', [_part_of_shape(graph, context, inputs[0], 0, 2, 'kept'), size], axis=0)
    nothing = context.add_const(np.zeros(0, np.float32), 'nothing')
    graph.op_output_named('Resize', [inputs[0], nothing, nothing, sizes], outputs, mode='linear',
                          coordinate_transformation_mode=mode)
    return graph.nodes()


def _part_of_shape(graph: Any, context: Any, name: str, first: int, end: int, label: str) -> str:
    axes = context.add_const(np.arange(first, end), label)
    return graph.op('Gather', [graph.op('Shape', [name]), axes])


def _channel_affine(func: Any, opset: int, inputs: list[str], outputs: list[str], context: Any) -> Nodes:
    graph = _builder()
    scale, shift = (context.add_param(values.reshape(-1, 1, 1), name)
                    for values, name in ((func.scale, 'scale'), (func.shift, 'shift')))
    graph.op_output_named('Add', [graph.op('Mul', [inputs[0], scale]), shift], outputs)
    return graph.nodes()


def _symmetric_pad(func: Any, opset: int, inputs: list[str], outputs: list[str], context: Any) -> Nodes:
    """Rows, then columns, each with its mirrored border: ONNX has no such padding."""
    graph = _builder()
    padded = _mirrored(graph, context, inputs[0], 2, func.pad, 'rows')
    graph.op_output_named('Identity', [_mirrored(graph, context, padded, 3, func.pad, 'columns')], outputs)
    return graph.nodes()


def _mirrored(graph: Any, context: Any, name: str, axis: int, pad: int, label: str) -> str:
    """Concatenates the reversed first and last ``pad`` lines along an axis with those of the image."""
    along = context.add_const(np.array([axis]), label + '_axis')
    backwards = context.add_const(np.array([-1]), label + '_step')
    bounds = {key: context.add_const(np.array([value]), f'{label}_{key}') for key, value in (
        ('top', pad - 1), ('before', np.iinfo(np.int64).min + 1), ('last', -1), ('end', -pad - 1))}
    before, after = (graph.op('Slice', [name, bounds[first], bounds[end], along, backwards])
                     for first, end in (('top', 'before'), ('last', 'end')))
    return graph.op('Concat', [before, name, after], axis=axis)


def _reshape(func: Any, opset: int, inputs: list[str], outputs: list[str], context: Any) -> Nodes:
    """Reshape for any size of the last axis; an axis of the batch, which has length 0 here, is kept."""
    shape = context.add_const(np.array([*func.shape[:-1], -1], np.int64), 'shape')
    graph = _builder()
    graph.op_output_named('Reshape', [inputs[0], shape], outputs)
    return graph.nodes()


CONVERTERS: dict[str, Converter] = {
    'ChannelAffine': _channel_affine, 'Reshape': _reshape, 'ResizeBilinear': _resize,
    'SymmetricPad': _symmetric_pad}
