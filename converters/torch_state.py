"""State dicts of PyTorch: weights by dotted names, copied into links."""

from collections.abc import Sequence

import chainer
import numpy as np

from chainer_seg.links import ResNet
from chainer_seg.links.deformable_convolution import DeformableConvolution2D
from chainer_seg.links.resnet import BasicBlock, Stage
from converters.trees import named_arrays
from converters.weight_mapping import UPDATES, WeightMapping


class State:
    """The arrays of a network, and the mapping that records their use.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        prefix: The prefix of all names of the network in the file.
    """

    def __init__(self, tree: object, mapping: WeightMapping, prefix: str = '') -> None:
        self.mapping = mapping
        self.arrays = {name.removeprefix(prefix): array for name, array in named_arrays(tree).items()
                       if name.startswith(prefix)}

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> np.ndarray:
        """The array with that name; an error about the file if it is missing."""
        if name not in self.arrays:
            self.mapping.fail(f'it has no {name}')
        return self.arrays[name]

    def shape(self, name: str, ndim: int) -> tuple[int, ...]:
        """The shape of an array, which must have ``ndim`` axes."""
        shape = self[name].shape
        if len(shape) != ndim:
            self.mapping.fail(f'{name} has the shape {shape}, expected {ndim} axes')
        return shape

    def count(self, pattern: str, first: int = 0) -> int:
        """The number of consecutive arrays ``pattern.format(number)``, starting at ``first``."""
        number = first
        while pattern.format(number) in self.arrays:
            number += 1
        return number - first

    def fill_convolution(self, link: chainer.Link, name: str) -> None:
        """Copies a convolution, with its bias if the link has one and its offsets if it is deformable."""
        self.mapping.fill(link.W.array, self[f'{name}.weight'])
        if link.b is not None:
            self.mapping.fill(link.b.array, self[f'{name}.bias'])
        if isinstance(link, DeformableConvolution2D):
            self.fill_convolution(link.offset, f'{name}.conv_offset_mask')

    def fill_norm(self, link: chainer.Link, name: str) -> None:
        """Copies a batch normalisation and its statistics."""
        for target, key in ((link.gamma.array, 'weight'), (link.beta.array, 'bias'),
                            (link.avg_mean, 'running_mean'), (link.avg_var, 'running_var')):
            self.mapping.fill(target, self[f'{name}.{key}'])
        link.N = UPDATES
        if f'{name}.num_batches_tracked' in self:
            self.mapping.skip(self[f'{name}.num_batches_tracked'], 'counter of training')

    def fill_conv_norm(self, link: chainer.Link, convolution: str, norm: str) -> None:
        """Copies a convolution and the normalisation behind it into a ``ConvNorm``."""
        self.fill_convolution(link.conv, convolution)
        self.fill_norm(link.norm, norm)

    def fill_resnet(self, resnet: ResNet, prefix: str, stages: Sequence[str]) -> None:
        """Copies a ResNet.

        Args:
            resnet: The :class:`chainer_seg.links.ResNet`.
            prefix: The prefix of all its arrays.
            stages: The names of its stages after the prefix.
        """
        self.fill_conv_norm(resnet.stem, f'{prefix}conv1', f'{prefix}bn1')
        for link, stage in zip(resnet.stage_names, stages):
            self.fill_blocks(resnet[link], f'{prefix}{stage}')

    def fill_blocks(self, stage: Stage, name: str) -> None:
        """Copies the residual blocks of a stage."""
        for number, block in enumerate(stage):
            self._fill_block(block, f'{name}.{number}')

    def _fill_block(self, block: chainer.Chain, name: str) -> None:
        basic = isinstance(block, BasicBlock)
        links = (block.first, block.second) if basic else (block.reduce, block.middle, block.expand)
        for number, link in enumerate(links, start=1):
            self.fill_conv_norm(link, f'{name}.conv{number}', f'{name}.bn{number}')
        if block.projects:
            self.fill_conv_norm(block.shortcut, f'{name}.downsample.0', f'{name}.downsample.1')
