"""onnx_chainer with current onnx and onnxruntime."""

from typing import Any

from chainer_seg.compat.import_hook import Patches

# Initializers need not be graph inputs since this version of the format (onnx 1.5).
_FIRST_IR_VERSION_WITH_FREE_INITIALIZERS = 4

_MAPPING = ('from onnx.mapping import', 'from chainer_seg.compat.onnx_mapping import')

PATCHES = Patches(replacements={
    'onnx_chainer.export': (
        _MAPPING,
        ('model.ir_version = onnx.IR_VERSION',
         'from chainer_seg.compat.onnx_names import finish_model\n'
         '    finish_model(model)')),
    'onnx_chainer.functions.math': (_MAPPING,),
    'onnx_chainer.functions.array': (_MAPPING,),
    'onnx_chainer.context': (
        ('onnx.mapping.STORAGE_TENSOR_TYPE_TO_FIELD',
         'onnx_mapping.STORAGE_TENSOR_TYPE_TO_FIELD'),
        ('import onnx\n', 'import onnx\nfrom chainer_seg.compat import onnx_mapping\n')),
})


def finish_model(model: Any) -> None:
    """Make every onnxruntime read an exported `onnx.ModelProto` and fold its constants.

    The format version becomes the oldest that the operators allow, because onnxruntime rejects
    versions newer than it knows. Initializers are no longer inputs of the graph: an input may change,
    so that onnxruntime could not fold BatchNormalization into convolutions.
    """
    from onnx import helper

    oldest = helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True)
    model.ir_version = max(oldest, _FIRST_IR_VERSION_WITH_FREE_INITIALIZERS)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
