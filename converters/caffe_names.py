"""The layer names of Caffe's ResNets (He et al.), which the TensorFlow versions kept.

``res3b_branch2a`` (``res3b1_...`` in ResNet-101) with ``bn3b_branch2a`` and ``scale3b_branch2a``.
"""

import re
from collections.abc import Iterable

from converters.formats.caffe import Layers

_FIRST = re.compile(r'(res(\d)[a-z]\d*)_branch2a')
_TRUNK = re.compile(r'((bn_|scale_)?conv1|(res|bn|scale)\d[a-z]\d*_branch(1|2[abc]))(#\d+)?')


def stages_of(names: Iterable[str]) -> dict[int, list[str]]:
    """The names of the blocks by the number of the stage: {2: ['res2a', 'res2b', ...], ...}."""
    stages: dict[int, list[str]] = {}
    for match in filter(None, map(_FIRST.fullmatch, names)):
        stages.setdefault(int(match[2]), []).append(match[1])
    return dict(sorted(stages.items()))


def is_trunk(name: str) -> bool:
    """Whether a layer of this name belongs to the ResNet rather than to a head."""
    return _TRUNK.fullmatch(name) is not None


def is_resnet(names: Iterable[str]) -> bool:
    """Whether layers of these names form a ResNet."""
    return {'conv1', 'res2a_branch2a'} <= set(names)


def features_of(layers: Layers) -> int | None:
    """The channels of the last stage of a Caffe network; None if unknown."""
    stages = stages_of(layers)
    last = layers.get(f'{stages[max(stages)][0]}_branch2c') if stages else None
    blobs = last['blobs'] if last else []
    return blobs[0].shape[0] if blobs and blobs[0].ndim else None
