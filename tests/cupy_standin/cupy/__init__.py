"""A strict stand-in for CuPy: its names and its refusals, on the host. See ../README.md."""

from cupy import _log as standin_log  # noqa: F401
from cupy._array import ndarray  # noqa: F401
from cupy._functions import namespace as _namespace
from cupy._names import VERSION as __version__  # noqa: F401, N811

globals().update(_namespace())

from cupy import _util, cuda, linalg, random  # noqa: E402, F401


def get_default_memory_pool():
    """The pool of the current device."""
    return cuda.MemoryPool()


def get_default_pinned_memory_pool():
    """The pool of the host."""
    return cuda.PinnedMemoryPool()
