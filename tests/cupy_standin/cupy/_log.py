"""What a GPU would have been asked to do, and by which line of the product."""

import atexit
import collections
import os
import pickle
import sys

_PRODUCT = ('/chainer_seg/', '/scripts/', '/converters/')
_HERE = __file__.rsplit('/', 2)[0]

# launch, sync (the host waits), h2d, d2h, implicit_h2d (a host array as an index), deprecated.
counts = collections.Counter()
places = collections.defaultdict(collections.Counter)
allocations = collections.Counter()  # by device
kernels = set()


def note(kind, amount=1):
    """Counts an event; all but launches by the line that asked for it, too."""
    counts[kind] += amount
    if kind != 'launch':
        places[kind][_caller()] += amount


def reset():
    """Forgets all events, but not the kernels."""
    counts.clear()
    places.clear()
    allocations.clear()


def _caller():
    """The innermost line outside this package, and of the product, where that is another one."""
    frame, inner = sys._getframe(2), None
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_HERE):
            line = f'{name}:{frame.f_lineno}'
            inner = inner or line
            if any(part in name for part in _PRODUCT) and 'site-packages' not in name:
                return line if line == inner else f'{line} <- {inner}'
        frame = frame.f_back
    return inner or '?'


@atexit.register
def _save_kernels():
    path = os.environ.get('STANDIN_KERNELS')
    if path and kernels:
        with open(path, 'wb') as file:
            pickle.dump(kernels, file)
