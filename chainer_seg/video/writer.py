"""Writes frames to a video file, which appears under its name only when it is complete."""

import contextlib
import logging
import math
import os
import pathlib
from collections.abc import Iterable
from types import TracebackType

import numpy as np

from chainer_seg.errors import DiskFullError, VideoError
from chainer_seg.files import atomic_write
from chainer_seg.images import ImageLike, as_image
from chainer_seg.video.backend import cv2, silenced

log = logging.getLogger(__name__)

# What OpenCV's bundled FFmpeg can encode for common suffixes; browsers and notebooks play .webm.
_CODECS = {'.avi': 'MJPG', '.m4v': 'mp4v', '.mkv': 'mp4v', '.mov': 'mp4v', '.mp4': 'mp4v',
           '.webm': 'VP80'}
VIDEO_SUFFIXES = frozenset(_CODECS)


class VideoWriter(contextlib.AbstractContextManager):
    """Encodes frames into a file; a context manager.

    The file has a temporary name until it is complete, at the end of the block. Ctrl-C completes it
    with the frames written so far; any other exception deletes it.

    Width and height of a video are even: if a side of the frames is odd, the last row or column is
    repeated, and this is logged.

    Args:
        path: The file to write; the suffix determines the format: .mp4, .m4v, .mov and .mkv with MPEG-4,
            .avi with Motion JPEG, .webm with VP8.
        fps (float): Frames per second.

    Attributes:
        count (int): The number of frames written.

    Raises:
        chainer_seg.errors.VideoError: The suffix is unknown, the frame rate is not above 0, frames differ
            in size, or there are no frames.
        chainer_seg.errors.DiskFullError: The disk is full, or the file is not writable.
    """

    def __init__(self, path: str | os.PathLike, fps: float = 25.0) -> None:
        # MPEG-4 divides a second into at most 65535 ticks, so the rate has five significant digits.
        self.path, self.fps, self.count = pathlib.Path(path), float(f'{fps:.5g}'), 0
        if self.path.suffix.lower() not in _CODECS:
            raise VideoError(f'The suffix of {path} is not a supported video format; use one of '
                             f'{", ".join(sorted(_CODECS))}.')
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise VideoError(f'The frame rate must be above 0, got {fps} frames per second.')
        self._file = contextlib.ExitStack()
        self._encoder: cv2.VideoWriter | None = None
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> 'VideoWriter':
        # Opened immediately, so that an unwritable path is reported before the work starts.
        self._temporary = self._file.enter_context(atomic_write(self.path))
        return self

    def write(self, frame: ImageLike) -> None:
        """Adds a frame, (H, W, 3) uint8 RGB or anything else ``as_image`` accepts.

        Raises:
            chainer_seg.errors.VideoError: The frame differs in size from the first one.
        """
        pixels = as_image(frame)
        height, width = pixels.shape[:2]
        if self._encoder is None or self._size is None:
            self._encoder, self._size = self._open((height, width)), (height, width)
        if (height, width) != self._size:
            raise VideoError(f'Frame {self.count + 1} for {self.path} has {height}x{width} pixels, but '
                             f'the first frame has {self._size[0]}x{self._size[1]}; resize all frames to '
                             f'one size.')
        # OpenCV would drop an odd last row or column.
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), 'edge')
        self._encoder.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))
        self.count += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
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

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        height, width = (side + side % 2 for side in size)
        if (height, width) != size:
            log.warning('Padding the frames of %dx%d pixels to %dx%d in %s by repeating the last row or '
                        'column, because videos have even sides.', *size, height, width, self.path)
        codec = cv2.VideoWriter.fourcc(*_CODECS[self.path.suffix.lower()])
        with silenced():
            encoder = cv2.VideoWriter(str(self._temporary), cv2.CAP_FFMPEG, codec, self.fps,
                                      (width, height))
        if not encoder.isOpened():
            raise VideoError(f'Frames of {size[0]}x{size[1]} pixels at {self.fps:g} frames per second '
                             f'cannot be encoded for {self.path}; try another format, such as .avi.')
        return encoder

    def _fault(self) -> VideoError | DiskFullError | None:
        """The error of the finished file; None if it is complete."""
        if self.count == 0:
            return VideoError(f'{self.path} was not written because there are no frames.')
        with silenced():
            written = cv2.VideoCapture(str(self._temporary), cv2.CAP_FFMPEG)
            count = written.get(cv2.CAP_PROP_FRAME_COUNT) if written.isOpened() else 0
            written.release()
        if count < self.count - 1:  # The encoder does not report a full disk.
            return DiskFullError(f'{self.path} could not be written completely; free some disk space.')
        return None


def write_video(path: str | os.PathLike, frames: Iterable[ImageLike], fps: float = 25.0) -> pathlib.Path:
    """Writes frames, an iterable of (H, W, 3) uint8 RGB, as a video; see :class:`VideoWriter`.

    Returns:
        pathlib.Path: The file.
    """
    with VideoWriter(path, fps) as writer:
        for frame in frames:
            writer.write(frame)
    return writer.path
