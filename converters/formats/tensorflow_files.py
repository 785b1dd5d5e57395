"""Finds the files of a TensorFlow checkpoint from any path that refers to it (naming.cc, Saver there)."""

import ast
import logging
import os
import pathlib
import re

from chainer_seg.errors import WeightFileError, quoted, shortened

log = logging.getLogger(__name__)

_INDEX = '.index'
_DATA = re.compile(r'(.*)\.data-\d{5}-of-\d{5}')  # Of a version 2 checkpoint.
_SHARD = re.compile(r'(.*)-\d{5}-of-(\d{5})')  # Of a sharded version 1 checkpoint.
_ANY_SHARD = re.compile(r'-\?{5}-of-\d{5}')  # Saver's pattern for all shards of version 1.
_STATE = 'checkpoint'  # The file that names the latest checkpoint of a folder.
_NEWEST = re.compile(r'''^model_checkpoint_path:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*$''', re.M)
_LONGEST_STATE = 1 << 20  # Bytes.
_LONGEST_NAME = 200  # Characters; below the limit of file systems, because suffixes follow.
_SAVED_MODEL = pathlib.Path('variables', 'variables.index')
_GRAPHS = ('.pb', '.pbtxt')


def locate(path: str | os.PathLike) -> pathlib.Path:
    """The file to read for a TensorFlow checkpoint; any other path is returned unchanged.

    Args:
        path: The name passed to ``tf.train.Saver`` (``model.ckpt-20000``, which need not be a file), a
            shard of it (``.data-00000-of-00001``), the text file ``checkpoint`` beside it, a folder with
            such a file, or a SavedModel folder.

    Raises:
        chainer_seg.errors.WeightFileError: The path is a graph, which has no variables, or a file of
            the checkpoint is missing.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _in_folder(path)
    if path.name == _STATE and path.exists():
        return _newest(path)
    data = _DATA.fullmatch(path.name)
    if data:
        return _index_of(path, data[1])
    _refuse_graphs(path)
    return _named(path) or path


def shards_of(path: str | os.PathLike) -> list[pathlib.Path]:
    """The files of a version 1 checkpoint, usually one.

    Raises:
        chainer_seg.errors.WeightFileError: A shard is missing.
    """
    path = pathlib.Path(path)
    match = _SHARD.fullmatch(path.name)
    if not match:
        return [path]
    shards = [path.with_name(f'{match[1]}-{number:05d}-of-{match[2]}')
              for number in range(int(match[2]))]
    for shard in shards:
        if not shard.exists():
            raise WeightFileError(f'{path} is a shard of a checkpoint of which {shard} is missing; copy '
                                  f'all files of the checkpoint into one folder.')
    return shards


def _named(path: pathlib.Path) -> pathlib.Path | None:
    """The file of the checkpoint with this name; None if there is none."""
    index = path.with_name(path.name + _INDEX)
    if path.exists() or not path.parent.is_dir():
        return None
    if index.exists():
        return index
    prefix = _ANY_SHARD.sub('', path.name)
    matches = filter(None, (_SHARD.fullmatch(entry.name) for entry in path.parent.iterdir()))
    return min((path.with_name(match[0]) for match in matches if match[1] == prefix), default=None)


def _in_folder(folder: pathlib.Path) -> pathlib.Path:
    if (folder / _SAVED_MODEL).exists():
        return folder / _SAVED_MODEL
    if (folder / 'saved_model.pb').exists():
        raise WeightFileError(f'{folder} is a SavedModel without variables; expected them in '
                              f'{folder / _SAVED_MODEL}.')
    return _newest(folder / _STATE) if (folder / _STATE).exists() else folder


def _newest(state: pathlib.Path) -> pathlib.Path:
    """The checkpoint that the text file beside it names."""
    with open(state, 'rb') as file:
        content = file.read(_LONGEST_STATE)
    match = _NEWEST.search(content.decode('utf-8', 'replace'))
    if not match:
        raise WeightFileError(f'{state} does not name a checkpoint with model_checkpoint_path; give the '
                              f'checkpoint itself.')
    try:
        name = ast.literal_eval(match[1])
    except (ValueError, SyntaxError) as error:
        raise WeightFileError(f'{state} names a checkpoint in an invalid form: '
                              f'{shortened(match[1], 80)}.') from error
    return _beside(state, name)


def _beside(state: pathlib.Path, name: str) -> pathlib.Path:
    """The named checkpoint, in the folder of the text file that names it or in a subfolder.

    For a path elsewhere, as after the folder was moved, only the last part is used.
    """
    parts = re.split(r'[\\/]', name)
    is_elsewhere = '..' in parts or not parts[0] or ':' in parts[0]
    if not parts[-1].strip('.') or '\0' in name or max(map(len, parts)) > _LONGEST_NAME:
        raise WeightFileError(f'{state} names the checkpoint {quoted(name, 80)}, which is not a '
                              f'valid file name; give the checkpoint itself.')
    for path in ((state.parent / parts[-1],) if is_elsewhere else
                 (state.parent.joinpath(*parts), state.parent / parts[-1])):
        found = path if path.is_file() else _named(path)
        if found:
            if is_elsewhere:
                log.warning('%s names the checkpoint %s outside its folder; reading %s in it instead.',
                            state, shortened(name, 80), found.name)
            return found
    where = 'outside its folder, and its folder has none of that name' if is_elsewhere else (
        'which is neither there nor in its folder')
    raise WeightFileError(f'{state} names the checkpoint {shortened(name, 80)}, {where}; copy it there, '
                          f'or give the checkpoint itself.')


def _index_of(shard: pathlib.Path, name: str) -> pathlib.Path:
    index = shard.with_name(name + _INDEX)
    if not index.exists():
        raise WeightFileError(f'{shard} contains values of a checkpoint, but not their names; copy '
                              f'{index.name} beside it.')
    return index


def _refuse_graphs(path: pathlib.Path) -> None:
    if not path.exists():
        return
    if path.suffix == '.meta':
        raise WeightFileError(f'{path} is the graph of a checkpoint and contains no weights; give '
                              f'{path.with_suffix("").name} instead.')
    if path.suffix in _GRAPHS:
        beside = path.parent / _SAVED_MODEL
        remedy = (f'give the folder of the SavedModel, {path.parent}' if beside.exists() else
                  'save its variables with tf.train.Saver, and give the checkpoint')
        raise WeightFileError(f'{path} is a TensorFlow graph, which contains no weights that can be read; '
                              f'{remedy}.')
