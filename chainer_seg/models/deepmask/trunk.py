"""The trunk of DeepMask and SharpMask: three stages of a ResNet and a feature vector for each window."""

import math
from collections.abc import Sequence

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.links import ResNet

STAGE_STRIDES = (1, 2, 2)
STRIDE = 16  # pixels between positions of the last stage

# Side of a patch minus that of its window, so that the network sees beyond the edge of the window; the
# last stage is cropped by one position on each side.
PATCH_MARGIN = 32

# Of images in 0..1, in the order red, green, blue.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)

# Mid-grey before normalisation, outside of an image.
PADDING_VALUE = 0.5


def normalise(images: np.ndarray) -> np.ndarray:
    """Normalises images for the network: minus the mean, divided by the deviation.

    Args:
        images: (..., 3, H, W) float32 RGB in 0..1, NumPy's or CuPy's.
    """
    xp = chainer.backend.get_array_module(images)
    mean = xp.array(IMAGE_MEAN, np.float32)[:, None, None]
    return (images - mean) / xp.array(IMAGE_STD, np.float32)[:, None, None]


class Trunk(chainer.Chain):
    """A ResNet to stride 16, and layers that turn each window into a feature vector.

    Args:
        window: Side of a window in positions of the last stage (fSz, a sixteenth of iSz).
        blocks, width, norm, seed: As those of :class:`chainer_seg.links.ResNet`.
        bottleneck: Channels to which the last stage is reduced.
        features: Length of the feature vector.

    ``forward`` takes (B, 3, H, W) and returns the outputs of the stem (before its pooling) and of
    the three stages, at strides 2, 4, 8 and 16.

    Attributes:
        reach: Radius in pixels of the receptive field of a position of the last stage.
    """

    def __init__(self, window: int, blocks: Sequence[int], width: int, norm: str, bottleneck: int,
                 features: int, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng((seed, 1))
        with self.init_scope():
            self.resnet = ResNet(blocks, width, stride_on='3x3', strides=STAGE_STRIDES,
                                 dilations=(1, 1, 1), padding='symmetric', norm=norm, seed=seed)
            self.bottleneck = L.Convolution2D(
                self.resnet.out_channels[-1], bottleneck, 1,
                initialW=chainer.initializers.HeNormal(rng=rng))
            self.features = WindowLinear(
                bottleneck, features, window, initialW=chainer.initializers.LeCunNormal(rng=rng))
        self.reach = _reach(blocks)

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the outputs of ``forward``."""
        return (self.resnet.stem.conv.out_channels,) + self.resnet.out_channels

    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        stem = F.relu(self.resnet.stem(x))
        return stem, *self.resnet.stages(stem)

    def describe(self, stage: ArrayOrVariable) -> chainer.Variable:
        """Features (B, features, h - window + 1, w - window + 1) of all windows of a stage (B, C, h, w)."""
        return self.features(F.relu(self.bottleneck(stage)))


class WindowLinear(L.Convolution2D):
    """Torch's Linear on windows of a map: a convolution, so that it slides over whole images.

    On maps of the size of a window it is one matrix product for the batch.
    """

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        if x.shape[2:] != self.W.shape[2:]:
            return super().forward(x)
        outputs, inputs = len(self.W), math.prod(x.shape[1:])
        y = F.linear(F.reshape(x, (len(x), inputs)), F.reshape(self.W, (outputs, inputs)), self.b)
        return y[:, :, None, None]


def _reach(blocks: Sequence[int]) -> int:
    # The stem reaches 3 pixels, its pooling 1 position at stride 2.
    reach, stride = 3 + 2, 4
    for count, step in zip(blocks, STAGE_STRIDES):
        reach += stride + (count - 1) * stride * step
        stride *= step
    return reach
