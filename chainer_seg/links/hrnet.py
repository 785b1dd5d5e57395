"""HRNet (Wang et al., arXiv 1908.07919): branches of several resolutions, fused again and again."""

from collections.abc import Sequence

import chainer
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import resize_like
from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder
from chainer_seg.links.resnet import Stage, default_out_width


class HRNet(chainer.Chain):
    """A stem to a quarter of the resolution, a stage of bottlenecks, and stages with one more branch each.

    Args:
        width: Channels C of the finest branch; the following ones have 2C, 4C, ...
        blocks: Number of residual blocks of the first stage and of each branch of a module.
        modules: Number of modules of each further stage. HRNet-W18 and -W32 have (1, 4, 3) with 4
            blocks, HRNet-W18-small-v2 (1, 3, 2) with 2.
        stem_width: Channels of the stem and of the 3x3 convolutions of the first stage.
        in_channels: Channels of the input.
        seed: Seed of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) float32 and returns a tuple with the output of each branch
    of the last stage, at strides 4, 8, 16, ... The stages are the children ``stage1``, ``stage2``, ...
    """

    def __init__(self, width: int = 18, blocks: int = 4, modules: tuple[int, ...] = (1, 4, 3),
                 stem_width: int = 64, in_channels: int = 3, seed: int = 0) -> None:
        super().__init__()
        build = LayerBuilder.plain(seed)
        self.stage_names = tuple(f'stage{number + 2}' for number in range(len(modules)))
        self.out_channels = tuple(width * 2 ** i for i in range(len(modules) + 1))
        with self.init_scope():
            self.stem1 = ConvNorm(build, in_channels, stem_width, 3, stride=2)
            self.stem2 = ConvNorm(build, stem_width, stem_width, 3, stride=2)
            self.stage1 = Stage(build, blocks, stem_width, stem_width, 1, 1, '3x3')
            channels = (default_out_width('bottleneck', stem_width),)
            for number, (name, count) in enumerate(zip(self.stage_names, modules), start=2):
                setattr(self, name, ParallelStage(
                    build, channels, self.out_channels[:number], count, blocks))
                channels = self.out_channels[:number]

    def forward(self, x: ArrayOrVariable, extra: ArrayOrVariable | None = None
                ) -> tuple[chainer.Variable, ...]:
        """The outputs of all branches.

        Args:
            x: (B, in_channels, H, W) float32.
            extra: (B, stem_width, ceil(H / 2), ceil(W / 2)), added to the features behind the first
                convolution; None for nothing.
        """
        h = F.relu(self.stem1(x))
        h = F.relu(self.stem2(h if extra is None else h + extra))
        branches = (self.stage1(h),)
        for name in self.stage_names:
            branches = self[name](branches)
        return branches


class ParallelStage(chainer.Chain):
    """A new branch from the coarsest one, then modules (figure 2).

    Args:
        build: The :class:`chainer_seg.links.conv_norm.LayerBuilder`.
        in_channels: Channels of each incoming branch.
        channels: Channels of each branch; one more than come in.
        modules: Number of modules.
        blocks: Number of residual blocks of each branch of a module.

    Incoming branches of other channels are projected by a 3x3 convolution, as behind the first stage.
    """

    def __init__(self, build: LayerBuilder, in_channels: tuple[int, ...], channels: tuple[int, ...],
                 modules: int, blocks: int) -> None:
        super().__init__()
        # None stands for a branch that stays as it is.
        self.projects = tuple(old != new for old, new in zip(in_channels, channels))
        with self.init_scope():
            self.projections = chainer.ChainList(*(
                ConvNorm(build, old, new, 3)
                for old, new, projects in zip(in_channels, channels, self.projects) if projects))
            self.down = ConvNorm(build, in_channels[-1], channels[-1], 3, stride=2)
            self.modules = chainer.ChainList(*(
                ParallelModule(build, channels, blocks) for _ in range(modules)))

    def forward(self, branches: Sequence[ArrayOrVariable]) -> tuple[chainer.Variable, ...]:
        projections = iter(self.projections)
        outputs: Sequence[chainer.Variable] = [
            F.relu(next(projections)(x)) if projects else chainer.as_variable(x)
            for x, projects in zip(branches, self.projects)]
        outputs = [*outputs, F.relu(self.down(branches[-1]))]
        for module in self.modules:
            outputs = module(outputs)
        return tuple(outputs)


class ParallelModule(chainer.Chain):
    """Residual blocks on each branch, then the sum of all branches at each resolution (figure 4).

    Args:
        build: The :class:`chainer_seg.links.conv_norm.LayerBuilder`.
        channels: Channels of each branch.
        blocks: Number of residual blocks of each branch.

    The child ``fusions[i][j]`` brings the j-th of the other branches to the resolution and the channels
    of the i-th.
    """

    def __init__(self, build: LayerBuilder, channels: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        with self.init_scope():
            self.branches = chainer.ChainList(*(
                Stage(build, blocks, width, width, 1, 1, '3x3', block='basic') for width in channels))
            self.fusions = chainer.ChainList(*(
                chainer.ChainList(*(_fusion(build, channels, source, target)
                                    for source in range(len(channels)) if source != target))
                for target in range(len(channels))))

    def forward(self, branches: Sequence[ArrayOrVariable]) -> list[chainer.Variable]:
        outputs = [blocks(x) for blocks, x in zip(self.branches, branches)]
        return [F.relu(self._sum(target, links, outputs)) for target, links in enumerate(self.fusions)]

    def _sum(self, target: int, links: chainer.ChainList, branches: list[chainer.Variable]
             ) -> chainer.Variable:
        others = iter(links)
        terms = [x if source == target else next(others)(x) for source, x in enumerate(branches)]
        coarser = [resize_like(x, branches[target]) for x in terms[target + 1:]]
        return sum([*terms[1:target + 1], *coarser], terms[0])


class Downsampling(chainer.ChainList):
    """3x3 convolutions of stride 2 with ReLUs between them; the last one changes the channels."""

    def __init__(self, build: LayerBuilder, in_channels: int, out_channels: int, steps: int) -> None:
        super().__init__(*(
            ConvNorm(build, in_channels, out_channels if step == steps - 1 else in_channels, 3, stride=2)
            for step in range(steps)))

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        first, *others = self
        h = first(x)
        for link in others:
            h = link(F.relu(h))
        return h


def _fusion(build: LayerBuilder, channels: Sequence[int], source: int, target: int) -> chainer.Link:
    if source > target:
        return ConvNorm(build, channels[source], channels[target], 1)
    return Downsampling(build, channels[source], channels[target], target - source)


def side_by_side(branches: Sequence[ArrayOrVariable]) -> chainer.Variable:
    """All branches as one map at the resolution of the first (figure 4b)."""
    return F.concat([branches[0], *(resize_like(x, branches[0]) for x in branches[1:])])
