"""The trunk of DeepMask and SharpMask: three stages of a ResNet and a vector for each window of them."""

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.links import ResNet

STAGE_STRIDES = (1, 2, 2)
STRIDE = 16  # Pixels from one position of the last stage to the next.

# A patch is this much wider than the window it shows, so that the network sees beyond its edge; the
# last stage is cropped by one position on each side for it.
PATCH_MARGIN = 32

# Of an image whose values are in 0..1, in the order red, green, blue.
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)

# Mid-grey, before normalisation: what lies outside an image.
PADDING_VALUE = 0.5


def normalise(images: np.ndarray) -> np.ndarray:
    """Images as the network takes them: less their mean, divided by their deviation.

    Args:
        images: (..., 3, H, W) float32 RGB in 0..1, NumPy's or CuPy's.
    """
    xp = chainer.backend.get_array_module(images)
    mean = xp.array(IMAGE_MEAN, np.float32)[:, None, None]
    return (images - mean) / xp.array(IMAGE_STD, np.float32)[:, None, None]


class Trunk(chainer.Chain):
    """ResNet to stride 16 and what follows it to one feature vector for each window.

    Args:
        window: Side of a window in positions of the last stage (fSz, a sixteenth of iSz).
        blocks, width, norm, seed: As those of :class:`chainer_seg.links.ResNet`.
        bottleneck: Channels that the last stage is reduced to.
        features: Length of the feature vector.

    ``forward`` takes (B, 3, H, W) and returns the outputs of the stem (before its pooling) and of
    the three stages, at strides 2, 4, 8 and 16.

    Attributes:
        reach: How many pixels around its own place a position of the last stage depends on.
    """

    def __init__(self, window, blocks, width, norm, bottleneck, features, seed):
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
    def channels(self):
        """Channels of what ``forward`` returns."""
        return (self.resnet.stem.conv.out_channels,) + self.resnet.out_channels

    def forward(self, x):
        stem = F.relu(self.resnet.stem(x))
        return stem, *self.resnet.stages(stem)

    def describe(self, stage: chainer.Variable) -> chainer.Variable:
        """The feature vectors (B, features, h - window + 1, w - window + 1) of all windows of the
        last stage (B, C, h, w)."""
        return self.features(F.relu(self.bottleneck(stage)))


class WindowLinear(L.Convolution2D):
    """Torch's Linear on windows of a map: a convolution, so that it slides over whole images.

    On maps that are no larger than a window it is one matrix product for the batch.
    """

    def forward(self, x):
        if x.shape[2:] != self.W.shape[2:]:
            return super().forward(x)
        y = F.linear(F.reshape(x, (len(x), -1)), F.reshape(self.W, (len(self.W), -1)), self.b)
        return y[:, :, None, None]


def _reach(blocks):
    # The stem looks 3 pixels around, its pooling 1 position at stride 2.
    reach, stride = 3 + 2, 4
    for count, step in zip(blocks, STAGE_STRIDES):
        reach += stride + (count - 1) * stride * step
        stride *= step
    return reach
