"""Chainer works on today's NumPy once chainer_seg is imported, so that comes first."""

import chainer_seg  # noqa: F401
