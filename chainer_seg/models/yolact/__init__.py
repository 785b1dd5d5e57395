"""YOLACT (arXiv 1904.02689) and YOLACT++ (arXiv 1912.06218): real-time instance segmentation."""

from chainer_seg.models.yolact.backbones import Backbone, register_backbone
from chainer_seg.models.yolact.model import Yolact

__all__ = ['Backbone', 'Yolact', 'register_backbone']
