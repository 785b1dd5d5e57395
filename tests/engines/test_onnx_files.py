"""ONNX files of models, as other programs read them."""

import json

import numpy as np
import pytest

from chainer_seg.engines import onnx_files
from chainer_seg.engines.onnx_files import export_onnx
from chainer_seg.errors import ModelError, UserError
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.models.inference import arrays_of, inference
from chainer_seg.models.mask_rcnn import MaskRCNN
from tests.engines.test_engines import FPN, MODELS

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')


@pytest.mark.parametrize('name', MODELS)
def test_each_model_is_a_valid_file_that_gives_chainers_numbers_for_a_batch(name, tmp_path):
    model = MODELS[name]()
    first, *_ = export_onnx(tmp_path / 'out.onnx', model)
    onnx.checker.check_model(str(first), full_check=True)
    session = onnxruntime.InferenceSession(str(first), providers=['CPUExecutionProvider'])
    shape = [length if isinstance(length, int) else 96 for length in session.get_inputs()[0].shape]
    x = np.random.default_rng(1).normal(size=(2, *shape[1:])).astype(np.float32)
    with inference():
        expected = list(arrays_of([model.forward(x)]))
    found = session.run(None, {'input0': x})
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max(), rtol=1e-3)
    about = onnx.load(str(first)).metadata_props
    assert json.loads({entry.key: entry.value for entry in about}['config']) == json.loads(
        json.dumps(model.config))


def test_the_heads_of_mask_rcnn_are_files_beside_it(tmp_path):
    written = export_onnx(tmp_path / 'out.onnx', MaskRCNN(**FPN, keypoints=2, keypoint_channels=4))
    assert [path.name for path in written] == ['out.onnx', 'out.box.onnx', 'out.mask.onnx',
                                               'out.keypoint.onnx']
    box = onnxruntime.InferenceSession(str(written[1]), providers=['CPUExecutionProvider'])
    logits, deltas = box.run(None, {'input0': np.zeros((3, 8, 7, 7), np.float32)})
    assert logits.shape == (3, 4) and deltas.shape == (3, 16)


def test_a_size_that_the_graph_depends_on_is_declared(tmp_path):
    model = DeepLab(4, blocks=(1, 1, 1, 1), width=4, padding='same')
    path, = export_onnx(tmp_path / 'out.onnx', model, (64, 81))
    assert onnxruntime.InferenceSession(str(path)).get_inputs()[0].shape == ['batch', 3, 64, 81]
    path, = export_onnx(tmp_path / 'free.onnx', MODELS['DeepLab'](), (64, 81))
    declared = onnxruntime.InferenceSession(str(path)).get_inputs()[0].shape
    assert declared[2:] == ['input0_axis2', 'input0_axis3']


def test_a_model_that_cannot_be_exported_is_refused(tmp_path):
    with pytest.raises(UserError, match='A ResNetClassifier cannot be exported to ONNX'):
        export_onnx(tmp_path / 'out.onnx', ResNetClassifier(blocks=(1, 1, 1, 1), width=2, n_class=3))
    assert not list(tmp_path.iterdir())


def test_other_numbers_than_chainers_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, 'TOLERANCE', 0.0)
    with pytest.raises(ModelError, match='ONNX Runtime differs from Chainer by .* so nothing is written'):
        export_onnx(tmp_path / 'out.onnx', MODELS['DeepLab']())
    assert not list(tmp_path.iterdir())
