"""The model file: a .npz with Chainer's parameter paths and a JSON entry that describes the model."""

import contextlib
import difflib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np

from chainer_seg import schema
from chainer_seg.array_files import ArrayFile, ArrayFileError
from chainer_seg.compat.blank import TooManyParameters, blank_parameters
from chainer_seg.errors import ModelFileError, quoted, shortened
from chainer_seg.files import atomic_write, parse_json
from chainer_seg.foreign_files import foreign_file, foreign_weights
from chainer_seg.registry import MODEL_HOMES, model_class
from chainer_seg.zoo import (
    SHIPPED, cached_model, downloaded_weights, published_model, published_models, shipped_path)

if TYPE_CHECKING:
    import chainer

    from chainer_seg.models.base import Model

FORMAT = 'chainer_seg model'
FORMAT_VERSION = 1
DESCRIPTION = 'chainer_seg.json'  # The JSON entry; no parameter path can have this name.

_LISTED = 8  # Longer lists of parameters are abbreviated in messages.


class _Description(msgspec.Struct):
    """The JSON entry."""

    config: dict[str, Any]
    class_: schema.Text = msgspec.field(name='class')
    class_names: Annotated[list[schema.Text], msgspec.Meta(max_length=100_000)] | None = None
    origin: dict[str, Any] | None = None


def save_model(path: str | os.PathLike, model: 'Model', *, dtype: str | None = None) -> None:
    """Saves a model, atomically.

    Args:
        path: The file, usually with the suffix ``.npz``.
        model: A model of this package; ``config``, ``class_names`` and ``origin`` are saved with
            the weights.
        dtype: ``'float16'`` halves the file and rounds the weights, except for arrays whose values are
            too large for it; by default they are not changed.

    Raises:
        chainer_seg.errors.DiskFullError: The disk is full or the folder is not writable.
        chainer_seg.errors.ModelFileError: Its configuration exceeds the limits of :func:`load_model`.
    """
    if model_class(type(model).__name__) is type(model):
        _checked_config(type(model), json.loads(json.dumps(model.config)), path)
    arrays = _arrays_of(model)
    if dtype is not None:
        arrays = {name: value.astype(dtype) if _fits(value, dtype) else value
                  for name, value in arrays.items()}
    description = {
        'format': FORMAT, 'version': FORMAT_VERSION, 'class': type(model).__name__,
        'config': model.config, 'class_names': list(model.class_names),
        'origin': model.origin}
    text = np.frombuffer(json.dumps(description).encode('utf-8'), np.uint8)
    with atomic_write(path) as temporary, open(temporary, 'wb') as file:
        np.savez(file, **{DESCRIPTION: text, **arrays})  # type: ignore[arg-type]


def load_model(path: str | os.PathLike, device: str | int | None = 'cpu') -> Any:
    """Loads a model that :func:`save_model` wrote, a shipped one, or published weights.

    Published weights are downloaded and converted when they are first asked for. The converted file is
    kept in the user's cache (:func:`chainer_seg.zoo.cached_model`).

    Args:
        path: A file, the name of a shipped model such as ``'click'``, or the name of published weights
            such as ``'mask-rcnn-r50-fpn-2x'``; ``chainer-seg download weights`` lists them.
        device: Where the model goes: ``'cpu'``, the number of a GPU, or None for the first GPU
            where there is one.

    Returns:
        The model, ready to use, with ``config``, ``class_names`` and ``origin``.

    Raises:
        chainer_seg.errors.ModelFileError: The file is missing, truncated, something else, of a
            newer format, or its parameters are not those of its class.
        chainer_seg.errors.DownloadError: Published weights cannot be downloaded; the message says how to
            bring them here by hand.
        chainer_seg.errors.DeviceError: There is no such device.
    """
    from chainer_seg.devices import get_device
    import chainer
    path = _find(path)
    chosen = get_device(device)
    with _opened(path) as file:
        description = _read_description(file, path)
        model = _build(description, file.elements, path)
        _check_parameters(file, model, path)
        arrays = {name: file.read(name) for name in file.headers if name != DESCRIPTION}
    chainer.serializers.NpzDeserializer(arrays).load(model)
    model.cleargrads()
    model.class_names = tuple(description.get('class_names') or ())
    model.origin = description.get('origin')
    model.to_device(chosen)
    return model


def copy_matching(source: 'chainer.Link', target: 'chainer.Link') -> int:
    """Copies the weights and running statistics that have the same path and shape in both models.

    Returns:
        The number of arrays that were copied.
    """
    import chainer
    given = _arrays_of(source)
    arrays = {name: given[name] if name in given and given[name].shape == value.shape else value
              for name, value in _arrays_of(target).items()}
    chainer.serializers.NpzDeserializer(arrays).load(target)
    return sum(arrays[name] is given.get(name) for name in arrays)


def read_description(path: str | os.PathLike) -> dict[str, Any]:
    """The JSON entry of a model file as a dict: format, version, class, config, class_names, origin."""
    path = _find(path)
    with _opened(path) as file:
        return _read_description(file, path)


def class_of(path: str | os.PathLike) -> str:
    """The name of the class of a model; for published weights, nothing is downloaded.

    Raises:
        chainer_seg.errors.ModelFileError: As for :func:`load_model`.
    """
    published = None if pathlib.Path(path).is_file() else published_model(str(path))
    return read_description(path)['class'] if published is None else published.model


def is_model_file(path: str | os.PathLike) -> bool:
    """Whether :func:`load_model` takes ``path``; for published weights, nothing is downloaded."""
    try:
        class_of(path)
    except ModelFileError:
        return False
    return True


def _find(path: str | os.PathLike) -> pathlib.Path:
    """The model file for what :func:`load_model` takes."""
    path = pathlib.Path(path)
    if not path.is_file():
        path = shipped_path(str(path)) or _find_published(str(path)) or path
    if path.is_dir():
        raise ModelFileError(f'{path} is a folder; pass a model file in it.')
    if not path.exists():
        near = difflib.get_close_matches(str(path), [*SHIPPED, *published_models()], n=1)
        meant = f' did you mean {near[0]}?' if near else ''
        raise ModelFileError(f'There is no model file {path};{meant} Pass a file that save_model wrote, the '
                             f'name of a shipped model ({", ".join(SHIPPED)}), or one that "chainer-seg '
                             f'download weights" lists.')
    return path


def _find_published(name: str) -> pathlib.Path | None:
    """The converted file of published weights, which are downloaded if needed; None for other names."""
    if published_model(name) is None:
        return None
    path = cached_model(name)
    if not path.exists():
        from converters import convert
        with downloaded_weights(name) as weights:
            save_model(path, convert(weights))
    return path


def _fits(array: np.ndarray, dtype: str) -> bool:
    """Whether an array is of floats that are all finite in ``dtype``."""
    return bool(array.dtype.kind == 'f' and np.abs(array).max(initial=0) <= np.finfo(dtype).max)


def _arrays_of(model: 'chainer.Link') -> dict[str, Any]:
    """All parameters and persistent values by their path, on the CPU."""
    import chainer
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(model)
    return serializer.target


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[ArrayFile]:
    """The ArrayFile; its errors become those of a model file."""
    try:
        with ArrayFile(path) as file:
            yield file
    except ArrayFileError as error:
        raise ModelFileError(_what_is_wrong(path, error)) from error


def _read_description(file: ArrayFile, path: str | os.PathLike) -> dict[str, Any]:
    if DESCRIPTION not in file.headers:
        raise ModelFileError(f'{path} is not a chainer_seg model file: it is a .npz or .zip of '
                             f'something else.')
    if file.headers[DESCRIPTION].dtype != np.uint8:
        raise ModelFileError(f'{path} is not a chainer_seg model file.')
    name = f'The description in the model file {path}'
    description = parse_json(file.read(DESCRIPTION).tobytes(), name, ModelFileError)
    if not isinstance(description, dict) or description.get('format') != FORMAT:
        raise ModelFileError(f'{path} is not a chainer_seg model file.')
    version = schema.check(description.get('version', 0), schema.Count, f'The version of {path}',
                           ModelFileError)
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f'{path} has model format version {version}, but this chainer_seg '
            f'reads up to version {FORMAT_VERSION}; install a newer chainer_seg.')
    schema.check(description, _Description, name, ModelFileError)
    return description


def _build(description: dict[str, Any], elements: int, path: str | os.PathLike) -> Any:
    """The model, without its weights, if it has no more parameters than the ``elements`` of the file."""
    name = description['class']
    cls = model_class(name)
    if cls is None:
        raise ModelFileError(f'{path} contains a model of the class {quoted(name)}, which this chainer_seg '
                             f'does not have; it has {", ".join(sorted(MODEL_HOMES))}.')
    config = _checked_config(cls, description['config'], path)
    try:
        with blank_parameters(elements):
            return cls(**config)
    except TooManyParameters as error:
        raise ModelFileError(f'The configuration in {path} describes a {name} with more parameters than '
                             f'the {elements:,} numbers in the file; copy it again.') from error
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise ModelFileError(f'The configuration in {path} does not fit the class {name}: '
                             f'{shortened(str(error))}.') from error


def _checked_config(cls: type, config: Any, path: str | os.PathLike) -> dict[str, Any]:
    return schema.check_arguments(cls, config, f'The configuration of the {cls.__name__} in {path}',
                                  ModelFileError)


def _check_parameters(file: ArrayFile, model: Any, path: str | os.PathLike) -> None:
    """Compares names and shapes before any array is read."""
    values = _arrays_of(model)
    expected = {name: np.shape(value) for name, value in values.items()}
    found = {name: header.shape for name, header in file.headers.items() if name != DESCRIPTION}
    problems = []
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing:
        problems.append(f'the file lacks {_listing(missing)}')
    if extra:
        problems.append(f'the model has no {_listing(extra)}')
    wrong = [f'{name} is {found[name]} where {expected[name]} is needed'
             for name in sorted(expected.keys() & found.keys()) if expected[name] != found[name]]
    wrong += [f'{name} is {file.headers[name].dtype} where {values[name].dtype} is needed'
              for name in sorted(expected.keys() & found.keys())
              if not _can_be(file.headers[name].dtype, np.asarray(values[name]).dtype)]
    if wrong:
        problems.append(_listing(wrong))
    if problems:
        raise ModelFileError(f'The parameters in {path} are not those of its '
                             f'{type(model).__name__}: {"; ".join(problems)}.')


def _can_be(found: np.dtype, needed: np.dtype) -> bool:
    """Whether numbers may be converted to the needed dtype; integers may not be rounded."""
    return np.can_cast(found, needed, 'same_kind' if needed.kind == 'f' else 'safe')


def _listing(items: Iterable[str]) -> str:
    items = [shortened(item) for item in sorted(items)]
    more = f' and {len(items) - _LISTED} more' if len(items) > _LISTED else ''
    return ', '.join(items[:_LISTED]) + more


def _what_is_wrong(path: str | os.PathLike, error: Exception) -> str:
    try:
        with open(path, 'rb') as file:
            start = file.read(4)
    except OSError as failure:
        return f'{path} cannot be read: {failure.strerror}.'
    if not start:
        return f'{path} is an empty file; save or copy it again.'
    foreign = foreign_file(path)
    if foreign is not None:
        return f'{path} {foreign}.'
    weights = foreign_weights(path)
    if weights is not None:
        return f'{path} {weights}.'
    if start != b'PK\x03\x04':
        return f'{path} is not a chainer_seg model file.'
    return str(error)
