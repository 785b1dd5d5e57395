"""Weights that others published, as models of this package.

:func:`read` gives what a file holds, :func:`convert` the model. Nothing in a file is ever executed.
"""

import dataclasses
import hashlib
import pathlib

import chainer_seg  # noqa: F401  before Chainer
import chainer

from chainer_seg.compat.blank import blank_parameters
from chainer_seg.errors import WeightFileError
from converters import deepmask, torch_modules, torch_resnet
from converters.formats import find_format
from converters.ledger import Ledger

__all__ = ['Conversion', 'conversion', 'convert', 'read']

# For each format, how the arrays of a tree are found, and the modules that know networks.
NETWORKS = {
    'Torch7': (torch_modules.tensors, (deepmask, torch_resnet)),
}


@dataclasses.dataclass
class Conversion:
    """A converted model and what became of the arrays of its file.

    ``used`` is a list of the names of arrays in the file, ``skipped`` a dict of their names to the
    reasons why they are not needed.
    """

    model: chainer.Chain
    used: list
    skipped: dict


def read(path):
    """Reads a weight file of any known format, which its bytes tell.

    Returns:
        A tree whose leaves are arrays. That of a Torch7 file is described in
        :mod:`converters.formats.torch7_values`; its tensors are windows of the mapped file.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, empty, damaged, or of no known format.
    """
    return find_format(path).module.read(path)


def convert(path, config=None):
    """Makes a model of this package from a weight file.

    Args:
        path: The file. DeepMask, SharpMask and ResNets of fb.resnet.torch (.t7) are known.
        config: Mapping of arguments of the model's class that replace those that the file tells,
            such as ``dropout``.

    Returns:
        The model, built from the shapes in the file, on the CPU. ``origin`` says where its weights
        came from.

    Raises:
        chainer_seg.errors.WeightFileError: The file is damaged, holds another network, or has an
            array that the model has no place for, or lacks one.
    """
    return conversion(path, config).model


def conversion(path, config=None):
    """As :func:`convert`, but returns a :class:`Conversion`, which accounts for every array."""
    form = find_format(path)
    find_arrays, modules = NETWORKS[form.name]
    tree = form.module.read(path)
    module, name = _recognise(path, tree, modules)
    ledger = Ledger(path, find_arrays(tree))
    model = _build(module, tree, ledger, dict(config or {}))
    ledger.close(model)
    model.class_names = ()
    model.origin = {'file': pathlib.Path(path).name, 'md5': _md5(path), 'format': form.name,
                    'network': name, **ledger.summary()}
    return Conversion(model, ledger.used, ledger.skipped)


def _recognise(path, tree, modules):
    for module in modules:
        name = module.recognise(tree)
        if name is not None:
            return module, name
    raise WeightFileError(f'{path} holds {torch_modules.describe(tree)}, which is no network that can '
                          f'be converted; DeepMask, SharpMask and ResNets of fb.resnet.torch can.')


def _build(module, tree, ledger, config):
    try:
        with blank_parameters():
            model = module.build(tree, ledger, config)
    except (TypeError, ValueError) as error:
        raise WeightFileError(
            f'{ledger.path} cannot be converted: its sizes, or the configuration given, do not fit '
            f'the network: {error}.') from error
    model.cleargrads()
    return model


def _md5(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
