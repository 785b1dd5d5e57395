"""CuPy 13 and 14 under the names that Chainer, written for CuPy 7, uses."""

from chainer_seg.compat.import_hook import Mends

MENDS = Mends()
