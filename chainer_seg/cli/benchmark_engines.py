"""Speed of the engines: networks, and what a user calls on a 640x480 image, computed by each on the CPU.

The published networks have random weights, the others are the shipped models.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.cli.benchmark_mask_rcnn import calm
from chainer_seg.engines import compile
from chainer_seg.model_file import load_model
from chainer_seg.models.deeplab import Click, DeepLab
from chainer_seg.models.deepmask import SharpMask
from chainer_seg.models.inference import inference
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.yolact import Yolact

import chainer  # isort: skip

Image = npt.NDArray[np.uint8]


def _click(model: Any, image: Image) -> Any:
    return model.session(image).add(Click(240, 320))


def _detect(model: Any, image: Image) -> Any:
    return model.detect(image)


def _propose(model: Any, image: Image) -> Any:
    return model.propose_rle(image)


def _classify(model: Any, image: Image) -> Any:
    return model.probabilities(image)


def _forward(side: int) -> Callable[[Any, Image], Any]:
    """Runs the network alone on one image of that side."""
    x = np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32)

    def run(model: Any, image: Image) -> Any:
        with inference():
            return model.forward(x)
    return run


def _mask_rcnn(seed: int) -> MaskRCNN:
    model = MaskRCNN(seed=seed)
    calm(model, seed)
    return model


# {title: (a model for a seed, what is called)}
WORK: dict[str, tuple[Callable[[int], Any], Callable[[Any, Image], Any]]] = {
    'YOLACT, ResNet-50, forward': (lambda seed: Yolact(seed=seed), _forward(550)),
    'YOLACT, ResNet-50': (lambda seed: Yolact(seed=seed), _detect),
    'Mask R-CNN, R-50-FPN': (_mask_rcnn, _detect),
    'DeepLab, ResNet-101, forward': (lambda seed: DeepLab(seed=seed), _forward(513)),
    'DeepLab, ResNet-101': (lambda seed: DeepLab(seed=seed), _classify),
    'SharpMask, ResNet-50': (lambda seed: SharpMask(seed=seed), _propose),
    'shipped yolact': (lambda seed: load_model('yolact'), _detect),
    'shipped mask-rcnn': (lambda seed: load_model('mask-rcnn'), _detect),
    'shipped sharpmask': (lambda seed: load_model('sharpmask'), _propose),
    'shipped deeplab': (lambda seed: load_model('deeplab'), _classify),
    'shipped click, first click': (lambda seed: load_model('click'), _click),
}


def random_image(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8)


def computed_by(engine: str, title: str) -> Prepare:
    """One row, computed by that engine."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        make, call = WORK[title]
        model = compile(make(seed), engine)
        model.to_device(device)
        return functools.partial(call, model, random_image(seed))
    return prepare


BENCHMARKS = {f'{title}, by {engine}': computed_by(engine, title)
              for title in WORK for engine in ('chainer', 'onnxruntime')}
