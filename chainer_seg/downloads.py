"""Downloads that resume where they stopped, and are checked before they get their final name.

Own code because pooch, which does the rest as well, starts an interrupted download from the beginning.
"""

import hashlib
import http.client
import os
import pathlib
import queue
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from chainer_seg.errors import DownloadError, writing

T = TypeVar('T')

_BLOCK = 1 << 20  # bytes
_TIMEOUT = 30  # seconds without a byte
_ANSWER_TIMEOUT = 12  # seconds until a server answers, over all of its addresses and redirections
_RANGE_NOT_SATISFIABLE = 416
_PARTIAL_CONTENT = 206


def download(url: str, path: str | os.PathLike, md5: str | None = None,
             progress: bool = True) -> pathlib.Path:
    """Downloads a file, resuming where an earlier try stopped.

    What has arrived is kept beside ``path``, with ``.part`` added to its name, until it is complete and
    its checksum is right.

    Args:
        url: Its address.
        path: Where to store it; nothing is done if this exists and has the checksum.
        md5: Its checksum in hexadecimal digits; None only checks that all bytes arrived.
        progress: Whether to show a progress bar with the time left.

    Returns:
        pathlib.Path: ``path``.

    Raises:
        chainer_seg.errors.DownloadError: There is no network, no such file, or the checksum is wrong;
            what arrived is kept unless its checksum is wrong.
        chainer_seg.errors.DiskFullError: There is no space for it.
    """
    path = pathlib.Path(path)
    if path.exists() and (md5 is None or md5_of(path) == md5):
        return path
    part = path.with_name(path.name + '.part')
    with writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    _fetch(url, part, path.name if progress else None)
    if md5 is not None and md5_of(part) != md5:
        part.unlink()
        raise DownloadError(f'The file from {url} does not have the checksum {md5} that its publisher '
                            f'states; it was deleted: try again later.')
    with writing(path):
        os.replace(part, path)
    return path


def published_md5(url: str) -> str:
    """The checksum that a publisher provides beside a file, at its address with ``.md5sum``."""
    with _open(urllib.request.Request(url + '.md5sum')) as answer:
        words = answer.read(_BLOCK).decode('ascii', 'replace').split()
    if not words or len(words[0]) != hashlib.md5(usedforsecurity=False).digest_size * 2:
        raise DownloadError(f'{url}.md5sum is not a checksum; download the file without it.')
    return words[0].lower()


def md5_of(path: str | os.PathLike) -> str:
    """The MD5 checksum of a file in hexadecimal digits."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def extract(archive: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Unpacks a .zip, .tar, .tgz or .tar.gz; nothing is written outside ``folder``.

    Raises:
        chainer_seg.errors.DownloadError: It is not an archive, is damaged, or has entries that lead outside.
    """
    folder = pathlib.Path(folder)
    try:
        with writing(folder):
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as file:
                    file.extractall(folder)
            else:
                with tarfile.open(archive) as file:
                    file.extractall(folder, filter='data')
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise DownloadError(f'{archive} cannot be unpacked: {error}; download it again.') from error


def _fetch(url: str, part: pathlib.Path, label: str | None) -> None:
    """Appends the missing bytes to ``part``."""
    from tqdm.auto import tqdm  # Slow to import; in notebooks its bar is a widget.

    start = part.stat().st_size
    request = urllib.request.Request(url, headers={'Range': f'bytes={start}-'} if start else {})
    with _open(request) as answer:
        if answer.status == _RANGE_NOT_SATISFIABLE:
            return  # It is complete.
        resumed = answer.status == _PARTIAL_CONTENT
        start = start if resumed else 0
        length = answer.headers.get('Content-Length')
        total = start + int(length) if length else None
        with (tqdm(total=total, initial=start, unit='B', unit_scale=True, desc=label,
                   disable=label is None) as bar, writing(part), open(part, 'r+b') as file):
            file.seek(start)
            file.truncate()
            arrived = start + _copy(answer, file, bar)
    if total is not None and arrived != total:
        raise DownloadError(f'The connection to {url} ended after {arrived} of {total} bytes; start '
                            f'the same download again to resume it.')


def _copy(answer: Any, file: BinaryIO, bar: Any) -> int:
    """Copies an answer block by block and returns the number of bytes received."""
    count = 0
    while True:
        try:
            block = answer.read(_BLOCK)
        except http.client.IncompleteRead as error:
            block = error.partial
        except (TimeoutError, ConnectionError):
            return count
        if not block:
            return count
        file.write(block)
        bar.update(len(block))
        count += len(block)


def _open(request: urllib.request.Request) -> Any:
    """The response to a request, including the one that a range begins at the end of the file."""
    try:
        return _within(_ANSWER_TIMEOUT, lambda: urllib.request.urlopen(request, timeout=_TIMEOUT))
    except urllib.error.HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE:
            return error
        raise DownloadError(f'{request.full_url} answers {error.code} {error.reason}; look for the '
                            f'file on the page of its authors.') from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, 'reason', error)
        raise DownloadError(f'{request.full_url} cannot be reached ({reason}); check the network and '
                            f'start again.') from error


def _within(seconds: float, function: Callable[[], T]) -> T:
    """The result of a function, or a TimeoutError.

    Looking up a host has no time limit of its own, and a connection has one for each address of the host.
    """
    results: queue.Queue = queue.Queue()

    def call() -> None:
        try:
            results.put((function(), None))
        except Exception as error:
            results.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f'no answer within {seconds} s') from None
    if error is not None:
        raise error
    return result
