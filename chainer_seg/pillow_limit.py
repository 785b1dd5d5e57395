"""Sets Pillow's limit of pixels and silences its warnings while this package reads an image."""

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

from PIL import Image

_lock = threading.Lock()
_readers = 0  # number of active blocks of pillow_limit, of all threads
_settings = contextlib.ExitStack()  # restores the settings after the last of them


@contextlib.contextmanager
def pillow_limit(most: int) -> Iterator[None]:
    """A context in which Pillow raises an error for images of more than ``most`` pixels, without warnings.

    Both settings apply to the whole process: the first thread that enters sets them, and the last one
    that leaves restores them for other users of Pillow.
    """
    global _readers
    with _lock:
        _readers += 1
        if _readers == 1:
            _settings.enter_context(warnings.catch_warnings())
            warnings.simplefilter('ignore')  # Pillow's hints are for programmers, not for users.
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


def _begin_anew() -> None:
    """Resets the state in a forked process, where the threads that were reading do not exist."""
    global _lock, _readers
    _lock, _readers = threading.Lock(), 0
    _settings.close()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_begin_anew)
