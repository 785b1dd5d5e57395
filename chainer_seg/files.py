"""Reading text files in any common encoding, and writing files atomically."""

import codecs
import contextlib
import json
import os
import pathlib
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from chainer_seg.errors import LinkError, UserError, shortened, writing
from chainer_seg.foreign_files import foreign_content
from chainer_seg.locks import UNFINISHED, discard, is_at, lock, remove_unfinished

_BEGINNING = 1 << 16  # Bytes in which a web page or an archive can be recognised.

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, 'utf-8'), (codecs.BOM_UTF16_LE, 'utf-16-le'),
                     (codecs.BOM_UTF16_BE, 'utf-16-be'))

_LONGEST_ENDING = 30  # bytes
_DEVICES = {'AUX', 'CON', 'NUL', 'PRN', *(f'{port}{number}' for port in ('COM', 'LPT')
                                           for number in range(10))}

_cleaned: set[pathlib.Path] = set()  # Folders in which this process has removed files of killed runs.
_SURROGATE = re.compile(r'\\u[dD][89a-fA-F]')  # half of an escaped surrogate pair in JSON


def read_text(path: str | os.PathLike, what: str = 'file', error: type[Exception] = UserError) -> str:
    """The content of a text file in UTF-8, or in the encoding of its byte order mark, without the mark.

    Args:
        path: The file.
        what: The kind of file, for the error, such as ``'annotation file'``.
        error: The class of the error.

    Raises:
        chainer_seg.errors.UserError: It is missing, a folder, binary, or in another encoding.
    """
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            raise error(f'{path} is a folder; give the {what} in it.')
        data = path.read_bytes()
    except FileNotFoundError:
        raise error(f'There is no {what} {path}; check the path.') from None
    except (OSError, ValueError) as failure:  # ValueError: a NUL in the name
        reason = getattr(failure, 'strerror', None) or str(failure)
        raise error(f'The {what} {shortened(str(path))} cannot be read: {reason}.') from failure
    return decode_text(data, f'The {what} {path}', error)


def decode_text(data: bytes, name: str, error: type[Exception] = UserError) -> str:
    """As :func:`read_text`, for bytes; ``name`` names them in errors."""
    mark, encoding = next((each for each in _BYTE_ORDER_MARKS if data.startswith(each[0])),
                          (b'', 'utf-8'))
    try:
        text = data[len(mark):].decode(encoding)
    except UnicodeDecodeError as failure:
        foreign = foreign_content(data[:_BEGINNING])
        if foreign is not None:
            raise error(f'{name} {foreign}.') from failure
        if b'\0' in data[:4096]:
            raise error(f'{name} is not a text file but binary data.') from failure
        raise error(f'{name} is not UTF-8 (byte {failure.start} is not); it is in another encoding, '
                    f'such as GBK or Latin-1: save it as UTF-8.') from failure
    if '\0' in text:
        raise error(f'{name} is not a text file but binary data.')
    return text


def read_json(path: str | os.PathLike, what: str = 'file',
              error: type[Exception] = UserError) -> Any:
    """The value in a JSON file; arguments and errors as for :func:`read_text`."""
    return parse_json(read_text(path, what, error), f'The {what} {path}', error)


def parse_json(text: str | bytes, name: str, error: type[Exception] = UserError) -> Any:
    """The value of a JSON text; ``name`` names it in errors."""
    if isinstance(text, bytes):
        text = decode_text(text, name, error)
    try:
        value = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as failure:  # An unpaired surrogate, which can be neither printed nor written.
        raise error(f'{name} contains text that is not Unicode.') from failure
    except json.JSONDecodeError as failure:
        raise error(_json_fault(text, name, failure)) from failure
    except RecursionError as failure:
        raise error(f'{name} is nested too deeply.') from failure
    except ValueError as failure:  # a whole number of thousands of digits
        raise error(f'{name} contains a number with too many digits.') from failure


def read_toml(path: str | os.PathLike, what: str = 'file',
              error: type[Exception] = UserError) -> dict[str, Any]:
    """The tables of a TOML file; arguments and errors as for :func:`read_text`."""
    return parse_toml(read_text(path, what, error), f'The {what} {path}', error)


def parse_toml(text: str, name: str, error: type[Exception] = UserError) -> dict[str, Any]:
    """The tables of a TOML text; ``name`` names it in errors."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as failure:
        raise error(f'{name} is not valid TOML ({shortened(str(failure))}).') from failure


def _json_fault(text: str, name: str, failure: json.JSONDecodeError) -> str:
    if not text.strip():
        return f'{name} is empty; write or fetch it again.'
    foreign = foreign_content(text[:_BEGINNING].encode('utf-8', 'replace'))
    if foreign is not None:
        return f'{name} {foreign}.'
    if failure.pos >= len(text.rstrip()) - 1 or 'Unterminated' in failure.msg:
        return f'{name} ends too early: it was truncated; fetch it again.'
    return f'{name} is not valid JSON (line {failure.lineno}: {failure.msg}).'


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside ``path``, which is renamed to ``path`` if the block succeeds.

    The folder is created if it is missing. The temporary name keeps the suffix of ``path`` for libraries
    that choose a format by the suffix. If the block fails, nothing is left behind and an existing file at
    ``path`` is not touched. Files left by a killed process are removed when another one first writes to the
    folder.

    Raises:
        chainer_seg.errors.DiskFullError: There is no space or no permission.
    """
    path = pathlib.Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = path.parent.absolute()
        if folder not in _cleaned:
            remove_unfinished(folder)
            _cleaned.add(folder)
        file, temporary = _temporary(path)
        try:
            yield temporary
            _flush_to_disk(temporary)
            os.chmod(temporary, 0o666 & ~_umask())
            if os.name == 'nt':  # which cannot rename an open file
                file.close()
            os.replace(temporary, path)
        finally:
            discard(file, temporary)


def _temporary(path: pathlib.Path) -> tuple[BinaryIO, pathlib.Path]:
    """A new file beside ``path``, locked, and its path."""
    while True:
        handle, name = tempfile.mkstemp(
            prefix=f'.{path.stem[:40]}-', suffix=UNFINISHED + path.suffix, dir=path.parent)
        file = open(handle, 'rb+', buffering=0)  # noqa: SIM115 - open as long as it is locked
        # Another process may have mistaken it for a leftover before it was locked.
        if lock(file) is not False and is_at(file, name):
            return file, pathlib.Path(name)
        file.close()


def check_inside(folder: str | os.PathLike, *names: str) -> None:
    """Refuses links in ``folder`` that lead out of it, through which other files would be overwritten.

    Args:
        folder: The folder that files are about to be written to.
        names: The subfolders that they are written to; they need not exist.

    Raises:
        chainer_seg.errors.LinkError: One of them leads out of the folder through a link.
    """
    inside = pathlib.Path(folder).resolve()
    for name in names:
        path = pathlib.Path(folder, name)
        target = path.resolve()
        if not target.is_relative_to(inside):
            raise LinkError(f'{path} leads out of the folder, to {target}, where other files would be '
                            f'overwritten; remove the link or choose another folder.')


def file_names(texts: Iterable[str], longest: int = 200) -> list[str]:
    """Unique file names that are valid on every system.

    Args:
        texts: Any texts, such as the names of uploads.
        longest: Maximum bytes of a name, of which the suffix has at most 30; systems allow 255.

    Returns:
        A name for each text: its letters, digits, dots, dashes and underscores, with dashes for everything
        else and no leading dot; ``'unnamed'`` if nothing is left.
    """
    taken, names = set(), []
    for text in texts:
        name = wanted = _file_name(text, longest)
        copies = 1
        while name.casefold() in taken:  # Some systems ignore case.
            copies += 1
            stem, ending = os.path.splitext(wanted)
            name = f'{stem}-{copies}{ending}'
        taken.add(name.casefold())
        names.append(name)
    return names


def _file_name(text: str, longest: int) -> str:
    text = re.sub(r'[^\w.-]+', '-', str(text)).strip('-.')
    stem, ending = os.path.splitext(text)
    if len(ending.encode()) > _LONGEST_ENDING:
        stem, ending = text, ''
    stem = stem.encode()[:longest - len(ending.encode())].decode(errors='ignore')
    # Windows reserves these device names, whatever the suffix.
    if stem.partition('.')[0].upper() in _DEVICES:
        stem += '-'
    return stem + ending or 'unnamed'


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes ``text`` as UTF-8 to ``path``, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: str | os.PathLike, value: object, indent: int | None = None) -> None:
    """Writes ``value`` as JSON to ``path``, atomically."""
    write_text(path, json.dumps(value, indent=indent) + '\n')


@contextlib.contextmanager
def json_list(path: str | os.PathLike) -> Iterator[Callable[[object], None]]:
    """Yields ``add(value)``, which appends values to a JSON list, one per line.

    The file appears if the block succeeds.
    """
    with atomic_write(path) as temporary, open(temporary, 'w', encoding='ascii') as file:
        separator = '['

        def add(value: object) -> None:
            nonlocal separator
            file.write(separator + json.dumps(value))
            separator = ',\n'

        yield add
        file.write(']\n' if separator != '[' else '[]\n')


def _flush_to_disk(path: pathlib.Path) -> None:
    with open(path, 'rb+') as file:
        os.fsync(file.fileno())


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
