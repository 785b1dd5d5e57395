"""A backbone by itself, as it was trained to classify images, from which a YOLACT starts."""

import chainer

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.models.base import Model
from chainer_seg.models.yolact.backbones import Width, find_backbone
from chainer_seg.schema import Count, Stages, Text


class YolactBackbone(Model):
    """A backbone without a head; ``chainer-seg train yolact --backbone`` takes its model file.

    ResNets are a :class:`chainer_seg.models.classifier.ResNetClassifier` instead.

    Args:
        backbone: A name in :data:`chainer_seg.models.yolact.backbones.BACKBONES`.
        width, blocks: As those of :class:`chainer_seg.models.yolact.Yolact`.
        seed: Seed of the initial weights.

    ``forward`` takes (B, 3, H, W) float32, normalised as the backbone requires, and returns a tuple of
    maps, fine to coarse. The network alone is ``net``.
    """

    def __init__(self, backbone: Text = 'darknet53', width: Width | None = None, blocks: Stages | None = None,
                 seed: Count = 0) -> None:
        super().__init__()
        kind = find_backbone(backbone)
        options = {} if blocks is None else {'blocks': blocks}
        with self.init_scope():
            self.net = kind.build(width=width or kind.width, seed=seed, **options)

    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        return self.net(x)
