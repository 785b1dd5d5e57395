"""How the time of each stage grows with the area of the image, and with the number of RoIs or classes."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.boxes import nms
from chainer_seg.cli import benchmark_mask_rcnn as mask_rcnn
from chainer_seg.cli import benchmark_yolact as yolact
from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.cli.benchmark_operations import boxes_around_objects
from chainer_seg.datasets import ShapesDataset
from chainer_seg.engines import compile
from chainer_seg.evaluation import CocoEvaluator, ProposalEvaluator
from chainer_seg.functions import roi_align
from chainer_seg.instances import Instances
from chainer_seg.model_file import load_model
from chainer_seg.models.deeplab import Click
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.mask_rcnn.decode import best_boxes
from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks
from chainer_seg.models.yolact import Yolact
from chainer_seg.visualization.detections import overlay_detections

import chainer  # isort: skip

_AREAS = (307_200, 1_228_800, 4_915_200, 19_660_800)  # pixels of images of 480x640 and of 2, 4, 8 times that
_OBJECTS = 100


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage whose time is measured at several sizes.

    Attributes:
        title: What it does.
        unit: What is counted.
        sizes: How many there are in each measurement.
        prepare: As of other benchmarks, after the size.
    """

    title: str
    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[int, chainer.backend.Device, int], Action]

    def benchmarks(self) -> dict[str, Prepare]:
        return {self.name(size): functools.partial(self.prepare, size) for size in self.sizes}

    def name(self, size: int) -> str:
        return f'{self.title}: {size:,} {self.unit}'

    def times(self, seconds: Mapping[str, float]) -> list[float]:
        """The time at each size, of all benchmarks by their names."""
        return [seconds[self.name(size)] for size in self.sizes]


def exponent(sizes: tuple[int, ...], seconds: list[float]) -> float:
    """How time grows at the larger sizes: 1 in proportion to the size, 2 as its square."""
    return float(np.polyfit(np.log(sizes[-3:]), np.log(seconds[-3:]), 1)[0])


def _size(area: int) -> tuple[int, int]:
    """(height, width) of an image of that number of pixels, with the sides 3:4."""
    height = round((area * 3 / 4) ** 0.5)
    return height, area // height


def _pixels(area: int, seed: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*_size(area), 3), np.uint8)


def _instances(count: int, area: int, seed: int) -> Instances:
    """Discs in boxes of all sizes, as in 480x640 pixels, enlarged."""
    boxes = mask_rcnn.boxes_of(np.random.default_rng(seed), count)
    scale = np.divide(_size(area), mask_rcnn.SIZE)
    runs = paste_masks(mask_rcnn.discs(count), boxes * np.tile(scale, 2), _size(area))
    return Instances(runs, scores=np.random.default_rng(seed).random(count), class_names=('object',))


def _preparing(area: int, device: chainer.backend.Device, seed: int) -> Action:
    model = MaskRCNN(width=1, fpn_channels=1, box_features=1, mask_channels=1)
    model.to_device(device)
    image = _pixels(area, seed)
    return lambda: model.prepare([image])


def _yolact_decoding(area: int, device: chainer.backend.Device, seed: int, classes: int = 80) -> Action:
    model = Yolact(width=1, fpn_channels=1, classes=classes)
    model.to_device(device)
    outputs = [device.send(array) for array in yolact.outputs_of_objects(model, seed)]
    options = {name: getattr(model, name) for name in model.option_names}
    options.update(max_detections=_OBJECTS)
    return lambda: model.decode(outputs, [_size(area)], **options)


def _yolact_classes(classes: int, device: chainer.backend.Device, seed: int) -> Action:
    return _yolact_decoding(_AREAS[0], device, seed, classes)


def _pasting(area: int, device: chainer.backend.Device, seed: int) -> Action:
    return lambda: _instances(_OBJECTS, area, seed)


def _encoding(area: int, device: chainer.backend.Device, seed: int) -> Action:
    found = _instances(_OBJECTS, area, seed)
    return lambda: found.to_coco_results(1)


def _drawing(area: int, device: chainer.backend.Device, seed: int) -> Action:
    image, found = _pixels(area, seed), _instances(_OBJECTS, area, seed)
    return lambda: overlay_detections(image, found)


def _drawing_objects(count: int, device: chainer.backend.Device, seed: int) -> Action:
    image, found = _pixels(_AREAS[1], seed), _instances(count, _AREAS[1], seed)
    return lambda: overlay_detections(image, found)


def _clicking(area: int, device: chainer.backend.Device, seed: int) -> Action:
    model: Any = compile(load_model('click'))
    model.to_device(device)
    image = _pixels(area, seed)
    return lambda: model.session(image).add(Click(image.shape[0] // 2, image.shape[1] // 2))


def _proposing(area: int, device: chainer.backend.Device, seed: int) -> Action:
    model: Any = compile(load_model('sharpmask'))
    model.to_device(device)
    image = _pixels(area, seed)
    return lambda: model.propose(image, n=100)


def _proposing_many(count: int, device: chainer.backend.Device, seed: int) -> Action:
    model: Any = compile(load_model('sharpmask'))
    model.to_device(device)
    image = _pixels(_AREAS[0], seed)
    return lambda: model.propose(image, n=count)


def _aligning(count: int, device: chainer.backend.Device, seed: int) -> Action:
    rng = np.random.default_rng(seed)
    maps = device.send(rng.standard_normal((1, 256, 100, 100), np.float32))
    corners = rng.uniform(0, 70, (count, 2))
    rois = np.hstack([corners, corners + rng.uniform(7, 28, (count, 2))]).astype(np.float32)
    arguments = device.send(rois), device.send(np.zeros(count, np.int32))
    return lambda: roi_align(maps, *arguments, output_size=7, spatial_scale=1, sampling_ratio=2)


def _choosing_boxes(count: int, device: chainer.backend.Device, seed: int, classes: int = 80) -> Action:
    """Half a per mille of the probabilities is above the threshold, as of a trained network."""
    rng = np.random.default_rng(seed)
    boxes = np.repeat(boxes_around_objects(rng, count)[0][:, None], classes + 1, axis=1)
    probabilities = (rng.random((count, classes + 1), np.float32) > 0.9995) * rng.random(
        (count, classes + 1), np.float32)
    arguments = device.send(boxes), device.send(probabilities.astype(np.float32))
    return lambda: best_boxes(*arguments, score_threshold=0.05, nms_threshold=0.5, max_detections=_OBJECTS)


def _choosing_classes(classes: int, device: chainer.backend.Device, seed: int) -> Action:
    return _choosing_boxes(1000, device, seed, classes)


def _suppressing(count: int, device: chainer.backend.Device, seed: int) -> Action:
    boxes, scores = map(device.send, boxes_around_objects(np.random.default_rng(seed), count))
    return lambda: nms(boxes, scores, threshold=0.7, offset=1, limit=1000)


def _recalling(count: int, device: chainer.backend.Device, seed: int) -> Action:
    truth, found = _instances(20, _AREAS[0], seed + 1), _instances(count, _AREAS[0], seed)
    return lambda: ProposalEvaluator(counts=(count,)).add(truth, found)


def _evaluating(count: int, device: chainer.backend.Device, seed: int) -> Action:
    images = ShapesDataset(count, seed, size=(192, 256))
    truths = [images[number][1] for number in range(count)]

    def run() -> None:
        evaluator = CocoEvaluator(ShapesDataset().class_names)
        for truth in truths:
            evaluator.add(truth, truth)
        evaluator.summary()
    return run


STAGES = (
    Stage('Mask R-CNN: preparing', 'pixels', _AREAS, _preparing),
    Stage('Mask R-CNN: pasting 100 masks', 'pixels', _AREAS, _pasting),
    Stage('YOLACT: decoding 100 objects', 'pixels', _AREAS, _yolact_decoding),
    Stage('encoding 100 objects', 'pixels', _AREAS, _encoding),
    Stage('drawing 100 objects', 'pixels', _AREAS, _drawing),
    Stage('click model: first click', 'pixels', _AREAS, _clicking),
    Stage('SharpMask: 100 proposals', 'pixels', (76_800, *_AREAS[:3]), _proposing),
    Stage('RoIAlign', 'RoIs', (250, 500, 1000, 2000), _aligning),
    Stage('Mask R-CNN: boxes of 80 classes', 'RoIs', (250, 500, 1000, 2000), _choosing_boxes),
    Stage('NMS, the best 1,000', 'boxes', (1500, 3000, 6000, 12_000), _suppressing),
    Stage('SharpMask in 480x640', 'proposals', (125, 250, 500, 1000), _proposing_many),
    Stage('average recall', 'proposals', (125, 250, 500, 1000), _recalling),
    Stage('drawing in 960x1280', 'objects', (25, 50, 100, 200), _drawing_objects),
    Stage('YOLACT: decoding', 'classes', (20, 80, 320, 1280), _yolact_classes),
    Stage('Mask R-CNN: boxes of 1,000 RoIs', 'classes', (20, 80, 320, 1280), _choosing_classes),
    Stage('COCO evaluation', 'images', (25, 50, 100, 200), _evaluating),
)
BENCHMARKS = {name: prepare for stage in STAGES for name, prepare in stage.benchmarks().items()}
