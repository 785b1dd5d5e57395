"""A detector run on the frames of a video, and what it finds drawn on them."""

import collections
import contextlib
import itertools
import time

from chainer_seg.video.colors import ObjectColors
from chainer_seg.video.pipeline import Background, prefetch
from chainer_seg.video.reader import VideoReader
from chainer_seg.video.writer import VideoWriter
from chainer_seg.visualization.detections import overlay_detections

_AVERAGED = 30  # frames over which the rate is taken


class FrameRate:
    """How many frames a second there are, over the last ones.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, clock=time.perf_counter):
        self._clock, self._times = clock, collections.deque([clock()], maxlen=_AVERAGED + 1)

    def tick(self):
        """To be called for each frame; gives the rate."""
        self._times.append(self._clock())
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)


def detect_frames(detector, frames, **options):
    """Runs a detector on frames, while the next ones are being decoded.

    Args:
        detector: A model with ``detect(image, **options) -> Instances``, or such a function.
        frames: Iterable of (H, W, 3) uint8 RGB, such as a :class:`VideoReader`.
        options: For the detector, such as ``score_threshold``.

    Yields:
        tuple: frame and :class:`chainer_seg.instances.Instances`.
    """
    detect = getattr(detector, 'detect', detector)
    # Closed at once when the caller stops, so that the thread leaves the reader alone.
    with contextlib.closing(prefetch(frames)) as waiting:
        for frame in waiting:
            yield frame, detect(frame, **options)


def annotate_frames(detector, frames, *, show_rate=True, drawing=None, **options):
    """Runs a detector on frames and draws what it finds.

    ::

        with VideoReader('street.mp4') as frames:
            write_video('found.webm', annotate_frames(model, frames, score_threshold=0.3))

    Args:
        detector, frames, options: As those of :func:`detect_frames`.
        show_rate: Write how many frames a second go through into the upper left corner.
        drawing (dict): Options of :func:`chainer_seg.visualization.overlay_detections`.

    Yields:
        (H, W, 3) uint8 RGB: Each frame with its objects, whose colours stay from frame to frame.
    """
    draw = _Drawer(show_rate, drawing)
    for item in detect_frames(detector, frames, **options):
        yield draw(*item)


def annotate_video(detector, source, target, *, count=None, show_rate=True, drawing=None,
                   progress=None, on_frame=None, **options):
    """Runs a detector on a video and writes it with what was found.

    Decoding, detecting, and drawing with encoding overlap. Ctrl-C ends the video at the frame that
    it has come to; the file can be played.

    Args:
        detector, options: As those of :func:`detect_frames`.
        source: A video file, or the number of a camera.
        target: The file to write; see :class:`VideoWriter`.
        count (int): The largest number of frames; all where left out.
        show_rate, drawing: As those of :func:`annotate_frames`.
        progress (callable): Wraps the iteration over frames, such as tqdm; is also given ``total``,
            the number of frames, or None where it is not known.
        on_frame (callable): ``on_frame(number, instances, picture)`` is called with each frame from
            0, what was found, and the drawn picture, in the thread that writes.

    Returns:
        int: The number of frames written.

    Raises:
        chainer_seg.errors.VideoError: The source cannot be read, or the target not be written.
        chainer_seg.errors.DiskFullError: There is no room or no permission.
    """
    draw = _Drawer(show_rate, drawing)
    with VideoReader(source) as reader, VideoWriter(target, reader.fps) as writer:
        def finish(item):
            picture = draw(*item)
            if on_frame is not None:
                on_frame(writer.count, item[1], picture)
            writer.write(picture)

        found = detect_frames(detector, itertools.islice(reader, count), **options)
        total = min((number for number in (reader.count, count) if number is not None), default=None)
        with contextlib.closing(found), Background(finish) as background:
            for item in progress(found, total=total) if progress else found:
                background.put(item)
    return writer.count


class _Drawer:
    """Draws what was found on frames that come in order."""

    def __init__(self, show_rate, drawing):
        self._rate, self._colors = FrameRate() if show_rate else None, ObjectColors()
        self._options = dict(drawing or {})

    def __call__(self, frame, instances):
        caption = f'{self._rate.tick():.3g} FPS' if self._rate else None
        return overlay_detections(frame, instances, colors=self._colors(instances), caption=caption,
                                  **self._options)
