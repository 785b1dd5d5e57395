"""The view of a file's layers that DeepLab and the ResNets with Caffe's layer names are built from."""

import re
from typing import Protocol

import chainer

from converters.weight_mapping import WeightMapping


class LayerView(Protocol):
    """The layers of a network, whatever framework saved them.

    Attributes:
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of the file's arrays.
    """

    mapping: WeightMapping

    def stages(self) -> list[list[str]]:
        """For each stage, the names of its blocks, such as res2a, res2b, res2c."""

    def heads(self) -> tuple[list[str], list[str]]:
        """Names of the convolutions that read the last stage, and of the layers of logits that read its
        mean."""

    def shape(self, name: str) -> tuple[int, int, int, int]:
        """Outputs, inputs, height and width of a convolution."""

    def has_bias(self, name: str) -> bool:
        """Whether a convolution has a bias."""

    def parameters(self, name: str) -> dict[str, int] | None:
        """``stride``, ``dilation`` and ``pad`` of a convolution; None if the format does not store them."""

    def pooling(self, name: str) -> dict[str, int] | None:
        """``kernel_size``, ``stride`` and ``pad`` of a pooling layer; None if the format does not store
        them."""

    def skip(self, name: str, reason: str) -> None:
        """Records that a convolution is not needed."""

    def fill_convolution(self, link: chainer.Link, name: str) -> None:
        """Copies a convolution into a Convolution2D, with its bias if the link has one."""

    def fill_conv_norm(self, link: chainer.Link, convolution: str, suffix: str) -> None:
        """Copies a convolution and its batch normalisation into a ConvNorm."""

    def fill_logits(self, link: chainer.Link, name: str) -> None:
        """Copies a layer of logits into a convolution of size 1."""


def natural_order(name: str) -> list[int | str]:
    """The key for which names of layers are sorted by their numbers: b2 comes before b10."""
    return [int(part) if part.isdigit() else part for part in re.split(r'(\d+)', name)]
