"""The frames of a video file or a camera as RGB arrays."""

import contextlib
import logging
import math
import os
import pathlib
import threading
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from chainer_seg.errors import VideoError
from chainer_seg.video.backend import cv2, silenced

log = logging.getLogger(__name__)

_DEFAULT_RATE = 25.0  # frames per second, if a file or camera does not report a rate
_TOLERATED = 1  # Headers are often off by one frame.


class VideoReader(contextlib.AbstractContextManager):
    """Decodes a video; iterating yields its frames, (H, W, 3) uint8 RGB, once.

    If a file is truncated, iteration ends early and a warning is logged. A camera never ends.

    Args:
        source: A path, or the number of a camera.

    Attributes:
        fps (float): Frames per second.
        count (int): The number of frames according to the file's header; None for a camera, or if
            unknown.
        size (tuple of int): (height, width) in pixels.

    Raises:
        chainer_seg.errors.VideoError: The file or camera is missing, or cannot be decoded.
    """

    def __init__(self, source: str | os.PathLike | int) -> None:
        self.is_camera = isinstance(source, int)
        self.name = f'camera {source}' if isinstance(source, int) else os.fspath(source)
        if not isinstance(source, int):
            _check_file(pathlib.Path(source))
        with silenced():
            self._capture = (cv2.VideoCapture(source) if isinstance(source, int) else
                             cv2.VideoCapture(os.fspath(source), cv2.CAP_FFMPEG))
        if not self._capture.isOpened():
            raise VideoError(
                f'There is no {self.name}; connect it, or try another number.' if self.is_camera else
                f'The video {self.name} cannot be decoded; it is damaged, truncated, or of an unsupported '
                f'format. Use another file, or convert it.')
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate if math.isfinite(rate) and 0 < rate < 1000 else _DEFAULT_RATE
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = int(count) if not self.is_camera and math.isfinite(count) and count > 0 else None
        self.size = tuple(int(self._capture.get(side)) for side in (
            cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))

        self._lock = threading.Lock()  # The reader may be closed while another thread decodes.

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._capture.release()

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        number = 0
        while True:
            with self._lock:
                is_closed = not self._capture.isOpened()
                is_read, frame = self._capture.read()
            if is_closed:
                return
            if not is_read:
                break
            number += 1
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
        if number == 0:
            raise VideoError(f'No frame of the video {self.name} can be decoded; the file is damaged.')
        if self.count is not None and number < self.count - _TOLERATED:
            log.warning('The video %s ends after %d of its %d frames; the file is truncated.',
                        self.name, number, self.count)


def _check_file(path: pathlib.Path) -> None:
    if path.is_dir():
        raise VideoError(f'{path} is a folder; name a video file.')
    if not path.exists():
        raise VideoError(f'There is no video {path}; check the path.')
    if path.stat().st_size == 0:
        raise VideoError(f'The video {path} is an empty file; download or record it again.')
