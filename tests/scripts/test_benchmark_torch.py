"""The comparison with PyTorch, without PyTorch: its columns, and what is refused."""

import importlib.util
import json

import numpy as np
import pytest

pytest.importorskip('onnxruntime')

from chainer_seg.cli import benchmark_torch  # noqa: E402
from chainer_seg.engines.onnx_runtime import start_session  # noqa: E402
from chainer_seg.errors import ModelError  # noqa: E402
from chainer_seg.models.deeplab import DeepLab  # noqa: E402
from chainer_seg.models.inference import inference  # noqa: E402


class Session:
    """ONNX Runtime's results with something added, in the place of PyTorch's."""

    def __init__(self, proto, added):
        self._session, self._added = start_session(proto), added

    def run(self, names, feeds):
        return [output + self._added for output in self._session.run(names, feeds)]


def small(seed):
    return DeepLab(4, blocks=(1, 1, 1, 1), width=4, seed=seed)


def classify(model, image):
    return model.probabilities(image[:64, :80])


@pytest.fixture
def added(monkeypatch):
    """The list of what the stand-in for PyTorch adds to each output."""
    values = [0.0]
    monkeypatch.setattr(benchmark_torch._Session, '__init__',
                        lambda self, proto: setattr(self, 'session', Session(proto, values[0])))
    monkeypatch.setattr(benchmark_torch._Session, 'run',
                        lambda self, names, feeds: self.session.run(names, feeds))
    return values


@pytest.mark.parametrize('wrong', [0.5, np.nan])
def test_networks_that_pytorch_computes_differently_are_not_measured(added, wrong):
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    model = small(0)
    model.engine = benchmark_torch.PyTorch()
    with inference():
        model.forward(x)
    added[0] = wrong * np.abs(model.forward(x).array).max()
    model.engine = benchmark_torch.PyTorch()
    with inference(), pytest.raises(ModelError, match='PyTorch gives other values.* DeepLab.forward'):
        model.forward(x)


def test_all_columns_are_measured_and_written(added, call_here, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark_torch, '_PACKAGES', ())
    monkeypatch.setattr(benchmark_torch, '_torchvision', lambda seed: lambda: None)
    monkeypatch.setattr(benchmark_torch, 'WORK', {'small': (small, classify),
                                                  'Mask R-CNN, R-50-FPN': (small, classify)})
    monkeypatch.setattr(benchmark_torch, '_limit_threads', lambda: None)
    status, printed, _ = call_here('benchmark.py', 'engines', '--against', 'torch', '--repeat', '3',
                                   '--device', 'cpu', '--out', str(tmp_path / 'o.json'))
    assert status == 0
    assert printed.splitlines()[0].endswith('torch / onnxruntime') and len(printed.splitlines()) >= 3
    seconds = json.loads((tmp_path / 'o.json').read_text())['seconds']
    assert set(seconds['small']) == {'chainer', 'onnxruntime', 'torch'}
    assert set(seconds['Mask R-CNN, R-50-FPN']) == {'chainer', 'onnxruntime', 'torch', 'torchvision'}
    assert all(len(times) == 3 and min(times) > 0 for times in seconds['small'].values())


def test_a_missing_package_is_one_sentence_with_the_command(call_here, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec',
                        lambda name, *rest: None if name == 'onnx2torch' else find(name, *rest))
    monkeypatch.setattr(benchmark_torch, '_PACKAGES', ('numpy', 'onnx2torch'))
    status, _, errors = call_here('benchmark.py', 'engines', '--against', 'torch', '--device', 'cpu')
    assert (status, errors) == (2, 'error: A comparison with PyTorch needs onnx2torch; install with '
                                   'pip install numpy onnx2torch\n')


def test_only_the_engines_are_compared(call_here):
    status, _, errors = call_here('benchmark.py', 'yolact', '--against', 'torch')
    assert status == 2
    assert errors.startswith('error: --against torch compares the engines on the CPU; call ')
