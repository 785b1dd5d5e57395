"""The frames of a video file or a camera as RGB arrays."""

import contextlib
import logging
import math
import pathlib
import threading

from chainer_seg.errors import VideoError
from chainer_seg.video.backend import cv2, without_remarks

log = logging.getLogger(__name__)

_USUAL_RATE = 25.0  # frames a second, where a file or a camera does not say
_TOLERATED = 1  # Headers are often wrong by one frame.


class VideoReader(contextlib.AbstractContextManager):
    """Decodes a video; iterating gives its frames, (H, W, 3) uint8 RGB, once.

    A file that ends before its last frame, as one that was cut short does, ends the iteration with
    a warning in the log. A camera never ends.

    Args:
        source: A path, or the number of a camera.

    Attributes:
        fps (float): Frames a second.
        count (int): The number of frames that the file claims to have; None for a camera, and
            where the file does not say.
        size (tuple of int): (height, width) in pixels.

    Raises:
        chainer_seg.errors.VideoError: The file or camera is missing, or cannot be decoded.
    """

    def __init__(self, source):
        self.is_camera = isinstance(source, int)
        self.name = f'camera {source}' if self.is_camera else str(source)
        if not self.is_camera:
            _check_file(pathlib.Path(source))
        with without_remarks():
            self._capture = (cv2.VideoCapture(source) if self.is_camera else
                             cv2.VideoCapture(str(source), cv2.CAP_FFMPEG))
        if not self._capture.isOpened():
            raise VideoError(
                f'There is no {self.name}; connect it, or try another number.' if self.is_camera else
                f'The video {self.name} cannot be decoded; it is damaged, cut short, or of an unknown '
                f'kind.')
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = rate if math.isfinite(rate) and 0 < rate < 1000 else _USUAL_RATE
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = int(count) if not self.is_camera and math.isfinite(count) and count > 0 else None
        self.size = tuple(int(self._capture.get(side)) for side in (
            cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))

        self._is_free = threading.Lock()  # It may be closed while another thread decodes.

    def __exit__(self, *exception):
        with self._is_free:
            self._capture.release()

    def __iter__(self):
        number = 0
        while True:
            with self._is_free:
                is_closed = not self._capture.isOpened()
                is_read, frame = self._capture.read()
            if is_closed:
                return
            if not is_read:
                break
            number += 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        if number == 0:
            raise VideoError(f'The video {self.name} holds no frame that can be decoded.')
        if self.count is not None and number < self.count - _TOLERATED:
            log.warning('The video %s ends after %d of its %d frames: it was cut short.',
                        self.name, number, self.count)


def _check_file(path):
    if path.is_dir():
        raise VideoError(f'{path} is a folder; name a video file.')
    if not path.exists():
        raise VideoError(f'There is no video {path}; check the path.')
    if path.stat().st_size == 0:
        raise VideoError(f'The video {path} is an empty file; fetch or record it again.')
