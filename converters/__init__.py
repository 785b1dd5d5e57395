"""Weights that others published, as models of this package.

:func:`read` and :func:`inspect` give what a file holds, :func:`convert` the model. Nothing in a file is
ever executed.
"""

import dataclasses
import hashlib
import os
import pathlib
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import chainer_seg  # noqa: F401  before Chainer
import chainer

from chainer_seg.compat.blank import blank_parameters
from chainer_seg.errors import WeightFileError, shortened
from chainer_seg.schema import argument_forms, check_arguments
from converters import (
    caffe_deeplab, caffe_resnet, deepmask, detectron, pytorch_resnet, tensorflow_deeplab,
    tensorflow_layers, torch_modules, torch_resnet, trees, yolact)
from converters.configuration import arguments_of, join
from converters.formats import find_format, locate
from converters.weight_mapping import WeightMapping

__all__ = ['Conversion', 'Inspection', 'conversion', 'convert', 'inspect', 'read']


class Networks(typing.NamedTuple):
    """What is known of a format's networks.

    Attributes:
        find_arrays: The arrays of a tree by their names.
        describe: What a tree holds, in a few words, where no module knows it.
        modules: Those that know networks; each has ``recognise(tree)`` and ``build(tree, mapping,
            config)``.
        known: The networks that can be converted, for people.
    """

    find_arrays: typing.Callable
    describe: typing.Callable
    modules: tuple
    known: str


NETWORKS = {
    'Torch7': Networks(torch_modules.tensors, torch_modules.describe, (deepmask, torch_resnet),
                       'DeepMask, SharpMask and ResNets of fb.resnet.torch'),
    'PyTorch': Networks(trees.named_arrays, trees.describe, (yolact, pytorch_resnet),
                        'YOLACT, YOLACT++ and ResNets of PyTorch'),
    'Caffe': Networks(trees.named_arrays, caffe_deeplab.describe, (caffe_resnet, caffe_deeplab),
                      'DeepLab-v2 on ResNets, its click models, and ResNets'),
    'TensorFlow': Networks(tensorflow_layers.variables, trees.describe, (tensorflow_deeplab,),
                           'DeepLab-v2 on ResNets, its click models, and ResNets'),
    'kaffe': Networks(tensorflow_layers.variables, trees.describe, (tensorflow_deeplab,),
                      'DeepLab-v2 on ResNets, its click models, and ResNets'),
    'Detectron': Networks(detectron.find_arrays, detectron.describe, (detectron,),
                          'Mask R-CNN, Faster R-CNN and ResNets with frozen normalisation'),
}


@dataclasses.dataclass
class Conversion:
    """A converted model and what became of the arrays of its file.

    ``used`` is a list of the names of arrays in the file, ``skipped`` a dict of their names to the
    reasons why they are not needed, and ``mapping`` tells as a list of
    :class:`~converters.weight_mapping.Placement` where in the model the used ones went.
    """

    model: chainer.Chain
    used: list
    skipped: dict
    mapping: list


def read(path: str | os.PathLike) -> object:
    """Reads a weight file of any known format, which its bytes tell.

    Args:
        path: The file; of a checkpoint of TensorFlow also what :func:`converters.formats.locate` takes.

    Returns:
        A tree whose leaves are arrays, read-only views on the mapped file. The modules of
        :mod:`converters.formats` describe it.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, empty, damaged, or of no known format.
    """
    path = locate(path)
    return find_format(path).module.read(path)


@dataclasses.dataclass
class Inspection:
    """What a weight file holds.

    ``format`` and ``network`` are names for people, the latter None where the network is not known;
    ``tree`` is what :func:`read` gives, and ``arrays`` a dict of those in it by their names.
    """

    format: str
    network: str | None
    tree: object
    arrays: dict


def inspect(path: str | os.PathLike) -> Inspection:
    """Tells what a weight file holds, as an :class:`Inspection`, whether it can be converted or not.

    Raises:
        chainer_seg.errors.WeightFileError: As :func:`read`.
    """
    path = locate(path)
    form = find_format(path)
    networks, tree = NETWORKS[form.name], form.module.read(path)
    _, network = _find_network(tree, networks)
    return Inspection(form.name, network, tree, dict(networks.find_arrays(tree)))


def convert(path: str | os.PathLike, config: Mapping[str, Any] | str | pathlib.Path | None = None,
            skip: Iterable[str] = ()) -> chainer.Chain:
    """Makes a model of this package from a weight file.

    Args:
        path: The file. DeepMask, SharpMask and ResNets of fb.resnet.torch (.t7), Mask R-CNN, Faster
            R-CNN and ResNets of Detectron (.pkl), YOLACT, YOLACT++ and ResNets of PyTorch (.pth),
            DeepLab-v2, click models made of it and He's ResNets of Caffe (.caffemodel), DeepLab-v2
            and click models of TensorFlow (a checkpoint, named by any of its files) and of kaffe (.npy)
            are known.
        config: Mapping of arguments of the model's class that replace those that the file tells,
            such as ``dropout``, or the path of a JSON or TOML file of them; for a network of Caffe
            also that of its .prototxt. Of models that know classes ``class_names`` may be given beside
            them: a list, or the path of a text file with one in each line. Of YOLACT the name of a
            published configuration such as ``'yolact_im700'`` may be given, or all in the words of the
            original's configuration; of DeepLab what :func:`converters.deeplab.build` names, such as
            ``click`` for a click model made of it.
        skip: Names of arrays that are left out, in which ``*`` stands for any characters.

    Returns:
        The model, built from the shapes in the file, on the CPU. ``origin`` says where its weights
        came from.

    Raises:
        chainer_seg.errors.WeightFileError: The file is damaged, holds another network, or has an
            array that the model has no place for, or lacks one.
    """
    return conversion(path, config, skip=skip).model


def conversion(path: str | os.PathLike, config: Mapping[str, Any] | str | pathlib.Path | None = None,
               progress: Callable[[int, int], object] | None = None,
               settings: Mapping[str, Any] | None = None, skip: Iterable[str] = ()) -> Conversion:
    """As :func:`convert`, but returns a :class:`Conversion`, which accounts for every array.

    ``settings`` is a mapping of arguments that replace those of ``config``, whose words those may be.

    ``progress(used, total)`` is called with numbers of arrays while they are copied; what it raises
    ends the conversion.
    """
    path = locate(path)
    form = find_format(path)
    networks = NETWORKS[form.name]
    config = join(arguments_of(config), dict(settings or {}))
    tree = form.module.read(path)
    mapping = WeightMapping(path, networks.find_arrays(tree), progress)
    tree = trees.without(tree, mapping.skip_named(skip)) if skip else tree
    module, name = _recognise(path, tree, networks)
    model = _build(module, tree, mapping, config)
    mapping.close(model)
    model.class_names = tuple(getattr(model, 'class_names', ()))
    model.origin = {'file': pathlib.Path(path).name, 'md5': _md5(path), 'format': form.name,
                    'network': name, **mapping.summary()}
    return Conversion(model, mapping.used, mapping.skipped, mapping.mapping(model))


def _recognise(path, tree, networks):
    module, name = _find_network(tree, networks)
    if module is None:
        raise WeightFileError(f'{path} holds {networks.describe(tree)}, which is no network that can be '
                              f'converted from such a file; known are {networks.known}.')
    return module, name


def _find_network(tree, networks):
    """The module that knows the network of a tree, and its name; None and None where none does."""
    for module in networks.modules:
        name = module.recognise(tree)
        if name is not None:
            return module, name
    return None, None


def _build(module, tree, mapping, config):
    given = list(config)
    try:
        with blank_parameters():
            model = module.build(tree, mapping, config)
    except (TypeError, ValueError, MemoryError) as error:
        raise WeightFileError(
            f'{mapping.path} cannot be converted: its sizes, or the configuration given, do not fit '
            f'the network: {shortened(str(error)).rstrip(".")}.') from error
    except (ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        if not given:  # A fault of ours.
            raise
        raise WeightFileError(
            f'{mapping.path} cannot be converted: the configuration given does not fit the network; '
            f'check the values of {", ".join(map(str, given[:6]))}.') from error
    _check_configuration(model, given, mapping.path)
    model.cleargrads()
    return model


def _check_configuration(model, given, path):
    """Refuses values of another form than the model's class declares; it keeps some without a look."""
    forms = argument_forms(type(model))
    values = {name: model.config[name] for name in given if name in forms and name in model.config}
    check_arguments(type(model), values, f'The configuration for {path}', WeightFileError)


def _md5(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
