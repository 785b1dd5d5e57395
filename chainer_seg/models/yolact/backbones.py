"""The backbones of YOLACT by name; any link with maps of strides 8, 16 and 32 can be one."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated

import chainer
import numpy as np
from msgspec import Meta

from chainer_seg.links import DarkNet, EfficientNet, MobileNetV2, ResNet

# Mean and deviation of ImageNet on 0..255 for the published ResNets, in the order red, green, blue.
RESNET_MEAN = (123.68, 116.78, 103.94)
RESNET_STD = (58.40, 57.12, 57.38)

# Channels of the stem of a ResNet or a DarkNet, a factor for those of MobileNet and EfficientNet.
Width = Annotated[int, Meta(ge=1, le=2**16)] | Annotated[float, Meta(gt=0, le=64)]


@dataclasses.dataclass(frozen=True)
class Backbone:
    """How to build a backbone, and the normalisation of its input.

    Attributes:
        build: ``build(width=..., seed=..., **options) -> link``. The link has ``out_channels``, and
            its call on (B, 3, H, W) returns maps fine to coarse, the last three of which have the
            strides 8, 16 and 32 and sides ceil(H / stride), ceil(W / stride).
        width: The published width, the default of a model: channels of the stem, or
            a factor for those of all layers.
        mean: Subtracted from the pixels (red, green, blue) in 0..255.
        std: Divides them afterwards.
    """

    build: Callable[..., chainer.Chain]
    width: float
    mean: tuple[float, float, float] = RESNET_MEAN
    std: tuple[float, float, float] = RESNET_STD

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., 3) in 0..255, red, green, blue, as the backbone expects them, float32."""
        return (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)


# PyTorch's ResNets carry the stride on the 3x3 convolution.
BACKBONES = {
    'resnet50': Backbone(functools.partial(ResNet, blocks=(3, 4, 6, 3), stride_on='3x3'), 64),
    'resnet101': Backbone(functools.partial(ResNet, blocks=(3, 4, 23, 3), stride_on='3x3'), 64),
    'darknet53': Backbone(DarkNet, 32, mean=(0, 0, 0), std=(255, 255, 255)),
    'mobilenetv2': Backbone(MobileNetV2, 1.0),
    'efficientnet-b0': Backbone(EfficientNet, 1.0),
}


def register_backbone(name: str, backbone: Backbone) -> None:
    """Registers a :class:`Backbone` under a name for :class:`~chainer_seg.models.yolact.Yolact`."""
    BACKBONES[name] = backbone


def find_backbone(name: str) -> Backbone:
    """The :class:`Backbone` of a name.

    Raises:
        ValueError: No backbone is registered under this name.
    """
    if name not in BACKBONES:
        raise ValueError(f'unknown backbone {name!r}; choose from {", ".join(BACKBONES)}')
    return BACKBONES[name]
