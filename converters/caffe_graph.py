"""The graph of a Caffe network; the head consists of the layers that read the last stage of its ResNet."""

import re
from collections.abc import Sequence

from converters.caffe_names import features_of, is_trunk, stages_of
from converters.formats.caffe import Layers

_OTHER_SCALE = re.compile(r'_res0\d+(?=_|$)')  # Layers of the branches at 0.75 and 0.5 scale.
_WEIGHTED = ('Convolution', 'InnerProduct')


def full_scale(layers: Layers) -> tuple[Layers, Layers]:
    """The layers of the full-resolution branch, and those of the other scales, as two dicts."""
    others = {name: layer for name, layer in layers.items() if _OTHER_SCALE.search(name)}
    return {name: layer for name, layer in layers.items() if name not in others}, others


def original_of(name: str) -> str:
    """The name of the full-resolution layer that shares its weights with a layer of another scale."""
    return _OTHER_SCALE.sub('', name)


class Graph:
    """The layers of one scale.

    Args:
        layers: The layers by name, in order, as returned by :func:`converters.formats.caffe.read`.
    """

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._inputs: dict[str, list[str]] = {}
        self._unknown: set[str] = set()
        made: dict[str, str] = {}
        for name, layer in layers.items():
            self._inputs[name] = [made[bottom] for bottom in layer['bottom'] if bottom in made]
            if len(self._inputs[name]) < len(layer['bottom']) or not layer['bottom']:
                self._unknown.add(name)  # Its input is not in the file.
            made.update(dict.fromkeys(layer['top'], name))
        blocks = [block for stage in stages_of(layers).values() for block in stage]
        self._last = self._sum_of(blocks[-1]) if blocks else None

    def heads(self) -> tuple[list[str], list[str]]:
        """The layers with weights that read the output of the last stage.

        Returns:
            Names of convolutions that read it directly, and names of fully connected layers, or of
            convolutions, that read its mean. If the file does not store what a layer reads, its number of
            inputs decides.
        """
        features = features_of(self._layers)
        maps: list[str] = []
        means: list[str] = []
        for name, layer in self._layers.items():
            if not layer['blobs'] or is_trunk(name) or layer['type'] not in _WEIGHTED:
                continue
            found, known, pooled = self._sources(name)
            shape = layer['blobs'][0].shape
            fits = features is not None and len(shape) > 1 and features in (shape[1], shape[-1])
            if self._last in found or not known and not found and fits:
                is_mean = pooled or layer['type'] == 'InnerProduct'
                (means if is_mean else maps).append(name)
        return maps, means

    def sums(self, heads: Sequence[str]) -> Layers:
        """The Eltwise layers of residual blocks, and those whose inputs all come from heads."""
        return {name: layer for name, layer in self._layers.items() if layer['type'] == 'Eltwise' and (
            name.startswith('res') or self._sources(name)[0] and self._sources(name)[0] <= set(heads))}

    def are_summed(self, heads: Sequence[str]) -> bool:
        """Whether a layer sums all heads; True as well if the file does not store it."""
        sums = [name for name, layer in self._layers.items() if layer['type'] == 'Eltwise']
        return len(heads) < 2 or not any(self._inputs[name] for name in sums) or any(
            self._sources(name)[0] == set(heads) for name in sums)

    def _sum_of(self, block: str) -> str | None:
        """The name of the sum at the end of a residual block; None if there is none."""
        ends = {f'{block}_branch2c', *(f'{kind}{block.removeprefix("res")}_branch2c'
                                       for kind in ('bn', 'scale'))}
        return next((name for name, layer in self._layers.items()
                     if layer['type'] == 'Eltwise' and ends & set(self._inputs[name])), None)

    def _sources(self, name: str) -> tuple[set[str], bool, bool]:
        """The nearest layers with weights, and sums of blocks, that a layer reads.

        Returns:
            Their names, whether all of them are known, and whether there is pooling in between.
        """
        found, known, pooled, seen = set(), True, False, set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            known = known and current not in self._unknown
            for each in self._inputs[current]:
                if each in seen:
                    continue
                seen.add(each)
                if self._layers[each]['blobs'] or each == self._last:
                    found.add(each)
                else:
                    pooled = pooled or self._layers[each]['type'] == 'Pooling'
                    waiting.append(each)
        return found, known, pooled
