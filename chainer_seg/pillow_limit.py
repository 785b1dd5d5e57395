"""Pillow's limit of pixels and its warnings, set only while an image of ours is being read."""

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

from PIL import Image

_lock = threading.Lock()
_readers = 0  # blocks of pillow_limit that are being run, by all threads
_settings = contextlib.ExitStack()  # what the last of them puts back


@contextlib.contextmanager
def pillow_limit(most: int) -> Iterator[None]:
    """Pillow refuses images of more than ``most`` pixels inside, and is silent.

    Both settings are the whole process's: the first thread inside makes them, the last one that
    leaves restores them, so that other users of Pillow find theirs.
    """
    global _readers
    with _lock:
        _readers += 1
        if _readers == 1:
            _settings.enter_context(warnings.catch_warnings())
            warnings.simplefilter('ignore')  # Pillow's own hints mean nothing to the user.
            _settings.callback(setattr, Image, 'MAX_IMAGE_PIXELS', Image.MAX_IMAGE_PIXELS)
            # Pillow warns from its limit and raises from twice as many pixels.
            Image.MAX_IMAGE_PIXELS = most // 2
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                _settings.close()


def _begin_anew():
    """In a forked process: the threads that were reading are not there."""
    global _lock, _readers
    _lock, _readers = threading.Lock(), 0
    _settings.close()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_begin_anew)
