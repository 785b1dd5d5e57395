"""Reads .pkl files: Detectron's, of blobs and a configuration (utils/net.py there), and Detectron2's."""

import mmap
import os
import re
from typing import Any, TypedDict

import numpy as np

from chainer_seg.errors import WeightFileError
from converters.formats import detectron_configuration
from converters.formats.mapped_file import map_file
from converters.formats.pickled_arrays import Budget, numpy_names
from converters.formats.pickles import Machine


class DetectronFile(TypedDict):
    """A file of Detectron as :func:`read` returns it."""

    blobs: dict[str, np.ndarray]
    cfg: dict[str, Any] | None


# The first bytes of pickles; protocols 0 and 1 have no header.
_START = re.compile(rb'\x80|\(dp|\(lp|\}q|\]q|c[\w.]+\r?\n')


def recognise(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether the bytes of a file look like a pickle."""
    return _START.match(data) is not None


def read(path: str | os.PathLike) -> DetectronFile:
    """Reads a Detectron file, of a trained model or of initial weights.

    Args:
        path: The file.

    Returns:
        A dict: ``'blobs'`` maps names to arrays, float32 in genuine files, read-only views of the
        mapped file that may be unaligned; ``'cfg'`` is the configuration as nested dicts of plain
        values, or None in a file of initial weights.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, damaged, asks to create anything but
            arrays, or is another pickle.
    """
    data = map_file(path)
    budget = Budget(len(data))
    tree = Machine(data, path, numpy_names(budget)).load_last()
    if not isinstance(tree, dict):
        raise WeightFileError(f'{path} contains a {type(tree).__name__}, expected a dict; '
                              f'choose a file that Detectron saved.')
    if 'blobs' not in tree and isinstance(tree.get('model'), dict):  # Detectron2's
        return {'blobs': _arrays(tree['model'], path), 'cfg': None}
    blobs = tree.get('blobs', tree)
    return {'blobs': _arrays(blobs, path), 'cfg': _configuration(tree, path, budget)}


def _arrays(blobs: object, path: str | os.PathLike) -> dict[str, np.ndarray]:
    if not isinstance(blobs, dict) or not blobs:
        raise WeightFileError(f'{path} contains no blobs; choose a file that Detectron saved.')
    arrays = {}
    for name, blob in blobs.items():
        if not isinstance(name, str) or not isinstance(blob, (np.ndarray, np.generic)):
            raise WeightFileError(f'{path} is not a Detectron file: its entry {str(name)[:80]!r} is a '
                                  f'{type(blob).__name__}, expected an array.')
        arrays[name] = np.asarray(blob)
    return dict(sorted(arrays.items()))  # Dicts of Python 2 are unordered.


def _configuration(tree: dict, path: str | os.PathLike, budget: Budget) -> dict[str, Any] | None:
    text = tree.get('cfg') if 'blobs' in tree else None
    if text is None:
        return None
    if isinstance(text, memoryview):
        text = str(text, 'utf-8', 'replace')
    if not isinstance(text, str):
        raise WeightFileError(f'{path} has a {type(text).__name__} as its configuration, expected '
                              f'text; choose a file that Detectron saved.')
    return detectron_configuration.parse(text, path, budget)
