"""Masks of the object in whose middle a click lies: the network looks there at every scale.

DeepMask and SharpMask are trained on patches in whose middle an object is (arXiv 1506.06204, section
3.1). Full-scene inference has windows every 16 pixels of a level only.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deepmask.defaults import MASK_THRESHOLD
from chainer_seg.models.deepmask.pasting import paste_windows
from chainer_seg.models.deepmask.pyramid import build_pyramid
from chainer_seg.models.deepmask.trunk import STRIDE
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.inference import inference

if TYPE_CHECKING:
    from chainer_seg.models.deepmask.proposals import ProposalModel


def masks_at(model: 'ProposalModel', image: npt.NDArray[np.uint8], click: Click,
             scales: Sequence[float]) -> CandidateMasks:
    """The masks of the patches around a click, one for each scale.

    Args:
        model: A DeepMask or SharpMask.
        image: (H, W, 3) uint8 RGB.
        click: In pixels of the image.
        scales: Those of the pyramid; scales at which nothing of the image is left are omitted.
    """
    levels = build_pyramid(model.device.send(image), scales, model.patch_size)
    # A level has half a window of border: the window around a pixel begins at its coordinates.
    corners = [[round((place + 0.5) * level.scale) for place in (click.y, click.x)] for level in levels]
    patches = [level.read(*((first - STRIDE, first + model.patch_size + STRIDE) for first in corner))
               for level, corner in zip(levels, corners)]
    with inference():
        logits, scores = (output.array for output in model.forward(model.xp.stack(patches)))
        model.check_finite(logits, scores)
    logits, scores = cuda.to_cpu(logits), cuda.to_cpu(scores)
    parts = []
    for number, (level, (top, left)) in enumerate(zip(levels, np.array(corners)[:, :, None])):
        parts.append((paste_windows(logits[number:number + 1], top, left, model.patch_size, level.scale,
                                    image.shape[:2], MASK_THRESHOLD), np.array([number])))
    runs = RunLengthMasks.collect(parts, len(levels), image.shape[:2])
    return CandidateMasks.of(runs, 0.5 * np.tanh(0.5 * scores) + 0.5)
