"""DeepMask (arXiv 1506.06204, section 3) and SharpMask, which refines its masks (arXiv 1603.08695).

The parameters of the Torch implementation, with Torch's weight and bias as W and b::

    Torch                                  parameters here
    trunk 1 to 7                           trunk/resnet/{stem, res2, res3, res4}/...
    trunk 9 (1x1 convolution)              trunk/bottleneck/{W, b}
    trunk 12 (Linear)                      trunk/features/{W, b}      W (features, bottleneck, fSz, fSz)
    scoreBranch 2, 5 (Linear)              score/{hidden, logit}/{W, b}    W (outputs, inputs, 1, 1)
    maskBranch 1.1, maskBranchDM 1.1       mask/{W, b}                W (oSz * oSz, features, 1, 1)
    neths[k], its three convolutions       refine/horizontal{k}/{conv1, conv2, conv3}/{W, b}
    netvs[0] 1 (Linear)                    refine/coarse/{W, b}       W (km * fSz * fSz, features, 1, 1)
    netvs[k], its two convolutions         refine/vertical{k}/{conv1, conv2}/{W, b}
    refs[4] 6 (its last convolution)       refine/logit/{W, b}

k goes from 1 to 4. The arrays of a Linear are only reshaped.
"""

from collections.abc import Sequence
from typing import Literal

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import symmetric_pad
from chainer_seg.models.deepmask.proposals import ProposalModel
from chainer_seg.models.deepmask.trunk import STRIDE, Trunk, WindowLinear
from chainer_seg.models.inference import network
from chainer_seg.schema import Channels, Count, InputSide, Share, Stages

STEPS = 4  # Refinement steps, each of which doubles the side of the mask: from stride 16 to 1.

# The lower limit of the score branch's units; Torch's Threshold(0, 1e-6) keeps what lies between 0 and it.
SCORE_FLOOR = np.float32(1e-6)


class DeepMask(ProposalModel):
    """One mask and one score for the object in the middle of a patch.

    Args:
        patch_size: Side of the window that a mask covers, in pixels; a multiple of 16 (iSz).
        mask_size: Side of the predicted mask (oSz).
        target_size: Side to which masks are enlarged for the loss (gSz).
        blocks: Number of blocks of the three ResNet stages; (3, 4, 6) is ResNet-50's.
        width: Channels of the stem; the last stage has 16 times as many.
        norm: ``'affine'``, a fixed scale and shift, or ``'batch'``, batch normalisation.
        bottleneck: Channels to which the last stage is reduced.
        features: Length of the vector from which mask and score are computed.
        hidden: Hidden units of the score branch.
        dropout: Share of the score branch's units that are dropped in training.
        seed: Seed of the initial weights.

    ``forward`` takes patches (B, 3, patch_size + 32, patch_size + 32) float32, RGB in 0..1 through
    :func:`chainer_seg.models.deepmask.normalise`, and returns the mask logits (B, mask_size,
    mask_size) of their windows, and the score logits (B,).
    """

    mask_size: int

    def __init__(self, patch_size: InputSide = 160, mask_size: InputSide = 56,
                 target_size: InputSide = 112, blocks: Stages = (3, 4, 6), width: Channels = 64,
                 norm: Literal['affine', 'batch'] = 'affine', bottleneck: Channels = 128,
                 features: Channels = 512, hidden: Channels = 1024, dropout: Share = 0.5,
                 seed: Count = 0) -> None:
        super().__init__()
        _check_multiple('patch_size', patch_size, STRIDE)
        self.patch_size, self.mask_size, self.target_size = patch_size, mask_size, target_size
        with self.init_scope():
            self.trunk = Trunk(patch_size // STRIDE, blocks, width, norm, bottleneck, features, seed)
            self.score = ScoreBranch(features, hidden, dropout, seed)
            self.mask = _mask_branch(features, mask_size, seed)

    @network
    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, chainer.Variable]:
        features = self.encode(x)
        return self.window_masks(features, ()), self.score(features)[:, 0, 0]

    def encode(self, x: ArrayOrVariable) -> chainer.Variable:
        """The feature vectors (B, features, 1, 1) of patches."""
        return self.trunk.describe(crop(self.trunk(x)[-1], 1))


class SharpMask(ProposalModel):
    """DeepMask whose coarse mask is refined step by step with the features of earlier stages.

    Args:
        patch_size, blocks, width, norm, bottleneck, features, hidden, dropout, seed: As those of
            :class:`DeepMask`.
        mask_size: Side of the masks of the additional DeepMask branch (oSz); None for no such branch.
        mask_channels: Channels of the coarse mask, a multiple of 16; each step halves them (km and
            ks, which are equal because the maps of both paths are added).
        skip_channels: Channels to which a skip connection first reduces the features of its stage;
            half of it for the stem.

    ``forward`` takes patches as that of :class:`DeepMask` and returns mask logits (B, patch_size,
    patch_size), one for each pixel of the window, and the score logits (B,).
    """

    clips_to_mask = True

    def __init__(self, patch_size: InputSide = 160, mask_size: InputSide | None = 56,
                 blocks: Stages = (3, 4, 6), width: Channels = 64,
                 norm: Literal['affine', 'batch'] = 'affine', bottleneck: Channels = 128,
                 features: Channels = 512, hidden: Channels = 1024, mask_channels: Channels = 32,
                 skip_channels: Channels = 64, dropout: Share = 0.5, seed: Count = 0) -> None:
        super().__init__()
        _check_multiple('patch_size', patch_size, STRIDE)
        self.patch_size, self.mask_size, self.target_size = patch_size, mask_size, patch_size
        window = patch_size // STRIDE
        with self.init_scope():
            self.trunk = Trunk(window, blocks, width, norm, bottleneck, features, seed)
            self.score = ScoreBranch(features, hidden, dropout, seed)
            self.refine = Refinement(window, features, self.trunk.channels,
                                     mask_channels, skip_channels, seed)
            if mask_size is not None:
                self.mask = _mask_branch(features, mask_size, seed)

    @network
    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, chainer.Variable]:
        stages = self.trunk(x)
        features = self.trunk.describe(crop(stages[-1], 1))
        skips = [self.refine.skip(k, crop(stages[-k], 2 ** (k - 1))) for k in range(1, STEPS + 1)]
        return self.refine(features, skips), self.score(features)[:, 0, 0]

    def skips(self, stages: Sequence[chainer.Variable]) -> list[chainer.Variable]:
        return [self.refine.skip(k, stages[-k]) for k in range(1, STEPS + 1)]

    @network
    def window_masks(self, features: ArrayOrVariable, skips: Sequence[ArrayOrVariable]) -> chainer.Variable:
        return self.refine(features, skips) if skips else super().window_masks(features, skips)


class ScoreBranch(chainer.Chain):
    """The logits (B, h, w) that windows contain an object, from feature vectors (B, features, h, w)."""

    def __init__(self, features: int, hidden: int, dropout: float, seed: int) -> None:
        super().__init__()
        rng = np.random.default_rng((seed, 2))
        self.dropout = dropout
        with self.init_scope():
            self.hidden = WindowLinear(features, hidden, 1,
                                       initialW=chainer.initializers.HeNormal(rng=rng))
            self.logit = WindowLinear(hidden, 1, 1,
                                      initialW=chainer.initializers.LeCunNormal(rng=rng))

    def forward(self, features: ArrayOrVariable) -> chainer.Variable:
        h = self.hidden(F.dropout(features, self.dropout))
        h = F.maximum(h, self.xp.full((1, 1, 1, 1), SCORE_FLOOR))
        return self.logit(F.dropout(h, self.dropout))[:, 0]


class Refinement(chainer.Chain):
    """The refinement of SharpMask (section 3 there, figure 2c).

    ``forward`` takes feature vectors (B, features, 1, 1) and, for k from 1 to 4, the results of
    :meth:`skip` for the windows of stage 5 - k, (B, mask_channels / 2 ** k, s, s) with
    s = window * 2 ** (k - 1); it returns mask logits (B, 16 * window, 16 * window).
    """

    def __init__(self, window: int, features: int, stage_channels: Sequence[int], mask_channels: int,
                 skip_channels: int, seed: int) -> None:
        super().__init__()
        _check_multiple('mask_channels', mask_channels, 2 ** STEPS)
        rng = np.random.default_rng((seed, 3))
        self.window, self.mask_channels = window, mask_channels
        with self.init_scope():
            self.coarse = WindowLinear(features, mask_channels * window ** 2, 1,
                                       initialW=chainer.initializers.LeCunNormal(rng=rng))
            for k in range(1, STEPS + 1):
                first = skip_channels if k < STEPS else skip_channels // 2
                wide, narrow = mask_channels // 2 ** (k - 1), mask_channels // 2 ** k
                setattr(self, f'horizontal{k}', MirroredConvolutions(
                    (stage_channels[-k], first, wide, narrow), rng))
                setattr(self, f'vertical{k}', MirroredConvolutions((wide, wide, narrow), rng))
            self.logit = MirroredConvolution(mask_channels // 2 ** STEPS, 1, rng)

    def skip(self, k: int, stage: chainer.Variable) -> chainer.Variable:
        """The skip connection of step ``k`` (1 to 4), from a stage's features (B, C, h, w)."""
        return self[f'horizontal{k}'](stage)

    def forward(self, features: ArrayOrVariable, skips: Sequence[ArrayOrVariable]) -> chainer.Variable:
        return self.logit(self.steps(features, skips)[-1])[:, 0]

    def steps(self, features: ArrayOrVariable, skips: Sequence[ArrayOrVariable]) -> list[chainer.Variable]:
        """The coarse mask and the enlarged result of each of the four steps."""
        side = self.window
        maps = [F.reshape(self.coarse(features), (len(features), self.mask_channels, side, side))]
        for k, skip in enumerate(skips, start=1):
            merged = F.relu(skip + self[f'vertical{k}'](maps[-1]))
            maps.append(F.repeat(F.repeat(merged, 2, axis=2), 2, axis=3))
        return maps


class MirroredConvolution(L.Convolution2D):
    """A 3x3 convolution with symmetric padding."""

    def __init__(self, in_channels: int, out_channels: int, rng: np.random.Generator) -> None:
        super().__init__(in_channels, out_channels, 3,
                         initialW=chainer.initializers.HeNormal(rng=rng))

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        return super().forward(symmetric_pad(x, 1))


class MirroredConvolutions(chainer.Chain):
    """3x3 convolutions ``conv1``, ``conv2``, ... with ReLU between them."""

    def __init__(self, channels: Sequence[int], rng: np.random.Generator) -> None:
        super().__init__()
        self.names = tuple(f'conv{number}' for number in range(1, len(channels)))
        with self.init_scope():
            for name, inputs, outputs in zip(self.names, channels, channels[1:]):
                setattr(self, name, MirroredConvolution(inputs, outputs, rng))

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        y: chainer.Variable = self[self.names[0]](x)
        for name in self.names[1:]:
            y = self[name](F.relu(y))
        return y


def crop(x: chainer.Variable, border: int) -> chainer.Variable:
    """(B, C, h, w) without ``border`` rows and columns on each side."""
    return x[:, :, border:-border, border:-border]


def _mask_branch(features: int, mask_size: int, seed: int) -> WindowLinear:
    rng = np.random.default_rng((seed, 4))
    return WindowLinear(features, mask_size ** 2, 1,
                        initialW=chainer.initializers.LeCunNormal(rng=rng))


def _check_multiple(name: str, value: int, factor: int) -> None:
    if value < factor or value % factor:
        raise ValueError(f'{name} must be a multiple of {factor}, got {value}')
