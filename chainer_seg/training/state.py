"""The state of a training run as plain arrays in one .npz file, without pickles."""

import json
import math
import os
import typing
from collections.abc import Sequence
from typing import Any

import chainer
import msgspec
import numpy as np
from chainer.backends import cuda

from chainer_seg import schema
from chainer_seg.array_files import ArrayFile, ArrayFileError
from chainer_seg.errors import TrainingError, quoted, shortened
from chainer_seg.files import atomic_write, parse_json

_KIND = 'chainer_seg training snapshot'
_FORMAT = 1
_ABOUT = 'about'  # the name of the description among the arrays


class _About(msgspec.Struct):
    """The description in every snapshot; callers of :func:`write_state` may add to it."""

    kind: typing.Any
    format: typing.Any
    iteration: schema.Count = 0


class _Saver(chainer.Serializer):
    """Collects arrays by path. None is omitted, text becomes bytes."""

    def __init__(self, arrays: dict[str, np.ndarray], path: str = '') -> None:
        self.arrays, self._path = arrays, path

    def __getitem__(self, key: str) -> '_Saver':
        return _Saver(self.arrays, f'{self._path}{key.strip("/")}/')

    def __call__(self, key: str, value: Any) -> Any:
        if isinstance(value, str):
            stored = np.frombuffer(value.encode('utf-8'), np.uint8)
        elif value is not None:
            stored = np.asarray(cuda.to_cpu(value))
        else:
            return None
        self.arrays[self._path + key.lstrip('/')] = stored
        return value


class _Loader(chainer.Deserializer):
    """Looks up arrays by path and records those that are missing or have another shape."""

    def __init__(self, arrays: dict[str, np.ndarray], path: str = '', used: set[str] | None = None,
                 wrong: list[str] | None = None) -> None:
        self.arrays, self._path = arrays, path
        self.used = set() if used is None else used
        self.wrong = [] if wrong is None else wrong

    def __getitem__(self, key: str) -> '_Loader':
        return _Loader(self.arrays, f'{self._path}{key.strip("/")}/', self.used, self.wrong)

    def __call__(self, key: str, value: Any) -> Any:
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
            return self._text(path, stored, value)
        if not isinstance(value, chainer.get_array_types()):
            return self._number(path, stored, value)
        if value.shape != stored.shape:
            self.wrong.append(f'{path} has shape {stored.shape} instead of {value.shape}')
        elif not np.can_cast(stored.dtype, value.dtype, 'same_kind'):
            self.wrong.append(f'{path} has dtype {stored.dtype} instead of {value.dtype}')
        else:
            chainer.backend.copyto(value, stored.astype(value.dtype, copy=False))
        return value

    def _text(self, path: str, stored: np.ndarray, value: str) -> str:
        try:
            return stored.tobytes().decode('utf-8')
        except UnicodeDecodeError:
            self.wrong.append(f'{path} is not text')
            return value

    def _number(self, path: str, stored: np.ndarray, value: Any) -> Any:
        """A number of the run: a counter or a duration, neither of which is negative."""
        fits = stored.shape == () and np.can_cast(stored.dtype, np.asarray(value).dtype, 'same_kind')
        if not fits or not math.isfinite(stored) or stored < 0:
            self.wrong.append(f'{path} is not a number like {value}')
            return value
        return type(value)(stored.item())


def write_state(path: str | os.PathLike, trainer: chainer.training.Trainer,
                about: dict[str, typing.Any]) -> None:
    """Writes the state of ``trainer`` to ``path``, atomically.

    Args:
        path: The file to write.
        trainer: A Chainer trainer.
        about: A JSON dict that :func:`read_state` returns.

    Raises:
        chainer_seg.errors.DiskFullError: The disk is full; an existing file at ``path`` is intact.
    """
    arrays: dict[str, np.ndarray] = {}
    trainer.serialize(_Saver(arrays))
    text = json.dumps({'kind': _KIND, 'format': _FORMAT, **about})
    _Saver(arrays)(_ABOUT, text)
    with atomic_write(path) as temporary, open(temporary, 'wb') as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_state(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, typing.Any]]:
    """Reads the arrays and the description of a snapshot, as passed to :func:`write_state`.

    Returns:
        ``(arrays, about)``.

    Raises:
        chainer_seg.errors.TrainingError: The file is missing, damaged, or not a snapshot.
    """
    arrays = _read_arrays(path)
    return arrays, _described(arrays.pop(_ABOUT), path)


def read_about(path: str | os.PathLike) -> dict[str, typing.Any]:
    """The description in a snapshot, without its arrays; errors as of :func:`read_state`."""
    return _described(_read_arrays(path, [_ABOUT])[_ABOUT], path)


def _read_arrays(path: str | os.PathLike, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a snapshot by name; all of them by default."""
    try:
        with ArrayFile(path) as file:
            if _ABOUT not in file.headers:
                raise _no_snapshot(path)
            return {name: file.read(name) for name in names or file.headers}
    except ArrayFileError as error:
        if error.reason == 'missing':
            raise TrainingError(
                f'There is no snapshot {path}; check the path, or pass resume=None.') from error
        raise _no_snapshot(path) from error


def _described(text: np.ndarray, path: str | os.PathLike) -> dict[str, typing.Any]:
    """The description of a snapshot after a check."""
    name = f'The description in the snapshot {path}'
    about = parse_json(text.tobytes(), name, TrainingError)
    checked = schema.check(about, _About, name, TrainingError)
    kind, version = checked.kind, checked.format
    if kind != _KIND:
        raise TrainingError(f'{path} is not a training snapshot but {quoted(kind)}; resume from a '
                            f'snapshot_iter_*.npz file.')
    if version != _FORMAT:
        raise TrainingError(f'{path} has snapshot format {quoted(version)}, but this version of '
                            f'chainer_seg reads format {_FORMAT}; install a newer chainer_seg.')
    return about


def _no_snapshot(path: str | os.PathLike[str]) -> TrainingError:
    return TrainingError(f'{path} is damaged or not a training snapshot; resume from another one, or '
                         f'start a new run with resume=None.')


def restore_state(path: str | os.PathLike, trainer: chainer.training.Trainer,
                  arrays: dict[str, np.ndarray]) -> None:
    """Restores the state of ``trainer`` from the arrays of :func:`read_state`.

    Raises:
        chainer_seg.errors.TrainingError: They belong to another model or optimizer.
    """
    loader = _Loader(arrays)
    try:
        trainer.serialize(loader)
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:  # of Chainer's own links
        raise TrainingError(f'{path} cannot be restored: {shortened(str(error))}; resume with the '
                            f'settings of that run, or from another snapshot.') from error
    surplus = [f'{key} is unexpected' for key in sorted(set(arrays) - loader.used)
               if key.startswith('updater/')]
    wrong = [shortened(fault) for fault in loader.wrong + surplus]
    if wrong:
        more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
        raise TrainingError(f'{path} belongs to another model or optimizer: '
                            f'{"; ".join(wrong[:3])}{more}; resume with the settings of that run.')
