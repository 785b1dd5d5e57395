"""The tables of onnx.mapping, which onnx 1.20 removed, built with the functions of onnx.helper."""

from collections.abc import Iterator

import numpy as np
from onnx import TensorProto, helper


def _numpy_types() -> Iterator[tuple[int, np.dtype]]:
    for number in TensorProto.DataType.values():
        try:
            yield number, helper.tensor_dtype_to_np_dtype(number)
        except (KeyError, TypeError, ValueError):  # UNDEFINED has no NumPy type
            continue


TENSOR_TYPE_TO_NP_TYPE = dict(_numpy_types())

# Several ONNX types share a NumPy type, so this table cannot be the inverse of the first.
NP_TYPE_TO_TENSOR_TYPE = {
    dtype: helper.np_dtype_to_tensor_dtype(dtype) for dtype in TENSOR_TYPE_TO_NP_TYPE.values()}

# The field of a TensorProto that holds the numbers of a type where `raw_data` does not.
STORAGE_TENSOR_TYPE_TO_FIELD = {
    TensorProto.FLOAT: 'float_data',
    TensorProto.INT32: 'int32_data',
    TensorProto.INT64: 'int64_data',
    TensorProto.BOOL: 'int32_data',
}
