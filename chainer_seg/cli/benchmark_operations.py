"""Speed of the operations and backbones of the detectors, at the sizes of Mask R-CNN and YOLACT.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainer_seg.boxes import batched_nms, nms
from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.functions import deformable_convolution, roi_align, roi_pool
from chainer_seg.links import DarkNet, EfficientNet, MobileNetV2

import chainer  # isort: skip
import chainer.functions as F  # isort: skip

ROIS, BOXES = 1000, 6000

Work = tuple[Callable, Sequence[np.ndarray]]  # a function of arrays, and the arrays
Case = Callable[[np.random.Generator], Work]


def forward(case: Case) -> Prepare:
    """The function alone."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        function, arrays = case(np.random.default_rng(seed))
        arrays = [device.send(array) for array in arrays]

        def run() -> None:
            with chainer.using_config('train', False), chainer.no_backprop_mode():
                function(*arrays)
        return run
    return prepare


def both_ways(case: Case) -> Prepare:
    """The function and the gradient of its first array."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        function, arrays = case(np.random.default_rng(seed))
        first, *others = [device.send(array) for array in arrays]

        def run() -> None:
            x = chainer.Variable(first)
            F.sum(function(x, *others)).backward()
        return run
    return prepare


def regions(pooling: Callable, channels: int, side: int, sizes: tuple[float, float],
            rng: np.random.Generator) -> Work:
    """1,000 RoIs whose sides are of the range ``sizes``, in pixels of a square map."""
    maps = rng.standard_normal((1, channels, side, side), np.float32)
    corners = rng.uniform(0, 0.7 * side, (ROIS, 2))
    rois = np.hstack([corners, corners + rng.uniform(*sizes, (ROIS, 2))]).clip(0, side)
    return pooling, (maps, rois.astype(np.float32), np.zeros(ROIS, np.int32))


def fpn_regions(pooling: Callable, rng: np.random.Generator, **arguments: Any) -> Work:
    """As for the box head behind a feature pyramid: 7x7 bins of 256 channels."""
    pooling = functools.partial(pooling, output_size=7, spatial_scale=1, **arguments)
    return regions(pooling, 256, 100, (7, 28), rng)


def c4_regions(pooling: Callable, rng: np.random.Generator, **arguments: Any) -> Work:
    """As for the box head without one: 14x14 bins of 1,024 channels, in an image of 800x800."""
    pooling = functools.partial(pooling, output_size=14, spatial_scale=1, **arguments)
    return regions(pooling, 1024, 50, (6, 31), rng)


def boxes_around_objects(rng: np.random.Generator, count: int = BOXES) -> tuple[np.ndarray, np.ndarray]:
    """Boxes in heaps of 20 around objects, as a proposal network gives them, and scores."""
    objects = max(1, count // 20)
    owners = rng.integers(0, objects, count)
    sizes = np.exp(rng.normal(4, 0.7, (objects, 2)))[owners] * np.exp(rng.normal(0, 0.25, (count, 2)))
    centres = rng.uniform(0, 800, (objects, 2))[owners] + rng.normal(0, 0.2, (count, 2)) * sizes
    boxes = np.hstack([centres - sizes / 2, centres + sizes / 2])
    return boxes.astype(np.float32), rng.random(count, np.float32)


def best_proposals(rng: np.random.Generator) -> Work:
    return functools.partial(nms, threshold=0.7, offset=1, limit=1000), boxes_around_objects(rng)


def objects_of_80_classes(rng: np.random.Generator) -> Work:
    labels = rng.integers(0, 80, BOXES)
    return (functools.partial(batched_nms, threshold=0.5, offset=1),
            (*boxes_around_objects(rng), labels))


def deformable(rng: np.random.Generator) -> Work:
    """The convolution of a block of the second deformable stage of YOLACT++."""
    return functools.partial(deformable_convolution, pad=1), (
        rng.standard_normal((1, 256, 35, 35), np.float32),
        rng.normal(0, 2, (1, 18, 35, 35)).astype(np.float32),
        rng.random((1, 9, 35, 35), np.float32),
        rng.standard_normal((256, 256, 3, 3), np.float32))


def depthwise(rng: np.random.Generator) -> Work:
    """The first depthwise convolution of stride 2 in MobileNetV2."""
    return functools.partial(F.convolution_2d, stride=2, pad=1, groups=96), (
        rng.standard_normal((1, 96, 275, 275), np.float32),
        rng.standard_normal((96, 1, 3, 3), np.float32))


def network(backbone: Callable[..., chainer.Chain]) -> Prepare:
    """A whole backbone on one image of YOLACT's size."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        net = backbone(seed=seed)
        net.to_device(device)
        return forward(lambda rng: (net, [rng.standard_normal((1, 3, 550, 550), np.float32)]))(
            device, seed)
    return prepare


BENCHMARKS = {
    'RoIAlign, 1,000 x 256 x 7x7, 2x2 samples': forward(
        functools.partial(fpn_regions, roi_align, sampling_ratio=2)),
    'RoIAlign, 1,000 x 256 x 7x7, with its gradient': both_ways(
        functools.partial(fpn_regions, roi_align, sampling_ratio=2)),
    'RoIAlign, 1,000 x 1,024 x 14x14, adaptive': forward(functools.partial(c4_regions, roi_align)),
    'RoIAlign, 1,000 x 1,024 x 14x14, with its gradient': both_ways(
        functools.partial(c4_regions, roi_align)),
    'RoI pooling, 1,000 x 256 x 7x7': forward(functools.partial(fpn_regions, roi_pool)),
    'NMS, the best 1,000 of 6,000 boxes': forward(best_proposals),
    'NMS, 6,000 boxes of 80 classes': forward(objects_of_80_classes),
    'deformable convolution, 256 x 35x35': forward(deformable),
    'deformable convolution, with its gradients': both_ways(deformable),
    'depthwise convolution, 96 x 275x275, stride 2': forward(depthwise),
    'DarkNet-53, forward, 1 x 550x550': network(DarkNet),
    'MobileNetV2, forward, 1 x 550x550': network(MobileNetV2),
    'EfficientNet-B0, forward, 1 x 550x550': network(EfficientNet),
}
