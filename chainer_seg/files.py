"""Files that are never half written: a temporary name beside the target, renamed when all is well."""

import contextlib
import json
import os
import pathlib
import tempfile

from chainer_seg.errors import writing


@contextlib.contextmanager
def atomic_write(path):
    """Gives a temporary path beside ``path``, which takes its name when the block ends well.

    The folder is made if it is missing. The temporary name keeps the ending of ``path`` so that
    libraries which choose a format by the ending work. If the block fails, nothing is left behind
    and a file that ``path`` named before is untouched.

    Raises:
        chainer_seg.errors.DiskFullError: There is no room or no permission.
    """
    path = pathlib.Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f'.{path.stem[:40]}-', suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = pathlib.Path(name)
        try:
            yield temporary
            _flush_to_disk(temporary)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Writes ``text`` as UTF-8 to ``path``, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path, value, indent=None):
    """Writes ``value`` as JSON to ``path``, atomically."""
    write_text(path, json.dumps(value, indent=indent) + '\n')


@contextlib.contextmanager
def json_list(path):
    """Gives ``add(value)``, which puts values one by one into a JSON list, a line for each.

    The file appears when the block ends well.
    """
    with atomic_write(path) as temporary, open(temporary, 'w', encoding='ascii') as file:
        separator = '['

        def add(value):
            nonlocal separator
            file.write(separator + json.dumps(value))
            separator = ',\n'

        yield add
        file.write(']\n' if separator != '[' else '[]\n')


def _flush_to_disk(path):
    with open(path, 'rb+') as file:
        os.fsync(file.fileno())


def _umask():
    # The mask can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
