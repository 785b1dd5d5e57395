"""The sizes of a ResNet, from the shapes of its weights in a file."""

from collections.abc import Sequence
from typing import Any

from chainer_seg.links.resnet import default_out_width
from converters.weight_mapping import WeightMapping

Shape = Sequence[int]  # of the weights of a convolution: outputs, inputs per group, height, width


def bottleneck_sizes(mapping: WeightMapping, stem: Shape, middle: Shape, expand: Shape) -> dict[str, Any]:
    """The widths and the groups of a ResNet of bottlenecks, as arguments of its class.

    Args:
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of the file, for errors.
        stem: Shape of the first convolution.
        middle, expand: Shapes of the 3x3 and of the last convolution of the first block.

    Raises:
        chainer_seg.errors.WeightFileError: The shapes are not those of a bottleneck.
    """
    if len(middle) != 4 or 0 in middle or middle[0] % middle[1] or len(expand) != 4 or 0 in expand:
        mapping.fail(f'the 3x3 and the last convolution of its first block have the shapes {tuple(middle)} '
                     f'and {tuple(expand)}, which are not those of a bottleneck')
    width, out_width = middle[0], expand[0]
    found: dict[str, Any] = {'width': width, 'stem_width': None if stem[0] == width else stem[0]}
    if out_width != default_out_width('bottleneck', width):
        found['out_width'] = out_width
    if middle[0] != middle[1]:
        found['groups'] = middle[0] // middle[1]
    return found


def out_width_of(arguments: dict[str, Any]) -> int:
    """Channels of the output of the first stage of a ResNet with these arguments."""
    return arguments.get('out_width') or default_out_width(
        arguments.get('block', 'bottleneck'), arguments['width'])


def count_resnet(arguments: dict[str, Any]) -> int:
    """The number of weights of the convolutions of a ResNet, without building it."""
    width, out_width, blocks = arguments['width'], out_width_of(arguments), arguments['blocks']
    channels = arguments.get('stem_width') or width
    count = 3 * arguments.get('stem_size', 7) ** 2 * channels
    if arguments.get('block') == 'basic':  # Without projections.
        inner = [width * 2 ** i for i in range(len(blocks))]
        return count + sum(9 * (inputs + (2 * number - 1) * outputs) * outputs
                           for inputs, outputs, number in zip([channels, *inner], inner, blocks))
    for i, number in enumerate(blocks):
        inner, outer = width * 2 ** i, out_width * 2 ** i
        grouped = inner // (arguments.get('groups') or 1)
        count += number * (9 * grouped + outer) * inner + outer * channels  # and the shortcut
        count += (channels + (number - 1) * outer) * inner
        channels = outer
    return count
