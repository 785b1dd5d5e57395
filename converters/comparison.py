"""Compares a converted model with its original, layer by layer, on the same input.

The original's outputs are recorded, or computed by OpenCV's dnn module from the files of a Caffe network.
"""

import collections
import os
import pathlib
import re
import typing
from collections.abc import Mapping
from typing import Any

import chainer
import cv2
import numpy as np
from chainer.utils import type_check

from chainer_seg.errors import UserError, WeightFileError, shortened
from converters.formats import caffe
from converters.recorded import INPUT, read_recorded
from converters.weight_mapping import Placement

if typing.TYPE_CHECKING:
    from converters import Conversion

OUTPUT = 'output'  # The name of a model's result; output0, output1, ... if there are several.

_BLOB = re.compile(r'layers\.(.+)\.blobs\.(\d+)')
_INPUT_SIDE = 225  # Of the image, for networks whose definition does not state it.


class Difference(typing.NamedTuple):
    """The difference between an output of a model and that of the original.

    Attributes:
        name: Path of the link in the model, or ``output``.
        shape: The shape of the model's output.
        largest: The maximum absolute difference.
        relative: The same, divided by the maximum absolute value of the original.
    """

    name: str
    shape: tuple
    largest: float
    relative: float


def layer_outputs(model: chainer.Chain, x: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of all links of a model.

    Args:
        model: With ``forward``.
        x: (B, C, H, W) float32, the network's own input.

    Returns:
        The arrays by the links' paths, such as ``/resnet/stem``, and ``output``. For a link that is called
        several times, the last output.
    """
    if not hasattr(model, 'forward'):
        raise UserError(f'A {type(model).__name__} has no single forward pass whose outputs could be '
                        f'compared; compare one of its networks.')
    recorder = _Recorder(model)
    with chainer.using_config('train', False), chainer.no_backprop_mode(), recorder:
        found = model(x)
    several = isinstance(found, (list, tuple))
    named = {f'{OUTPUT}{i}': each for i, each in enumerate(found)} if several else {OUTPUT: found}
    return {name: chainer.as_array(each) for name, each in {**recorder.outputs, **named}.items()}


class _Recorder(chainer.LinkHook):
    """Keeps the output of each link that returns one variable."""

    def __init__(self, model: chainer.Chain) -> None:
        self.outputs: dict[str, chainer.Variable] = {}
        self._paths = {id(link): path for path, link in model.namedlinks(skipself=True)}

    def forward_postprocess(self, args: Any) -> None:
        if id(args.link) in self._paths and isinstance(args.out, chainer.Variable):
            self.outputs[self._paths[id(args.link)]] = args.out


def compare_outputs(model: chainer.Chain, x: np.ndarray,
                    recorded: Mapping[str, np.ndarray]) -> list[Difference]:
    """Compares outputs of a model with recorded ones.

    Args:
        model: With ``forward``.
        x: (B, C, H, W) float32, the input of the recorded ones.
        recorded: Mapping of names, as :func:`layer_outputs` gives them, to arrays.

    Returns:
        A list of :class:`Difference` in the order of ``recorded``.

    Raises:
        chainer_seg.errors.UserError: The model has no such output, or one of another shape.
    """
    outputs = _outputs_for(model, np.asarray(x, np.float32))
    return [_difference(name, outputs, theirs) for name, theirs in recorded.items()]


def _outputs_for(model: chainer.Chain, x: np.ndarray) -> dict[str, np.ndarray]:
    """As :func:`layer_outputs`, for an input that may not fit the model."""
    try:
        return layer_outputs(model, x)
    except (type_check.InvalidType, ValueError, IndexError, AssertionError, ArithmeticError,
            RuntimeError, MemoryError) as error:
        raise UserError(f'The {type(model).__name__} cannot compute its outputs for an input of the '
                        f'shape {x.shape}; record an input with its channels and size.') from error


def _difference(name: str, outputs: dict[str, np.ndarray], theirs: np.ndarray) -> Difference:
    if name not in outputs:
        raise UserError(f'The model has no output {shortened(name)}; it has {OUTPUT} and the paths of '
                        f'its links, such as {next(iter(outputs))}.')
    ours, theirs = outputs[name], np.asarray(theirs)
    # A fully connected layer of the original may be a 1x1 convolution here.
    if np.squeeze(ours).shape != np.squeeze(theirs).shape:
        raise UserError(f'The output {name} has the shape {ours.shape}, but the recorded one '
                        f'{theirs.shape}.')
    largest = float(np.abs(ours.reshape(theirs.shape) - theirs).max(initial=0))
    return Difference(name, ours.shape, largest, largest / (float(np.abs(theirs).max(initial=0)) or 1.0))


def compare_recorded(model: chainer.Chain, path: str | os.PathLike) -> list[Difference]:
    """As :func:`compare_outputs`, with the arrays of a .npz: ``input``, and outputs by name."""
    recorded = read_recorded(path)
    return compare_outputs(model, recorded.pop(INPUT), recorded)


def compare_with_opencv(conversion: 'Conversion', weights: str | os.PathLike, definition: str | os.PathLike,
                        x: np.ndarray | None = None) -> list[Difference]:
    """Compares a converted model with the outputs that OpenCV computes from the original's files.

    Args:
        conversion: The :class:`converters.Conversion` of the weights.
        weights: The .caffemodel.
        definition: Its .prototxt.
        x: (B, C, H, W) float32; by default random numbers of the size in the definition.

    Returns:
        A list of :class:`Difference`, one for each layer with weights whose output the model also has.

    Raises:
        chainer_seg.errors.UserError: OpenCV cannot read the files or compute the network.
    """
    links = _links_of_layers(conversion.mapping)
    if x is None:
        x = _random_input(definition, links, conversion)
    recorded = _opencv_outputs(definition, weights, np.asarray(x, np.float32), list(links))
    return compare_outputs(
        conversion.model, x, {links[layer]: output for layer, output in recorded.items()})


def _links_of_layers(mapping: list[Placement]) -> dict[str, str]:
    """For layers of Caffe, the path of the link with the same output.

    Layers whose blobs went to several links are omitted, such as a bias folded into the normalisation.
    """
    homes = collections.defaultdict(set)
    for row in mapping:
        match = _BLOB.fullmatch(row.name)
        if match:
            homes[match[1]].add(row.parameter)
    ends = {'W', 'b', 'gamma', 'beta'}
    return {layer: next(iter(paths)).rpartition('/')[0] for layer, paths in homes.items()
            if len({path.rpartition('/')[0] for path in paths}) == 1
            and all(path.rpartition('/')[2] in ends for path in paths)}


def _random_input(definition: str | os.PathLike, links: dict[str, str],
                  conversion: 'Conversion') -> np.ndarray:
    """Random integers, like images minus their mean."""
    layers = caffe.read(definition)['layers'].values()
    shapes = [shape['dim'] for layer in layers if layer['type'] == 'Input'
              for shape in layer.get('input_param', {}).get('shape', [])]
    channels = next(row.shape[1] for row in conversion.mapping if len(row.shape) == 4)
    shape = list(map(int, shapes[0])) if shapes else [1, channels, _INPUT_SIDE, _INPUT_SIDE]
    return np.random.default_rng(0).integers(-100, 100, shape).astype(np.float32)


def _opencv_outputs(definition: str | os.PathLike, weights: str | os.PathLike, x: np.ndarray,
                    layers: list[str]) -> dict[str, np.ndarray]:
    for path in (definition, weights):
        if not pathlib.Path(path).is_file():
            raise WeightFileError(f'{path} is not a file; OpenCV needs a .prototxt and a .caffemodel.')
    try:
        network = cv2.dnn.readNetFromCaffe(str(definition), str(weights))
        network.enableFusion(False)  # Keeps the outputs of all layers.
        network.enableWinograd(False)
        network.setInput(x)
        return dict(zip(layers, network.forward(layers)))
    except cv2.error as error:
        reason = ' '.join(str(error.err or error).split())
        raise WeightFileError(f'OpenCV cannot compute {definition} with {weights}: {reason}.') from error
