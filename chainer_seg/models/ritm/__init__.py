"""RITM, iterative click segmentation with mask guidance (arXiv 2102.06583)."""

import typing

from chainer_seg import lazy

if typing.TYPE_CHECKING:
    from chainer_seg.models.ritm.networks import RitmDeepLab, RitmHRNet
    from chainer_seg.models.ritm.segmenter import RitmSegmenter

_NAMES = {'RitmDeepLab': 'networks', 'RitmHRNet': 'networks', 'RitmSegmenter': 'segmenter'}

__all__ = ['RitmDeepLab', 'RitmHRNet', 'RitmSegmenter']
__getattr__, __dir__ = lazy.names(__name__, _NAMES)
