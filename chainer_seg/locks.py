"""Locks for a single writer, which the operating system releases however the process ends.

Own code because filelock opens its lock files itself, and here unfinished files are locked until they get
their name; and because a fork must not keep the locks of its parent.
"""

import contextlib
import os
import pathlib
import socket
import weakref
from collections.abc import Iterator
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

from chainer_seg.errors import FolderInUseError, writing

UNFINISHED = '.unfinished'  # comes before the suffix in the names of temporary files
_LOCK = '.lock'
_FAR = 2 ** 30  # Bytes; on Windows a locked part of a file cannot be read.

_held: weakref.WeakSet = weakref.WeakSet()


def lock(file: BinaryIO) -> bool | None:
    """Locks an open file until it is closed.

    Args:
        file: Open for writing, unbuffered.

    Returns:
        True; False if another process has locked it; None if the file system does not support locks.
    """
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(file.fileno(), _FAR, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # Some network file systems do not support locks.
        return None
    _held.add(file)
    return True


def is_at(file: BinaryIO, path: str | os.PathLike) -> bool:
    """Whether ``path`` still names the open file."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    return False


def discard(file: BinaryIO, path: str | os.PathLike) -> None:
    """Removes and closes a locked file."""
    if os.name == 'nt':  # which cannot remove an open file
        file.close()
    with contextlib.suppress(OSError):
        os.unlink(path)
    file.close()


@contextlib.contextmanager
def sole_writer(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Prevents other runs from writing to ``folder`` while the block runs.

    The folder is created if it is missing. Unfinished files of killed runs are removed.

    Raises:
        chainer_seg.errors.FolderInUseError: Another run is writing to it.
        chainer_seg.errors.DiskFullError: It cannot be written to.
    """
    folder = pathlib.Path(folder)
    file = _lock_folder(folder)
    try:
        remove_unfinished(folder)
        yield folder
    finally:
        discard(file, folder / _LOCK)


def is_empty(folder: str | os.PathLike) -> bool:
    """Whether a folder contains nothing but lock and temporary files."""
    return all(path.name == _LOCK or path.name.startswith('.') and UNFINISHED in path.name
               for path in pathlib.Path(folder).iterdir())


def remove_unfinished(folder: str | os.PathLike) -> None:
    """Removes the temporary files in ``folder`` whose writers were killed."""
    for path in pathlib.Path(folder).glob(f'.*{UNFINISHED}*'):
        with contextlib.suppress(OSError), open(path, 'rb+', buffering=0) as file:
            if lock(file) and is_at(file, path):
                discard(file, path)


def _lock_folder(folder: pathlib.Path) -> BinaryIO:
    path = folder / _LOCK
    while True:
        with writing(path):
            folder.mkdir(parents=True, exist_ok=True)
            file = open(path, 'ab+', buffering=0)  # noqa: SIM115 - open as long as it is locked
        locked = lock(file)
        if locked is False:
            owner = _owner(file)
            file.close()
            raise FolderInUseError(f'Another run{owner} is writing to {folder}; wait until it ends, or '
                                   f'choose another folder.')
        if locked is None or is_at(file, path):
            break
        file.close()  # The run that held the lock has removed it.
    with contextlib.suppress(OSError):  # On a full disk the lock works without the owner's name.
        file.truncate(0)
        file.write(f'{os.getpid()} {socket.gethostname()}\n'.encode())
    return file


def _owner(file: BinaryIO) -> str:
    """Who holds the lock of a folder, as part of a sentence; empty if unknown."""
    with contextlib.suppress(OSError, ValueError):
        file.seek(0)
        process, host = file.read(300).decode('utf-8').split()
        elsewhere = '' if host == socket.gethostname() else f' on {host}'
        return f' (process {int(process)}{elsewhere})'
    return ''


def _forget_locks() -> None:
    """Runs in forked processes, whose copies of open files would stay locked after the parent's end."""
    for file in list(_held):
        file.close()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_forget_locks)
