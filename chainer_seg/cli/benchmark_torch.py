"""Speed beside PyTorch: the same networks with the same weights, computed in turn in one run.

PyTorch is no dependency of this package. onnx2torch makes its modules from the graphs that ONNX Runtime
runs, and each is checked against Chainer once. Images are prepared and outputs decoded by this package
in all columns but torchvision's, which is torchvision's own Mask R-CNN of the same sizes.
"""

import functools
import importlib.metadata
import importlib.util
import statistics
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainer_seg.cli.benchmark import Action
from chainer_seg.cli.benchmark_engines import WORK, random_image
from chainer_seg.cli.benchmark_mask_rcnn import LOGIT_DEVIATION
from chainer_seg.engines import compile
from chainer_seg.engines.onnx_runtime import OnnxRuntime, thread_count
from chainer_seg.engines.tracing import Network
from chainer_seg.errors import ModelError, UserError
from chainer_seg.models.inference import arrays_of

if TYPE_CHECKING:
    import onnx

    from chainer_seg.models.base import Model

_PACKAGES = ('torch', 'torchvision', 'onnx2torch', 'onnxruntime')
# Of the largest value. YOLACT's coefficients are the tanh of numbers that random weights make large.
_TOLERANCE = 1e-2
_PAUSE = 0.05  # seconds in which threads that spin after a run fall asleep

# {column: seconds of each run}
Times = dict[str, list[float]]


class PyTorch(OnnxRuntime):
    """Runs the networks of one model eagerly in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self._checked_shapes: set[tuple[Any, ...]] = set()

    def start(self, proto: 'onnx.ModelProto') -> Any:
        return _Session(proto)

    def run(self, model: 'Model', network: Network, inputs: Sequence[Any]) -> Any:
        """As that of :class:`OnnxRuntime`.

        Raises:
            chainer_seg.errors.ModelError: PyTorch's outputs differ from Chainer's.
        """
        outputs = super().run(model, network, inputs)
        shapes = (network, *(array.shape for array in arrays_of(inputs)))
        if shapes not in self._checked_shapes:
            model.engine = None
            try:
                wanted = network(model, *inputs)
            finally:
                model.engine = self
            for one, other in zip(arrays_of([outputs]), arrays_of([wanted]), strict=True):
                if not np.abs(one - other).max(initial=0) <= _TOLERANCE * np.abs(other).max(initial=0):
                    raise ModelError(f'PyTorch gives other values than Chainer for the network '
                                     f'{type(model).__name__}.{network.__name__}.')
            self._checked_shapes.add(shapes)
        return outputs


class _Session:
    """A graph as a PyTorch module, with the method ``run`` of ONNX Runtime's sessions."""

    def __init__(self, proto: 'onnx.ModelProto') -> None:
        import onnx2torch
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of PyTorch's future
            self._module = onnx2torch.convert(proto).eval()

    def run(self, names: None, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        import torch
        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            outputs = self._module(*map(torch.from_numpy, feeds.values()))
        return [output.numpy() for output in (outputs if isinstance(outputs, tuple | list) else [outputs])]


def compare(seed: int, repeat: int) -> dict[str, Times]:
    """Measures all rows of ``chainer-seg benchmark engines`` on the CPU, and prints a table.

    Args:
        seed: Of weights and images.
        repeat: Number of runs.

    Returns:
        ``{row: {column: seconds of each run}}``.

    Raises:
        chainer_seg.errors.UserError: A package is not installed.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'A comparison with PyTorch needs {", ".join(missing)}; install with '
                        f'pip install {" ".join(_PACKAGES)}')
    _limit_threads()
    columns = ('chainer', 'onnxruntime', 'torch', 'torchvision')
    print(f'{"milliseconds (median, least-most)":34}' + ''.join(f'{name:>24}' for name in columns)
          + '   torch / onnxruntime', flush=True)
    found = {}
    for title in WORK:
        found[title] = times = _in_turn(_actions(title, seed), repeat)
        cells = [_cell(times[name]) if name in times else '' for name in columns]
        slower = statistics.median(times['torch']) / statistics.median(times['onnxruntime'])
        print(f'{title:34}' + ''.join(f'{cell:>24}' for cell in cells) + f'{slower:22.2f}', flush=True)
    return found


def versions() -> dict[str, str]:
    """The versions of the packages that are compared."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def _limit_threads() -> None:
    import torch
    torch.set_num_threads(thread_count())


def _actions(title: str, seed: int) -> dict[str, Action]:
    make, call = WORK[title]
    models = {engine: compile(make(seed), engine) for engine in ('chainer', 'onnxruntime')}
    models['torch'] = make(seed)
    models['torch'].engine = PyTorch()
    actions: dict[str, Action] = {name: functools.partial(call, model, random_image(seed))
                                  for name, model in models.items()}
    if title == 'Mask R-CNN, R-50-FPN':
        actions['torchvision'] = _torchvision(seed)
    return actions


def _in_turn(actions: Mapping[str, Action], repeat: int) -> Times:
    times: Times = {name: [] for name in actions}
    for number in range(repeat + 1):
        for name, action in actions.items():
            time.sleep(_PAUSE)
            started = time.perf_counter()
            action()
            if number:  # The first run traces networks.
                times[name].append(time.perf_counter() - started)
    return times


def _cell(times: Sequence[float]) -> str:
    low, middle, high = (1000 * value for value in (min(times), statistics.median(times), max(times)))
    digits = 0 if middle >= 1000 else 1
    return f'{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})'


def _torchvision(seed: int) -> Action:
    """torchvision's Mask R-CNN, with weights made calm as :func:`benchmark_mask_rcnn.calm` makes ours."""
    import torch
    import torchvision
    torch.manual_seed(seed)
    model = torchvision.models.detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=81).eval()
    predictor = model.roi_heads.box_predictor
    image = torch.from_numpy(random_image(seed).transpose(2, 0, 1).astype(np.float32) / 255)
    with torch.inference_mode():
        for weight in (model.rpn.head.bbox_pred.weight, predictor.bbox_pred.weight):
            weight.zero_()
        seen: list[Any] = []
        hook = predictor.cls_score.register_forward_hook(lambda module, given, output: seen.append(output))
        model([image])
        hook.remove()
        predictor.cls_score.weight *= LOGIT_DEVIATION / seen[0].std()

    def run() -> Any:
        with torch.inference_mode():
            return model([image])
    return run
