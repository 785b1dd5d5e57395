"""The model file: a .npz of Chainer's parameter paths and a JSON entry that says what they are."""

import json
import pathlib
import struct
import tokenize
import zipfile
import zlib

import chainer
import numpy as np

from chainer_seg.compat.blank import blank_parameters
from chainer_seg.devices import get_device
from chainer_seg.errors import ModelFileError
from chainer_seg.files import atomic_write
from chainer_seg.foreign_files import foreign_file
from chainer_seg.models import MODEL_HOMES, model_class
from chainer_seg.zoo import SHIPPED, shipped_path

FORMAT = 'chainer_seg model'
FORMAT_VERSION = 1
DESCRIPTION = 'chainer_seg.json'  # The JSON entry; no parameter path can have this name.

_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, KeyError, struct.error,
           NotImplementedError, SyntaxError, tokenize.TokenError, MemoryError)
_LISTED = 8  # Longer lists of parameters are cut in messages.


def save_model(path, model, *, dtype=None):
    """Saves a model, atomically.

    Args:
        path: The file; by custom it ends in ``.npz``.
        model: A model of this package: it has ``config``, and perhaps ``class_names`` and
            ``origin``, a dict that says where its weights came from.
        dtype: ``'float16'`` halves the file and rounds the weights; left out they are kept as
            they are. Arrays with numbers that are too large for it stay as they are, too.

    Raises:
        chainer_seg.errors.DiskFullError: There is no room or no permission.
    """
    arrays = _arrays_of(model)
    if dtype is not None:
        arrays = {name: value.astype(dtype) if _fits(value, dtype) else value
                  for name, value in arrays.items()}
    description = {
        'format': FORMAT, 'version': FORMAT_VERSION, 'class': type(model).__name__,
        'config': model.config, 'class_names': list(getattr(model, 'class_names', ())),
        'origin': getattr(model, 'origin', None)}
    text = np.frombuffer(json.dumps(description).encode('utf-8'), np.uint8)
    with atomic_write(path) as temporary, open(temporary, 'wb') as file:
        np.savez(file, **{DESCRIPTION: text}, **arrays)


def load_model(path, device='cpu'):
    """Loads a model that :func:`save_model` wrote, or one that comes with the package.

    Args:
        path: A file, or the name of a shipped model such as ``'click'``.
        device: Where the model goes: ``'cpu'``, the number of a GPU, or None for the first GPU
            where there is one.

    Returns:
        The model, ready to use, with ``config``, ``class_names`` and ``origin``.

    Raises:
        chainer_seg.errors.ModelFileError: The file is missing, truncated, something else, of a
            newer format, or its parameters are not those of its class.
        chainer_seg.errors.DeviceError: There is no such device.
    """
    path = _find(path)
    device = get_device(device)
    try:
        with open(path, 'rb') as file, zipfile.ZipFile(file) as archive:
            description = _read_description(archive, path)
            model = _build(description, path)
            _check_parameters(archive, model, path)
            _read_parameters(archive, model)
            model.cleargrads()
    except _DAMAGE as error:
        raise ModelFileError(_what_is_wrong(path, error)) from error
    model.class_names = tuple(description.get('class_names') or ())
    model.origin = description.get('origin')
    model.to_device(device)
    return model


def copy_matching(source, target):
    """Copies what has the same path and shape in two models: weights and running statistics.

    Returns:
        The number of arrays that were copied.
    """
    given = _arrays_of(source)
    arrays = {name: given[name] if name in given and given[name].shape == value.shape else value
              for name, value in _arrays_of(target).items()}
    chainer.serializers.NpzDeserializer(arrays).load(target)
    return sum(arrays[name] is given.get(name) for name in arrays)


def read_description(path):
    """The JSON entry of a model file as a dict: format, version, class, config, class_names, origin."""
    path = _find(path)
    try:
        with open(path, 'rb') as file, zipfile.ZipFile(file) as archive:
            return _read_description(archive, path)
    except _DAMAGE as error:
        raise ModelFileError(_what_is_wrong(path, error)) from error


def is_model_file(path):
    """Whether ``path`` is a file that :func:`save_model` wrote, or the name of a shipped model."""
    try:
        read_description(path)
    except ModelFileError:
        return False
    return True


def _find(path):
    shipped = shipped_path(str(path))
    path = shipped if shipped is not None and not pathlib.Path(path).is_file() else path
    path = pathlib.Path(path)
    if path.is_dir():
        raise ModelFileError(f'{path} is a folder; name a model file in it.')
    if not path.exists():
        raise ModelFileError(f'There is no model file {path}; give a file that save_model wrote '
                             f'or the name of a shipped model ({", ".join(SHIPPED)}).')
    return path


def _fits(array, dtype):
    """Whether an array has fractions, and none so large that ``dtype`` turns them into infinity."""
    return array.dtype.kind == 'f' and np.abs(array).max(initial=0) <= np.finfo(dtype).max


def _arrays_of(model):
    """All parameters and persistent values by their path, on the CPU."""
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(model)
    return serializer.target


def _read_description(archive, path):
    if DESCRIPTION + '.npy' not in archive.namelist():
        raise ModelFileError(f'{path} is not a chainer_seg model file: it is a .npz or .zip of '
                             f'something else.')
    text = _read_array(archive, DESCRIPTION).tobytes()
    description = json.loads(text.decode('utf-8'))
    if not isinstance(description, dict) or description.get('format') != FORMAT:
        raise ModelFileError(f'{path} is not a chainer_seg model file.')
    if description.get('version', 0) > FORMAT_VERSION:
        raise ModelFileError(
            f'{path} has model format version {description["version"]}, but this chainer_seg '
            f'reads up to version {FORMAT_VERSION}; install a newer chainer_seg.')
    return description


def _build(description, path):
    name = description.get('class')
    cls = model_class(name)
    if cls is None:
        raise ModelFileError(f'{path} holds a model of the class {name!r}, which this chainer_seg '
                             f'does not have; it has {", ".join(sorted(MODEL_HOMES))}.')
    try:
        with blank_parameters():
            return cls(**description['config'])
    except (TypeError, ValueError, KeyError) as error:
        raise ModelFileError(f'The configuration in {path} does not fit the class {name}: '
                             f'{error}.') from error


def _check_parameters(archive, model, path):
    """Compares names and shapes before any array is read, so that a lying file costs nothing."""
    expected = {name: value.shape for name, value in _arrays_of(model).items()}
    found = {name[:-len('.npy')]: _read_shape(archive, name)
             for name in archive.namelist() if name != DESCRIPTION + '.npy'}
    problems = []
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing:
        problems.append(f'the file lacks {_listing(missing)}')
    if extra:
        problems.append(f'the model has no {_listing(extra)}')
    wrong = [f'{name} is {found[name]} where {expected[name]} is needed'
             for name in sorted(expected.keys() & found.keys()) if expected[name] != found[name]]
    if wrong:
        problems.append(_listing(wrong))
    if problems:
        raise ModelFileError(f'The parameters in {path} are not those of its '
                             f'{type(model).__name__}: {"; ".join(problems)}.')


def _read_parameters(archive, model):
    names = [name[:-len('.npy')] for name in archive.namelist()]
    arrays = {name: _read_array(archive, name) for name in names if name != DESCRIPTION}
    chainer.serializers.NpzDeserializer(arrays).load(model)


def _read_array(archive, name):
    with archive.open(name + '.npy') as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        file.read()  # To the end, so that the checksum is compared.
    return array


def _read_shape(archive, name):
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                else np.lib.format.read_array_header_2_0)
        return read(file)[0]


def _listing(items):
    items = sorted(items)
    more = f' and {len(items) - _LISTED} more' if len(items) > _LISTED else ''
    return ', '.join(items[:_LISTED]) + more


def _what_is_wrong(path, error):
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
    if start != b'PK\x03\x04':
        return f'{path} is not a chainer_seg model file.'
    return f'{path} is truncated or damaged ({type(error).__name__}); copy it again.'
