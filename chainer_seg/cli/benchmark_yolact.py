"""Speed of YOLACT: the network, and what follows it for 100 objects in an image of 640x480."""

import numpy as np
import numpy.typing as npt

from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.models.yolact import Yolact

import chainer  # isort: skip

SIZE = (480, 640)
OBJECTS = 100


def forward(backbone: str) -> Prepare:
    """The network on one image."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        model = Yolact(backbone, seed=seed)
        model.to_device(device)
        side = model.image_size
        x = np.random.default_rng(seed).normal(size=(1, 3, side, side)).astype(np.float32)
        x = device.send(x)

        def run() -> None:
            with chainer.using_config('train', False), chainer.no_backprop_mode():
                model.forward(x)
        return run
    return prepare


def postprocessing(suppression: str) -> Prepare:
    """From the network's outputs to masks of the image's size."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        model = Yolact(width=1, fpn_channels=1)  # Only its anchors, classes and prototypes matter.
        model.to_device(device)
        outputs = [device.send(array) for array in outputs_of_objects(model, seed)]
        options = {name: getattr(model, name) for name in model.option_names}
        options.update(suppression=suppression, max_detections=OBJECTS)
        return lambda: model.decode(outputs, [SIZE], **options)
    return prepare


def outputs_of_objects(model: Yolact, seed: int) -> tuple[npt.NDArray[np.float32], ...]:
    """Outputs as of a trained network: ten anchors near each other for each of 150 places."""
    rng = np.random.default_rng(seed)
    count, classes = len(model.anchors()), model.classes + 1
    logits = rng.normal(size=(1, count, classes)).astype(np.float32)
    logits[:, :, 0] += 12
    places = rng.choice(count - 10, 150, replace=False)
    labels = rng.integers(1, classes, len(places))
    for step in range(10):
        logits[0, places + step, labels] += rng.uniform(11, 18, len(places))
    codes = rng.normal(size=(1, count, 4)).astype(np.float32)
    codes[:, :, 2:] += 5  # Most anchors are of the finest level; so the boxes have all sizes.
    coefficients = rng.uniform(-1, 1, (1, count, 32)).astype(np.float32)
    side = 2 * -(-model.image_size // 8)
    prototypes = np.maximum(rng.normal(size=(1, side, side, 32)), 0).astype(np.float32)
    return codes, logits, coefficients, prototypes


BENCHMARKS = {
    'YOLACT: ResNet-50, forward, 1 x 550x550': forward('resnet50'),
    'YOLACT: 100 objects in 640x480, Fast NMS to masks': postprocessing('fast'),
    'YOLACT: the same, cross-class Fast NMS': postprocessing('cross_class'),
    'YOLACT: the same, traditional NMS': postprocessing('traditional'),
}
