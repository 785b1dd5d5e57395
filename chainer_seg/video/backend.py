"""OpenCV's video functions without the remarks that it and FFmpeg print by themselves."""

import contextlib
import os
import sys

# FFmpeg is told when OpenCV opens its first video; a damaged frame is no reason to print a line.
os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')

import cv2  # noqa: E402  after the level is set

__all__ = ['cv2', 'without_remarks']


@contextlib.contextmanager
def without_remarks():
    """Turns off what C code prints while a video is opened; we tell in our own words what is wrong."""
    sys.stderr.flush()
    # Not Python's standard error, which is no file in the kernel of a notebook.
    kept = os.dup(2)
    try:
        with open(os.devnull, 'wb') as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
