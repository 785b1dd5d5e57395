"""OpenCV's video functions, without the messages that it and FFmpeg print themselves."""

import contextlib
import os
import sys
from collections.abc import Iterator

# FFmpeg reads this when OpenCV opens its first video; without it, every damaged frame prints a line.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

import cv2  # noqa: E402  after the log level is set

__all__ = ['cv2', 'silenced']


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Suppresses what C code prints to standard error; the caller reports errors itself."""
    sys.stderr.flush()
    # The file descriptor, since Python's sys.stderr is not a file in a notebook kernel.
    kept = os.dup(2)
    try:
        with open(os.devnull, 'wb') as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
