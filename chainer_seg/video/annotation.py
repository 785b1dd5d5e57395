"""Runs a detector on the frames of a video and draws the detections."""

import collections
import contextlib
import itertools
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from chainer_seg.instances import Instances
from chainer_seg.video.colors import ObjectColors
from chainer_seg.video.pipeline import Background, prefetch
from chainer_seg.video.reader import VideoReader
from chainer_seg.video.writer import VideoWriter
from chainer_seg.visualization.detections import overlay_detections

_AVERAGED = 30  # frames over which the frame rate is averaged

Frame = npt.NDArray[np.uint8]  # (H, W, 3) RGB


@runtime_checkable
class Detector(Protocol):
    """A model that detects objects, such as :class:`chainer_seg.models.mask_rcnn.MaskRCNN`."""

    def detect(self, image: Frame, /, **options: Any) -> Instances: ...


class FrameRate:
    """The number of frames per second, averaged over the last frames.

    Args:
        clock: ``clock()`` returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._times = clock, collections.deque([clock()], maxlen=_AVERAGED + 1)

    def tick(self) -> float:
        """Counts a frame; returns the current rate."""
        self._times.append(self._clock())
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)


def detect_frames(detector: Detector | Callable[..., Instances], frames: Iterable[Frame], **options: Any
                  ) -> Generator[tuple[Frame, Instances], None, None]:
    """Runs a detector on frames while the next ones are being decoded.

    Args:
        detector: A model with ``detect(image, **options) -> Instances``, or such a function.
        frames: Iterable of (H, W, 3) uint8 RGB, such as a :class:`VideoReader`.
        options: Passed to the detector, such as ``score_threshold``.

    Yields:
        tuple: frame and :class:`chainer_seg.instances.Instances`.
    """
    detect = detector.detect if isinstance(detector, Detector) else detector
    # Closed as soon as the caller stops, so that the thread no longer uses the reader.
    with contextlib.closing(prefetch(frames)) as waiting:
        for frame in waiting:
            yield frame, detect(frame, **options)


def annotate_frames(detector: Detector | Callable[..., Instances], frames: Iterable[Frame], *,
                    show_rate: bool = True, drawing: Mapping[str, Any] | None = None, **options: Any
                    ) -> Iterator[Frame]:
    """Runs a detector on frames and draws the detections.

    ::

        with VideoReader('street.mp4') as frames:
            write_video('found.webm', annotate_frames(model, frames, score_threshold=0.3))

    Args:
        detector, frames, options: As in :func:`detect_frames`.
        show_rate: Write the processed frames per second into the upper left corner.
        drawing (dict): Options of :func:`chainer_seg.visualization.overlay_detections`.

    Yields:
        (H, W, 3) uint8 RGB: Each frame with its objects, which keep their colours from frame to frame.
    """
    draw = _Drawer(show_rate, drawing)
    for item in detect_frames(detector, frames, **options):
        yield draw(*item)


def annotate_video(detector: Detector | Callable[..., Instances], source: str | os.PathLike | int,
                   target: str | os.PathLike, *, count: int | None = None, show_rate: bool = True,
                   drawing: Mapping[str, Any] | None = None, progress: Callable | None = None,
                   on_frame: Callable[[int, Instances, Frame], object] | None = None, **options: Any
                   ) -> int:
    """Runs a detector on a video and writes the video with the detections.

    Decoding, detection, and drawing with encoding overlap. Ctrl-C ends the video at the current frame;
    the file is playable.

    Args:
        detector, options: As in :func:`detect_frames`.
        source: A video file, or the number of a camera.
        target: The file to write; see :class:`VideoWriter`.
        count (int): Maximum number of frames; default: all.
        show_rate, drawing: As in :func:`annotate_frames`.
        progress (callable): Wraps the iteration over frames, such as tqdm; is also passed ``total``,
            the number of frames, or None if unknown.
        on_frame (callable): ``on_frame(number, instances, frame)`` is called with the number of each
            frame (from 0), its detections, and the drawn frame, in the writing thread.

    Returns:
        int: The number of frames written.

    Raises:
        chainer_seg.errors.VideoError: The source cannot be read, or the target cannot be written.
        chainer_seg.errors.DiskFullError: The disk is full, or the target is not writable.
    """
    draw = _Drawer(show_rate, drawing)
    with VideoReader(source) as reader, VideoWriter(target, reader.fps) as writer:
        def finish(item: tuple[Frame, Instances]) -> None:
            drawn = draw(*item)
            if on_frame is not None:
                on_frame(writer.count, item[1], drawn)
            writer.write(drawn)

        found = detect_frames(detector, itertools.islice(reader, count), **options)
        total = min((number for number in (reader.count, count) if number is not None), default=None)
        with contextlib.closing(found), Background(finish) as background:
            for item in progress(found, total=total) if progress else found:
                background.put(item)
    return writer.count


class _Drawer:
    """Draws the detections on consecutive frames."""

    def __init__(self, show_rate: bool, drawing: Mapping[str, Any] | None) -> None:
        self._rate, self._colors = FrameRate() if show_rate else None, ObjectColors()
        self._options = dict(drawing or {})

    def __call__(self, frame: Frame, instances: Instances) -> Frame:
        caption = f'{self._rate.tick():.3g} FPS' if self._rate else None
        return overlay_detections(frame, instances, colors=self._colors(instances), caption=caption,
                                  **self._options)
