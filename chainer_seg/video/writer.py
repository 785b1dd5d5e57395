"""Frames into a video file, which appears under its name when it can be played."""

import contextlib
import logging
import math
import pathlib

import numpy as np

from chainer_seg.errors import DiskFullError, VideoError
from chainer_seg.files import atomic_write
from chainer_seg.images import as_image
from chainer_seg.video.backend import cv2, without_remarks

log = logging.getLogger(__name__)

# What OpenCV's own FFmpeg can encode for the usual endings; browsers and notebooks play .webm.
_CODECS = {'.avi': 'MJPG', '.m4v': 'mp4v', '.mkv': 'mp4v', '.mov': 'mp4v', '.mp4': 'mp4v',
           '.webm': 'VP80'}
VIDEO_SUFFIXES = frozenset(_CODECS)


class VideoWriter(contextlib.AbstractContextManager):
    """Encodes frames into a file; to be used by ``with``.

    The file has a temporary name until it is finished, at the end of the block. An interruption
    (Ctrl-C) finishes it, too, with the frames that it has; any other exception leaves nothing.

    The formats have even sides only: an odd last row or column of the frames is repeated, and the log
    says so.

    Args:
        path: Where to; the ending chooses the format: .mp4, .m4v, .mov and .mkv with MPEG-4, .avi
            with Motion JPEG, .webm with VP8.
        fps (float): Frames a second.

    Attributes:
        count (int): The number of frames written.

    Raises:
        chainer_seg.errors.VideoError: The ending is unknown, the rate is not above 0, frames differ in
            size, or there is not a single frame.
        chainer_seg.errors.DiskFullError: There is no room or no permission.
    """

    def __init__(self, path, fps=25.0):
        # MPEG-4 counts time in at most 65535 parts of a second, so the rate has five digits.
        self.path, self.fps, self.count = pathlib.Path(path), float(f'{fps:.5g}'), 0
        if self.path.suffix.lower() not in _CODECS:
            raise VideoError(f'The ending of {path} names no video format that can be written; use '
                             f'{", ".join(sorted(_CODECS))}.')
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise VideoError(f'A video cannot have {fps} frames a second; give a number above 0.')
        self._file, self._encoder, self._size = contextlib.ExitStack(), None, None

    def __enter__(self):
        # At once, so that a place that cannot be written to is told before the work begins.
        self._temporary = self._file.enter_context(atomic_write(self.path))
        return self

    def write(self, frame):
        """Adds a frame, (H, W, 3) uint8 RGB or what else ``as_image`` takes; all must be of one size."""
        frame = as_image(frame)
        if self._encoder is None:
            self._open(frame.shape[:2])
        if frame.shape[:2] != self._size:
            raise VideoError(f'Frame {self.count + 1} for {self.path} has {frame.shape[0]}x'
                             f'{frame.shape[1]} pixels, the first {self._size[0]}x{self._size[1]}; '
                             f'make them all of one size.')
        height, width = self._size
        # OpenCV would cut an odd row or column off.
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), 'edge')
        self._encoder.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))
        self.count += 1

    def __exit__(self, kind, error, trace):
        if self._encoder is not None:
            self._encoder.release()
        is_kept = kind is None or (issubclass(kind, KeyboardInterrupt) and self.count > 0)
        fault = self._fault() if is_kept else error
        if fault is None:
            self._file.close()
            return
        self._file.__exit__(type(fault), fault, fault.__traceback__)
        if is_kept:
            raise fault

    def _open(self, size):
        height, width = (side + side % 2 for side in size)
        if (height, width) != size:
            log.warning('The frames of %dx%d pixels become %dx%d in %s by repeating the last row or '
                        'column: videos have even sides.', *size, height, width, self.path)
        codec = cv2.VideoWriter_fourcc(*_CODECS[self.path.suffix.lower()])
        with without_remarks():
            self._encoder = cv2.VideoWriter(str(self._temporary), cv2.CAP_FFMPEG, codec, self.fps,
                                            (width, height))
        if not self._encoder.isOpened():
            raise VideoError(f'Frames of {size[0]}x{size[1]} pixels at {self.fps:g} a second cannot be '
                             f'encoded for {self.path}; try another format, such as .avi.')
        self._size = size

    def _fault(self):
        """What is wrong with the finished file; None if nothing is."""
        if self.count == 0:
            return VideoError(f'{self.path} was not written: there are no frames.')
        with without_remarks():
            written = cv2.VideoCapture(str(self._temporary), cv2.CAP_FFMPEG)
            count = written.get(cv2.CAP_PROP_FRAME_COUNT) if written.isOpened() else 0
            written.release()
        if count < self.count - 1:  # The encoder does not tell of a full disk.
            return DiskFullError(f'{self.path} could not be written whole; free some space on the disk.')
        return None


def write_video(path, frames, fps=25.0):
    """Writes frames, any iterable of (H, W, 3) uint8 RGB, as a video; see :class:`VideoWriter`.

    Returns:
        pathlib.Path: The file.
    """
    with VideoWriter(path, fps) as writer:
        for frame in frames:
            writer.write(frame)
    return writer.path
