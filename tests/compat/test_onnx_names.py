"""onnx_chainer with current onnx and onnxruntime."""

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest

onnx = pytest.importorskip('onnx')


class Network(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.convolution = L.Convolution2D(3, 4, 3)
            self.normalization = L.BatchNormalization(4)

    def forward(self, x):
        return F.relu(self.normalization(self.convolution(x)))


@pytest.fixture
def image(rng):
    return rng.standard_normal((1, 3, 8, 8)).astype(np.float32)


@pytest.fixture
def exported(image):
    import onnx_chainer
    network = Network()
    return network, onnx_chainer.export(network, image, opset_version=11)


def test_the_image_is_the_only_input(exported):
    _, model = exported
    assert [value.name for value in model.graph.input] == ['Input_0']
    assert len(model.graph.initializer) >= 4


def test_format_version_is_the_oldest_that_the_operators_allow(exported):
    _, model = exported
    assert model.ir_version == 6


def test_parameters_that_are_not_exported_stay_inputs(image):
    import onnx_chainer
    model = onnx_chainer.export(Network(), image, export_params=False, opset_version=11)
    assert len(model.graph.initializer) == 0
    assert len(model.graph.input) >= 5


def test_onnxruntime_computes_the_output_of_chainer(exported, image):
    onnxruntime = pytest.importorskip('onnxruntime')
    network, model = exported
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider'])
    y, = session.run(None, {'Input_0': image})
    with chainer.using_config('train', False):
        np.testing.assert_allclose(y, network(image).array, atol=1e-5)


def test_type_tables_are_consistent():
    from chainer_seg.compat import onnx_mapping
    for dtype in (np.float32, np.int64, np.bool_, np.uint8):
        number = onnx_mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype(dtype)]
        assert onnx_mapping.TENSOR_TYPE_TO_NP_TYPE[number] == dtype
    assert onnx_mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype(np.float32)] == onnx.TensorProto.FLOAT
