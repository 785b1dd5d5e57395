"""The state of a training run as plain arrays in one .npz file, without pickles."""

import json
import struct
import zipfile
import zlib

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_seg.errors import TrainingError
from chainer_seg.files import atomic_write

_KIND = 'chainer_seg training snapshot'
_FORMAT = 1


class _Saver(chainer.Serializer):
    """Collects arrays by path. None is left out, text becomes bytes."""

    def __init__(self, arrays, path=''):
        self.arrays, self._path = arrays, path

    def __getitem__(self, key):
        return _Saver(self.arrays, f'{self._path}{key.strip("/")}/')

    def __call__(self, key, value):
        if isinstance(value, str):
            stored = np.frombuffer(value.encode('utf-8'), np.uint8)
        elif value is not None:
            stored = np.asarray(cuda.to_cpu(value))
        else:
            return None
        self.arrays[self._path + key.lstrip('/')] = stored
        return value


class _Loader(chainer.Deserializer):
    """Hands arrays out by path and notes what is missing or of another shape."""

    def __init__(self, arrays, path='', used=None, wrong=None):
        self.arrays, self._path = arrays, path
        self.used = set() if used is None else used
        self.wrong = [] if wrong is None else wrong

    def __getitem__(self, key):
        return _Loader(self.arrays, f'{self._path}{key.strip("/")}/', self.used, self.wrong)

    def __call__(self, key, value):
        path = self._path + key.lstrip('/')
        stored = self.arrays.get(path)
        if stored is None:
            if value is not None:
                self.wrong.append(f'{path} is missing')
            return value
        self.used.add(path)
        if value is None:
            return stored
        if isinstance(value, str):
            return stored.tobytes().decode('utf-8')
        if not isinstance(value, chainer.get_array_types()):
            return type(value)(stored.item())
        if value.shape != stored.shape:
            self.wrong.append(f'{path} is {stored.shape} and not {value.shape}')
        else:
            chainer.backend.copyto(value, stored.astype(value.dtype, copy=False))
        return value


def write_state(path, trainer, about):
    """Writes the state of ``trainer`` to ``path``, atomically.

    Args:
        path: Where to.
        trainer: A Chainer trainer.
        about: A JSON dict that :func:`read_state` gives back.

    Raises:
        chainer_seg.errors.DiskFullError: There is no room; what was at ``path`` is untouched.
    """
    arrays = {}
    trainer.serialize(_Saver(arrays))
    text = json.dumps({'kind': _KIND, 'format': _FORMAT, **about})
    _Saver(arrays)('about', text)
    with atomic_write(path) as temporary, open(temporary, 'wb') as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_state(path):
    """The arrays of a snapshot and what :func:`write_state` was told about it.

    Returns:
        ``(arrays, about)``.

    Raises:
        chainer_seg.errors.TrainingError: The file is missing, damaged, or not a snapshot.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        about = json.loads(arrays.pop('about').tobytes())
        kind, version = about['kind'], about['format']
    except FileNotFoundError as error:
        raise TrainingError(
            f'There is no snapshot {path}; give one that exists, or resume=None.') from error
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError,
            zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError) as error:
        raise TrainingError(
            f'{path} is damaged or is not a training snapshot; resume from another '
            f'one, or start anew with resume=None.') from error
    if kind != _KIND:
        raise TrainingError(f'{path} is not a training snapshot but holds {kind!r}; resume from '
                            f'a snapshot_iter_*.npz file.')
    if version != _FORMAT:
        raise TrainingError(f'{path} has snapshot format {version} and this version of '
                            f'chainer_seg reads {_FORMAT}; install a newer chainer_seg.')
    return arrays, about


def restore_state(path, trainer, arrays):
    """Puts the arrays of :func:`read_state` into ``trainer``.

    Raises:
        chainer_seg.errors.TrainingError: They belong to another model or optimizer.
    """
    loader = _Loader(arrays)
    trainer.serialize(loader)
    surplus = [f'{key} is unknown here' for key in sorted(set(arrays) - loader.used)
               if key.startswith('updater/')]
    wrong = loader.wrong + surplus
    if wrong:
        more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
        raise TrainingError(f'{path} belongs to another model or optimizer: '
                            f'{"; ".join(wrong[:3])}{more}; resume with the settings of that run.')
