"""Text files as people have them, and files that are never half written."""

import codecs
import contextlib
import json
import os
import pathlib
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chainer_seg.errors import LinkError, UserError, shortened, writing
from chainer_seg.foreign_files import foreign_content
from chainer_seg.locks import UNFINISHED, discard, is_at, lock, remove_unfinished

_BEGINNING = 1 << 16  # Characters in which a web page or an archive shows what it is.

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, 'utf-8'), (codecs.BOM_UTF16_LE, 'utf-16-le'),
                     (codecs.BOM_UTF16_BE, 'utf-16-be'))

_LONGEST_ENDING = 30  # bytes
_DEVICES = {'AUX', 'CON', 'NUL', 'PRN', *(f'{port}{number}' for port in ('COM', 'LPT')
                                           for number in range(10))}

_cleaned: set[pathlib.Path] = set()  # Folders in which this process has removed what killed runs left.
_SURROGATE = re.compile(r'\\u[dD][89a-fA-F]')  # half of an escaped character of JSON


def read_text(path: str | os.PathLike, what: str = 'file', error: type[UserError] = UserError) -> str:
    """The content of a text file in UTF-8, or in what its byte order mark says, without the mark.

    Args:
        path: The file.
        what: What it is, for the error, such as ``'annotation file'``.
        error: The class of the error.

    Raises:
        chainer_seg.errors.UserError: It is missing, a folder, binary, or in another encoding.
    """
    path = pathlib.Path(path)
    try:
        if path.is_dir():
            raise error(f'{path} is a folder; name the {what} in it.')
        data = path.read_bytes()
    except FileNotFoundError:
        raise error(f'There is no {what} {path}; check the path.') from None
    except (OSError, ValueError) as failure:  # ValueError: a NUL in the name
        reason = getattr(failure, 'strerror', None) or str(failure)
        raise error(f'The {what} {shortened(str(path))} cannot be read: {reason}.') from failure
    return decode_text(data, f'The {what} {path}', error)


def decode_text(data: bytes, name: str, error: type[UserError] = UserError) -> str:
    """As :func:`read_text`, of bytes that an error calls ``name``."""
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
              error: type[UserError] = UserError) -> Any:
    """The value in a JSON file; arguments and errors as those of :func:`read_text`."""
    return parse_json(read_text(path, what, error), f'The {what} {path}', error)


def parse_json(text: str | bytes, name: str, error: type[UserError] = UserError) -> Any:
    """The value of a JSON text, which an error calls ``name``."""
    if isinstance(text, bytes):
        text = decode_text(text, name, error)
    try:
        value = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError as failure:  # Half a character, which can be neither printed nor written.
        raise error(f'{name} holds text that is not Unicode.') from failure
    except json.JSONDecodeError as failure:
        raise error(_json_fault(text, name, failure)) from failure
    except RecursionError as failure:
        raise error(f'{name} is nested too deeply.') from failure
    except ValueError as failure:  # a whole number of thousands of digits
        raise error(f'{name} holds a number that is too long.') from failure


def read_toml(path: str | os.PathLike, what: str = 'file',
              error: type[UserError] = UserError) -> dict[str, Any]:
    """The tables of a TOML file; arguments and errors as those of :func:`read_text`."""
    return parse_toml(read_text(path, what, error), f'The {what} {path}', error)


def parse_toml(text: str, name: str, error: type[UserError] = UserError) -> dict[str, Any]:
    """The tables of a TOML text, which an error calls ``name``."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as failure:
        raise error(f'{name} is not valid TOML ({shortened(str(failure))}).') from failure


def _json_fault(text, name, failure):
    if not text.strip():
        return f'{name} is empty; write or fetch it again.'
    foreign = foreign_content(text[:_BEGINNING].encode('utf-8', 'replace'))
    if foreign is not None:
        return f'{name} {foreign}.'
    if failure.pos >= len(text.rstrip()) - 1 or 'Unterminated' in failure.msg:
        return f'{name} ends too early: it was cut short; fetch it again.'
    return f'{name} is not valid JSON (line {failure.lineno}: {failure.msg}).'


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path beside ``path``, which takes its name when the block ends well.

    The folder is made if it is missing. The temporary name keeps the ending of ``path`` so that
    libraries which choose a format by the ending work. If the block fails, nothing is left behind
    and a file that ``path`` named before is untouched. What a killed process leaves behind is removed
    when another one first writes to the folder.

    Raises:
        chainer_seg.errors.DiskFullError: There is no room or no permission.
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
            if os.name == 'nt':  # which renames no file that is open
                file.close()
            os.replace(temporary, path)
        finally:
            discard(file, temporary)


def _temporary(path):
    """A new file beside ``path``, locked, and its path."""
    while True:
        handle, name = tempfile.mkstemp(
            prefix=f'.{path.stem[:40]}-', suffix=UNFINISHED + path.suffix, dir=path.parent)
        file = open(handle, 'rb+', buffering=0)  # noqa: SIM115 - open as long as it is locked
        # Another process may have taken it for left behind before it was locked.
        if lock(file) is not False and is_at(file, name):
            return file, pathlib.Path(name)
        file.close()


def check_inside(folder: str | os.PathLike, *names: str) -> None:
    """Refuses links in ``folder`` that lead out of it, through which other files would be replaced.

    Args:
        folder: Where files are about to be written.
        names: The folders in it that they are written to, as far as these exist.

    Raises:
        chainer_seg.errors.LinkError: One of them is a link, or below one, to somewhere else.
    """
    inside = pathlib.Path(folder).resolve()
    for name in names:
        path = pathlib.Path(folder, name)
        target = path.resolve()
        if not target.is_relative_to(inside):
            raise LinkError(f'{path} leads out of the folder, to {target}, where other files would be '
                            f'replaced; remove the link or choose another folder.')


def file_names(texts: Iterable[str], longest: int = 200) -> list[str]:
    """Names of files that every system takes, each a different one.

    Args:
        texts: Anything, such as the names that uploads claim to have.
        longest: How many bytes a name may have, of which an ending keeps at most 30; systems take 255.

    Returns:
        A name for each text: its letters, digits, points, dashes and underscores, with dashes for the
        rest and no point in front; ``'unnamed'`` where nothing is left.
    """
    taken, names = set(), []
    for text in texts:
        name = wanted = _file_name(text, longest)
        copies = 1
        while name.casefold() in taken:  # Some systems tell no case apart.
            copies += 1
            stem, ending = os.path.splitext(wanted)
            name = f'{stem}-{copies}{ending}'
        taken.add(name.casefold())
        names.append(name)
    return names


def _file_name(text, longest):
    text = re.sub(r'[^\w.-]+', '-', str(text)).strip('-.')
    stem, ending = os.path.splitext(text)
    if len(ending.encode()) > _LONGEST_ENDING:
        stem, ending = text, ''
    stem = stem.encode()[:longest - len(ending.encode())].decode(errors='ignore')
    # Windows has devices of these names, whatever their ending.
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
