"""Engines: the networks of a model computed faster than by Chainer, on the CPU, with the same results."""

from chainer_seg.engines.choice import ENGINES, compile

__all__ = ['ENGINES', 'compile']
