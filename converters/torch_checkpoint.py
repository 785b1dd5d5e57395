"""PyTorch checkpoints: where the network is, and which entries beside it are training state."""

import collections.abc
import re
from collections.abc import Iterable, Sequence, Set

import numpy as np

from converters.trees import named_arrays
from converters.weight_mapping import WeightMapping

TRAINING = 'training state'

# Names of entries beside a network: of custom training loops, Lightning, mmcv and Detectron2.
_TRAINING = re.compile(
    r'(\w+_)?(optim(izer)?s?|(lr_)?sched(uler)?s?|(grad_|loss_)?scaler|amp|epochs?|iter(ation)?s?|'
    r'(global_)?steps?|best\w*|\w*loss(es)?|criterion|\w*rng\w*|random\w*|seed|arg(ument)?s|opts?|cfg|config|'
    r'meta|hyper_parameters|callbacks|loops|trainer|metrics?|meters?|history|results?|log(ger|s)?|n_averaged)'
    r'(_states?|_state_dicts?|_dicts?)?', re.I)
_AVERAGE = re.compile(r'(^|[._])(ema|swa|teacher|averaged?|shadow|momentum_encoder)([._]|$)', re.I)


def prefix_of(names: Iterable[str], ending: str) -> str | None:
    """The prefix of a network's names in a checkpoint, such as ``state_dict.module.``.

    Args:
        names: The names of all arrays, in the order of the file.
        ending: The name of an array that every such network has.

    Returns:
        The first such prefix, prefixes of averaged weights last; None if there is none.
    """
    found = [name.removesuffix(ending) for name in names
             if name == ending or name.endswith(f'.{ending}')]
    return min(found, key=lambda prefix: _AVERAGE.search(prefix) is not None, default=None)


def skip_training(tree: object, mapping: WeightMapping) -> None:
    """Skips entries beside the network, by their names and content.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays, in which those of the
            network are already used or skipped.
    """
    left = {id(array) for _, array in mapping.left()}
    seen, node = set(), tree
    while isinstance(node, collections.abc.Mapping) and id(node) not in seen:
        seen.add(id(node))
        inside = {key: list(named_arrays(value).values()) for key, value in node.items()}
        homes = [key for key, arrays in inside.items() if any(id(array) not in left for array in arrays)]
        own = any(isinstance(node[key], np.ndarray) for key in homes)
        network = {np.shape(array) for key in homes for array in inside[key]}
        for key in inside.keys() - set(homes):
            reason = _reason(str(key), node[key], inside[key], network, own)
            if reason is not None:
                for array in inside[key]:
                    mapping.skip(array, reason)
        node = node[homes[0]] if len(homes) == 1 else None


def _reason(key: str, value: object, arrays: Sequence[np.ndarray], network: Set[tuple[int, ...]],
            own: bool) -> str | None:
    """Why an entry beside a network is not needed; None if unknown.

    ``own`` means that the entry is among the weights of the network, so a scalar may be one of them.
    """
    if isinstance(value, np.ndarray) and not _TRAINING.fullmatch(key):
        return TRAINING if value.size <= 1 and not own else None
    if _TRAINING.fullmatch(key) or isinstance(value, dict) and 'param_groups' in value:
        return TRAINING
    if arrays and {array.shape for array in arrays if array.ndim > 1} <= network and any(
            array.ndim > 1 for array in arrays):
        return f'weights of another copy of the network ({key})'
    return TRAINING if not own and all(array.size <= 1 for array in arrays) else None
