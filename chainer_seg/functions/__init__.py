"""Differentiable operations that Chainer does not have; each with a NumPy path and a CuPy kernel."""

from chainer_seg.functions.symmetric_pad import symmetric_pad

__all__ = ['symmetric_pad']
