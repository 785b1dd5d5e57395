"""Multi-scale inputs of DeepLab-v2 (arXiv 1606.00915, section 3.3): one network sees several sizes."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chainer_seg.arrays import ArrayOrVariable

if TYPE_CHECKING:
    import chainer

STRIDE = 8  # The logits are those of every eighth pixel.

SCALES = (1, 0.75, 0.5)  # of the published ResNet-101, in training and in use


def multi_scale_logits(forward: 'Callable[[ArrayOrVariable], chainer.Variable]', x: ArrayOrVariable,
                       scales: Sequence[float] = SCALES
                       ) -> 'tuple[list[chainer.Variable], chainer.Variable]':
    """The logits of one input at several scales, and their maximum at each position.

    Images and logits are resized as in the authors' Caffe files: bilinearly, with the centres of the
    corner pixels fixed, and images to :func:`scaled_size`.

    Args:
        forward: The network.
        x: The input of the network, (B, C, H, W) float32.
        scales: Positive numbers.

    Returns:
        The logits (B, n_class, h, w) of each scale, each of its own size, and the fused logits, of the
        size of those of scale 1, or of the first scale if 1 is not among them.
    """
    from chainer import functions as F
    logits = [forward(_resized(x, scaled_size(x.shape[2:], scale))) for scale in scales]
    size = logits[scales.index(1) if 1 in scales else 0].shape[2:]
    fused: chainer.Variable = _resized(logits[0], size)
    for each in logits[1:]:
        fused = F.maximum(fused, _resized(each, size))
    return logits, fused


def scaled_size(size: Sequence[int], scale: float) -> tuple[int, int]:
    """The (height, width) of an image of this (height, width) at a scale.

    At other scales than 1, sides are a multiple of eight plus one, as in the Caffe files: 321 pixels
    become 241 at scale 0.75 and 161 at scale 0.5. The first and the last logits then belong to the first
    and the last pixels, so that the logits of all scales are aligned.
    """
    height, width = size if scale == 1 else (
        STRIDE * max(1, round(scale * (side - 1) / STRIDE)) + 1 for side in size)
    return height, width


def _resized(x: Any, size: tuple[int, int]) -> Any:
    from chainer_seg.functions import resize_bilinear
    return x if x.shape[2:] == size else resize_bilinear(x, size)
