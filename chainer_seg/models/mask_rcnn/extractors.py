"""The feature maps of an image, and the features of a region, which the heads see: C4 and FPN.

C4 is arXiv 1506.01497 on a ResNet (arXiv 1703.06870, figure 4 left), FPN arXiv 1612.03144.
"""

import functools
from collections.abc import Callable, Sequence

import chainer
import numpy as np
from chainer import functions as F
from chainer.backends import cuda

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.functions import roi_align, roi_pool
from chainer_seg.links import FeaturePyramid, ResNet
from chainer_seg.models.mask_rcnn.heads import FPN_MASK_CONVOLUTIONS

# The size of a region that FPN assigns to level 4, and this level (arXiv 1612.03144, equation 1).
CANONICAL_SIZE = 224
CANONICAL_LEVEL = 4
FINEST_LEVEL = 2

# Detectron's guard against rounding for a region exactly between two levels.
_LEVEL_EPS = 1e-6


class C4Extractor(chainer.Chain):
    """A ResNet up to its last stage but one; the last stage is run on each region.

    Args:
        resnet: A :class:`chainer_seg.links.ResNet` whose stages, but the first, halve the side.
        pooling: ``'align'`` or ``'pool'``, RoIAlign or RoI pooling.
        sampling_ratio: Samples of RoIAlign along each side of a bin; 0 for one per pixel.
        half_open: Whether RoIAlign is Detectron2's.

    ``forward`` takes (B, 3, H, W) and returns a tuple of one map, at ``strides[0]``.
    """

    mask_convolutions = 0

    def __init__(self, resnet: ResNet, pooling: str, sampling_ratio: int, half_open: bool = False) -> None:
        super().__init__()
        self.pool = _pooling(pooling, sampling_ratio, half_open)
        with self.init_scope():
            self.resnet = resnet
        self.strides = (2 ** len(resnet.out_channels),)
        self.channels, self.region_channels = resnet.out_channels[-2:]

    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        h = self.resnet.pool(F.relu(self.resnet.stem(x)))
        for name in self.resnet.stage_names[:-1]:
            h = self.resnet[name](h)
        return h,

    def pool_regions(self, features: Sequence[chainer.Variable], rois: Array, roi_indices: Array,
                     size: int) -> chainer.Variable:
        """The features (R, channels, size, size) of each RoI."""
        return self.pool(features[0], rois, roi_indices, size, 1 / self.strides[0])

    def region_features(self, pooled: ArrayOrVariable) -> chainer.Variable:
        """The output (R, region_channels, ceil(size / 2), ceil(size / 2)) of the last stage for each RoI."""
        return self.resnet[self.resnet.stage_names[-1]](pooled)


class FPNExtractor(chainer.Chain):
    """A ResNet and a feature pyramid from stride 4 on, with one more level on top.

    Args:
        resnet: A :class:`chainer_seg.links.ResNet` whose stages, but the first, halve the side.
        channels: Channels of each level.
        canonical_size: Side in pixels of a region that belongs to level 4, of stride 16.
        pooling, sampling_ratio: As those of :class:`C4Extractor`.
        seed: Seed of the initial weights of the pyramid.
        norm_groups: Groups of the group normalisation of the pyramid; None for none.
        half_open: As that of :class:`C4Extractor`.

    ``forward`` takes (B, 3, H, W), H and W multiples of the coarsest stage's stride, and returns a
    tuple of maps, fine to coarse, at ``strides``. The last serves proposals only.
    """

    mask_convolutions = FPN_MASK_CONVOLUTIONS

    def __init__(self, resnet: ResNet, channels: int, canonical_size: float, pooling: str,
                 sampling_ratio: int, seed: int, norm_groups: int | None = None,
                 half_open: bool = False) -> None:
        super().__init__()
        self.pool = _pooling(pooling, sampling_ratio, half_open)
        self.canonical_size = canonical_size
        with self.init_scope():
            self.resnet = resnet
            self.pyramid = FeaturePyramid(resnet.out_channels, channels, seed=seed,
                                          norm_groups=norm_groups)
        levels = len(resnet.out_channels) + 1
        self.strides = tuple(2 ** (FINEST_LEVEL + level) for level in range(levels))
        self.channels = self.region_channels = channels

    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        return self.pyramid(self.resnet(x))

    def pool_regions(self, features: Sequence[chainer.Variable], rois: Array, roi_indices: Array,
                     size: int) -> chainer.Variable:
        """The features (R, channels, size, size) of each RoI, pooled from its level."""
        # On the CPU, so that a GPU is synchronised once and not at each level.
        levels = cuda.to_cpu(roi_levels(rois, len(features) - 1, self.canonical_size))
        pooled, members = [], []
        for level, (x, stride) in enumerate(zip(features[:-1], self.strides)):
            chosen = np.flatnonzero(levels == level).astype(np.int32)
            if len(chosen):
                chosen = self.device.send(chosen)
                pooled.append(self.pool(x, rois[chosen], roi_indices[chosen], size, 1 / stride))
                members.append(chosen)
        if len(pooled) == 1:
            return pooled[0]
        # Back from the order by levels to that of the RoIs.
        order = self.xp.concatenate(members)
        return F.permutate(F.concat(pooled, axis=0), order, axis=0, inv=True)

    def region_features(self, pooled: ArrayOrVariable) -> ArrayOrVariable:
        """The pooled features themselves."""
        return pooled


def roi_levels(rois: np.ndarray, levels: int, canonical_size: float = CANONICAL_SIZE) -> np.ndarray:
    """The pyramid level of each RoI: the larger, the coarser.

    Args:
        rois: (R, 4) float32 with inclusive maxima, in pixels of the network's input.
        levels: Number of levels.
        canonical_size: Side in pixels of a region that belongs to level 4.

    Returns:
        (R,) int32 from 0, the finest level, which is the paper's level 2.
    """
    xp = chainer.backend.get_array_module(rois)
    # The maxima of a box narrower than a pixel are below its minima, and by more once a small image is
    # enlarged to the network's input.
    sides = xp.maximum(rois[:, 2:] - rois[:, :2] + 1, 0)
    size = xp.sqrt(sides[:, 0] * sides[:, 1])
    level = xp.floor(CANONICAL_LEVEL + xp.log2(size / canonical_size + _LEVEL_EPS))
    return xp.clip(level - FINEST_LEVEL, 0, levels - 1).astype(np.int32)


def _pooling(name: str, sampling_ratio: int, half_open: bool) -> Callable[..., chainer.Variable]:
    """The pooling function (x, rois, roi_indices, size, scale) of a name, for RoIs with inclusive maxima."""
    if half_open:
        return functools.partial(_aligned, sampling_ratio=sampling_ratio)
    if name == 'align':
        return functools.partial(roi_align, sampling_ratio=sampling_ratio)
    if name == 'pool':
        return roi_pool
    raise ValueError(f"pooling must be 'align' or 'pool', got {name!r}")


def _aligned(x: chainer.Variable, rois: Array, roi_indices: Array, size: int, scale: float,
             sampling_ratio: int) -> chainer.Variable:
    """Detectron2's RoIAlign, of RoIs with inclusive maxima as the others."""
    xp = chainer.backend.get_array_module(rois)
    half_open = rois + xp.asarray([0, 0, 1, 1], np.float32)
    return roi_align(x, half_open, roi_indices, size, scale, sampling_ratio, aligned=True)
