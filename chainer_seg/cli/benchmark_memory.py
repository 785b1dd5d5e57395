"""Memory of long work and of large images with the shipped models, each measured in a process of its own."""

import dataclasses
import functools
import multiprocessing
import os
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.datasets import ShapesDataset
from chainer_seg.devices import get_device
from chainer_seg.engines import compile
from chainer_seg.errors import UserError
from chainer_seg.images import resize
from chainer_seg.jobs import evaluate_detector
from chainer_seg.model_file import load_model
from chainer_seg.visualization.detections import overlay_detections

import chainer  # isort: skip

_INTERVAL = 0.005  # seconds between two looks at the memory
_POINTS = 300  # of a curve at most

_48_MEGAPIXELS, _12_MEGAPIXELS = (6000, 8000), (3000, 4000)
# With these options, 100 objects are found in any image.
_ANYTHING = {'score_threshold': 0.0, 'nms_threshold': 0.9, 'max_detections': 100}


@dataclasses.dataclass(frozen=True)
class MemoryUse:
    """The resident memory of a process in GiB: before the work, at its peak, and over time.

    Attributes:
        before: With the libraries, the model and the image, after the model has been used on a small image.
        peak: The largest value until the work has ended.
        seconds, over_time: Times since the work began, and the largest value since the time before.
    """

    before: float
    peak: float
    seconds: list[float]
    over_time: list[float]

    def __str__(self) -> str:
        return f'{self.before:5.2f} -> {self.peak:5.2f} GiB'


def measure_memory(name: str, prepare: Prepare, device: str | None, seed: int) -> MemoryUse:
    """Runs a benchmark in a new process, and watches its memory.

    Args:
        name: Of the benchmark, for errors.
        prepare: A function of a module, or a partial of one.
        device, seed: As those of the command.

    Raises:
        chainer_seg.errors.UserError: psutil is not installed, or the process has ended early.
    """
    try:
        import psutil
    except ImportError as error:
        raise UserError('Memory is measured with psutil, which is not installed; run '
                        'pip install "chainer-seg[notebook]".') from error
    context = multiprocessing.get_context('spawn')
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, prepare, device, seed), daemon=True)
    process.start()
    there.close()
    try:
        here.recv()
        watched = psutil.Process(process.pid)
        before, started, samples = watched.memory_info().rss, time.perf_counter(), []
        here.send('go')
        while not here.poll(_INTERVAL):
            samples.append((time.perf_counter() - started, watched.memory_info().rss))
        samples.append((time.perf_counter() - started, here.recv()))
    except (EOFError, psutil.Error) as error:
        raise UserError(f'The benchmark "{name}" ended early; probably its memory was not enough.') from error
    finally:
        process.terminate()
        process.join()
    return _summary(before, np.array(samples))


def _summary(before: int, samples: npt.NDArray[np.float64]) -> MemoryUse:
    """The figures of samples (N, 2): seconds and bytes."""
    parts = np.array_split(samples, min(len(samples), _POINTS))
    return MemoryUse(before / 2 ** 30, samples[:, 1].max() / 2 ** 30,
                     [round(float(part[-1, 0]), 3) for part in parts],
                     [round(part[:, 1].max() / 2 ** 30, 4) for part in parts])


def _work(connection: Connection, prepare: Prepare, device: str | None, seed: int) -> None:
    import psutil
    action = prepare(get_device(device), seed)
    connection.send('ready')
    connection.recv()
    action()
    connection.send(psutil.Process(os.getpid()).memory_info().rss)


def _image(size: tuple[int, int], seed: int) -> npt.NDArray[np.uint8]:
    return resize(ShapesDataset(1, seed, size=(600, 800))[0][0], size)


def detected(model_name: str, options: Mapping[str, Any], device: chainer.backend.Device, seed: int
             ) -> Action:
    """100 objects of 48 megapixels: detected, encoded as COCO results, and drawn."""
    model: Any = compile(load_model(model_name))
    model.to_device(device)
    image = _image(_48_MEGAPIXELS, seed)
    model.detect(image[:64, :64])

    def run() -> None:
        found = model.detect(image, **_ANYTHING, **options)
        found.to_coco_results(1)
        overlay_detections(image, found)
    return run


def proposed(device: chainer.backend.Device, seed: int) -> Action:
    """1,000 proposals in 12 megapixels, as codes."""
    model = compile(load_model('sharpmask'))
    model.to_device(device)
    image = _image(_12_MEGAPIXELS, seed)
    model.propose(image[:256, :256])
    return lambda: model.propose(image, n=1000).to_coco_results(1)


def evaluated(device: chainer.backend.Device, seed: int) -> Action:
    """A detector on 2,000 synthetic images, with COCO's figures."""
    model = compile(load_model('yolact'))
    model.to_device(device)
    model.detect(_image((256, 256), seed))
    images = ShapesDataset(2000, seed, size=(192, 256), classes=model.class_names)
    return lambda: evaluate_detector(model, images, progress=False).summary()


BENCHMARKS: dict[str, Prepare] = {
    'Mask R-CNN: 100 objects of 48 megapixels': functools.partial(detected, 'mask-rcnn', {}),
    'YOLACT: 100 objects of 48 megapixels': functools.partial(detected, 'yolact', {'anchor_threshold': 0.0}),
    'SharpMask: 1,000 proposals in 12 megapixels': proposed,
    'YOLACT: evaluation of 2,000 images of 192x256': evaluated,
}
