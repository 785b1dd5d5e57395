"""Speed of Mask R-CNN of the published sizes with random weights, whole and in parts."""

from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.mask_rcnn.keypoints import find_keypoints
from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks

import chainer  # isort: skip

SIZE = (480, 640)
OBJECTS = 100
KEYPOINTS = 17
LOGIT_DEVIATION = 3


def detection(**arguments: Any) -> Prepare:
    """All objects of one image."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        model = MaskRCNN(seed=seed, **arguments)
        calm(model, seed)
        model.to_device(device)
        image = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
        return lambda: model.detect(image)
    return prepare


def calm(model: MaskRCNN, seed: int) -> None:
    """Gives random weights as many proposals and objects as trained ones have.

    Random deltas are wild, and the same few boxes remain; without them proposals are anchors. Random
    logits are so large that all scores are 1, and of objects that are equally good none is dropped.
    """
    heads: list[Any] = [model.rpn, model.box]
    for head in heads:
        head.deltas.W.array[...] = 0
    image = np.random.default_rng(seed).normal(0, 70, (1, 3, 128, 128)).astype(np.float32)
    region = np.array([[10, 10, 99, 99]], np.float32)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        logits, _ = model.box_head(model.extract(image), region, np.zeros(1, np.int32))
    heads[1].logits.W.array *= LOGIT_DEVIATION / logits.array.std()


def proposals(device: chainer.backend.Device, seed: int) -> Action:
    """The 1000 proposals of one image."""
    rng = np.random.default_rng(seed)
    model = MaskRCNN(width=1, fpn_channels=1, box_features=1, mask_channels=1)
    model.to_device(device)
    sizes = [(-(-800 // stride), -(-1088 // stride)) for stride in model.extractor.strides]
    objectness = [device.send(rng.normal(size=(1, 3, *size)).astype(np.float32)) for size in sizes]
    deltas = [device.send(rng.normal(0, 0.2, (1, 12, *size)).astype(np.float32)) for size in sizes]
    return lambda: model.propose(objectness, deltas, [(800, 1088)])


def boxes_of(rng: np.random.Generator, count: int = OBJECTS) -> npt.NDArray[np.float32]:
    corners = rng.uniform(0, 0.8, (count, 2)) * SIZE
    boxes = np.concatenate([corners, corners + rng.uniform(10, 300, (count, 2))], axis=1)
    return np.minimum(boxes, [479, 639, 479, 639]).astype(np.float32)


def discs(count: int = OBJECTS) -> npt.NDArray[np.float32]:
    """Masks (count, 28, 28) float32 with soft edges."""
    place = np.linspace(-1, 1, 28, dtype=np.float32)
    disc = 1 / (1 + np.exp(20 * (place[:, None] ** 2 + place ** 2 - 0.8)))
    return np.repeat(disc[None], count, axis=0)


def pasting(device: chainer.backend.Device, seed: int) -> Action:
    """Discs in the boxes of 100 objects."""
    boxes, masks = boxes_of(np.random.default_rng(seed)), discs()
    return lambda: paste_masks(masks, boxes, SIZE).to_masks()


def keypoints(device: chainer.backend.Device, seed: int) -> Action:
    """The keypoints in the boxes of 100 objects."""
    rng = np.random.default_rng(seed)
    boxes = device.send(boxes_of(rng))
    heatmaps = device.send(rng.normal(size=(OBJECTS, KEYPOINTS, 56, 56)).astype(np.float32))
    return lambda: find_keypoints(heatmaps, boxes)


BENCHMARKS = {
    'Mask R-CNN: R-50-FPN, objects of a 640x480 photograph': detection(),
    # The last stage on all 1000 proposals takes ten times as long.
    'Mask R-CNN: R-50-C4, the same with 100 proposals': detection(neck='c4', proposals=100),
    'Mask R-CNN: 1000 proposals, FPN, 800x1088': proposals,
    'Mask R-CNN: 100 masks into 640x480': pasting,
    'Mask R-CNN: 17 keypoints of 100 objects': keypoints,
}
