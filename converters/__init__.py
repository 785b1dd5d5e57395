"""Importers of published weights.

:func:`read` and :func:`inspect` return the content of a weight file, :func:`convert` builds the model.
Nothing in a file is ever executed.
"""

import dataclasses
import hashlib
import os
import pathlib
import typing
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import chainer_seg  # noqa: F401  before Chainer
import chainer

from chainer_seg.compat.blank import blank_parameters
from chainer_seg.errors import WeightFileError, shortened
from chainer_seg.models.base import Model
from chainer_seg.schema import argument_forms, check_arguments
from converters import (
    caffe_deeplab, caffe_resnet, deepmask, detectron, detectron2, pytorch_resnet, ritm, tensorflow_deeplab,
    tensorflow_layers, torch_modules, torch_resnet, trees, yolact, yolact_backbones)
from converters.configuration import arguments_of, join
from converters.formats import find_format, locate
from converters.weight_mapping import Placement, WeightMapping

__all__ = ['Conversion', 'Inspection', 'conversion', 'convert', 'inspect', 'read']


class Networks(typing.NamedTuple):
    """The networks that can be stored in a format.

    Attributes:
        find_arrays: Function of a tree that returns its arrays by name.
        describe: Function of a tree that no module recognises; returns a short description.
        modules: The modules that know networks; each has ``recognise(tree)`` and ``build(tree, mapping,
            config)``.
        known: The networks that can be converted, for messages.
    """

    find_arrays: typing.Callable
    describe: typing.Callable
    modules: tuple
    known: str


NETWORKS = {
    'Torch7': Networks(torch_modules.tensors, torch_modules.describe, (deepmask, torch_resnet),
                       'DeepMask, SharpMask and ResNets of fb.resnet.torch'),
    'PyTorch': Networks(trees.named_arrays, trees.describe,
                        (yolact, ritm, detectron2, pytorch_resnet, yolact_backbones),
                        "YOLACT, YOLACT++, RITM's click networks, Mask R-CNN of Detectron2, and ResNets, "
                        'DarkNet-53, MobileNetV2 and EfficientNet-B0 of PyTorch'),
    'Caffe': Networks(trees.named_arrays, caffe_deeplab.describe, (caffe_resnet, caffe_deeplab),
                      'DeepLab-v2 on ResNets, its click models, and ResNets'),
    'TensorFlow': Networks(tensorflow_layers.variables, trees.describe, (tensorflow_deeplab,),
                           'DeepLab-v2 on ResNets, its click models, and ResNets'),
    'kaffe': Networks(tensorflow_layers.variables, trees.describe, (tensorflow_deeplab,),
                      'DeepLab-v2 on ResNets, its click models, and ResNets'),
    'Detectron': Networks(detectron.find_arrays, detectron.describe, (detectron, detectron2),
                          'Mask R-CNN, Faster R-CNN and ResNets of Detectron and Detectron2'),
}


@dataclasses.dataclass
class Conversion:
    """A converted model and an account of every array in its file.

    Attributes:
        model: The model.
        used: Names of the arrays that went into the model.
        skipped: For each array that is not needed, the reason.
        mapping: For each used array, the :class:`~converters.weight_mapping.Placement` in the model.
    """

    model: chainer.Chain
    used: list[str]
    skipped: dict[str, str]
    mapping: list[Placement]


def read(path: str | os.PathLike) -> object:
    """Reads a weight file of any known format; the format is detected from its bytes.

    Args:
        path: The file; for a TensorFlow checkpoint, any path that :func:`converters.formats.locate` takes.

    Returns:
        A tree whose leaves are arrays, read-only views of the memory-mapped file. The modules of
        :mod:`converters.formats` describe its form.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, empty, damaged, or of no known format.
    """
    path = locate(path)
    return find_format(path).module.read(path)


@dataclasses.dataclass
class Inspection:
    """The content of a weight file.

    Attributes:
        format: The name of the format, for display.
        network: The name of the network, for display; None if it is unknown.
        tree: As returned by :func:`read`.
        arrays: The arrays in the tree by name.
    """

    format: str
    network: str | None
    tree: object
    arrays: dict[str, Any]


def inspect(path: str | os.PathLike) -> Inspection:
    """Returns the content of a weight file, whether it can be converted or not.

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
    """Builds a model of this package from a weight file.

    Args:
        path: The file. DeepMask, SharpMask and ResNets of fb.resnet.torch (.t7), Mask R-CNN, Faster
            R-CNN and ResNets of Detectron (.pkl), Mask R-CNN and Faster R-CNN of Detectron2 (.pkl, .pth),
            YOLACT, YOLACT++, RITM and ResNets of PyTorch (.pth), DeepLab-v2, click models made of it and
            He's ResNets of Caffe (.caffemodel), DeepLab-v2 and click models of TensorFlow (a checkpoint,
            named by any of its files) and of kaffe (.npy) are supported.
        config: Arguments of the model's class, such as ``dropout``, that override those found in the
            file: a mapping, or the path of a JSON or TOML file; for a Caffe network also the path of its
            .prototxt. Models with classes also take ``class_names``: a list, or the path of a text file
            with one name per line. YOLACT also takes the name of a published configuration, such as
            ``'yolact_im700'``, or the original's option names; DeepLab also takes the options of
            :func:`converters.deeplab.build`, such as ``click`` to build a click model.
        skip: Names of arrays to skip, in which ``*`` matches any characters.

    Returns:
        The model, built from the shapes in the file, on the CPU. Its ``origin`` records the source of
        the weights.

    Raises:
        chainer_seg.errors.WeightFileError: The file is damaged, contains another network, has an array
            that the model has no place for, or lacks one that the model needs.
    """
    return conversion(path, config, skip=skip).model


def conversion(path: str | os.PathLike, config: Mapping[str, Any] | str | pathlib.Path | None = None,
               progress: Callable[[int, int], object] | None = None,
               settings: Mapping[str, Any] | None = None, skip: Iterable[str] = ()) -> Conversion:
    """As :func:`convert`, but returns a :class:`Conversion`, which accounts for every array.

    Args:
        path, config, skip: As for :func:`convert`.
        progress: Called as ``progress(used, total)`` with numbers of arrays while they are copied; an
            exception that it raises ends the conversion.
        settings: Arguments that override those of ``config``; they may use the same option names.
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
    model.class_names = tuple(model.class_names)
    model.origin = {'file': pathlib.Path(path).name, 'md5': _md5(path), 'format': form.name,
                    'network': name, **mapping.summary()}
    return Conversion(model, mapping.used, mapping.skipped, mapping.mapping(model))


def _recognise(path: str | os.PathLike, tree: object, networks: Networks) -> tuple[ModuleType, str]:
    module, name = _find_network(tree, networks)
    if module is None or name is None:
        raise WeightFileError(f'{path} contains {networks.describe(tree)}, which cannot be converted; '
                              f'supported networks in this format: {networks.known}.')
    return module, name


def _find_network(tree: object, networks: Networks) -> tuple[ModuleType, str] | tuple[None, None]:
    """The module that recognises the network of a tree, and its name; (None, None) if none does."""
    for module in networks.modules:
        name = module.recognise(tree)
        if name is not None:
            return module, name
    return None, None


def _build(module: ModuleType, tree: object, mapping: WeightMapping, config: dict[str, Any]) -> Model:
    given = list(config)
    try:
        with blank_parameters():
            model = module.build(tree, mapping, config)
    except (TypeError, ValueError, MemoryError) as error:
        raise WeightFileError(
            f'{mapping.path} cannot be converted: its sizes or the given configuration do not fit '
            f'the network: {shortened(str(error)).rstrip(".")}.') from error
    except (ArithmeticError, LookupError, AttributeError, RecursionError) as error:
        if not given:  # A bug of ours.
            raise
        raise WeightFileError(
            f'{mapping.path} cannot be converted: the given configuration does not fit the network; '
            f'check the values of {", ".join(map(str, given[:6]))}.') from error
    _check_configuration(model, given, mapping.path)
    model.cleargrads()
    return model


def _check_configuration(model: Model, given: list[str], path: str | os.PathLike) -> None:
    """Refuses values that do not match the type hints of the model's class, which checks only some."""
    forms = argument_forms(type(model))
    values = {name: model.config[name] for name in given if name in forms and name in model.config}
    check_arguments(type(model), values, f'The configuration for {path}', WeightFileError)


def _md5(path: str | os.PathLike) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
