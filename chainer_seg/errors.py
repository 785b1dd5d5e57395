"""Errors that a user can cause and fix: one sentence each, with the problem and the remedy."""

import contextlib
import errno
import os
from collections.abc import Iterator


MAX_QUOTED = 200  # maximum characters of a value in an error
_MAX_SENTENCE = 2000


def quoted(value: object, limit: int = MAX_QUOTED) -> str:
    """``repr(value)`` for an error message: on one line, printable, at most ``limit`` characters."""
    return shortened(repr(value), limit)


def shortened(text: str, limit: int = MAX_QUOTED) -> str:
    """``text`` on one line, with control characters escaped and the middle elided beyond ``limit``."""
    text = ' '.join(text[:4 * limit].split()) if len(text) > 4 * limit else ' '.join(text.split())
    text = ''.join(c if c.isprintable() else c.encode('unicode_escape').decode('ascii') for c in text)
    if len(text) <= limit:
        return text
    head = (limit - 3) * 2 // 3
    return f'{text[:head]}...{text[head + 3 - limit:]}'


class UserError(Exception):
    """A problem outside the program; commands print the message and exit with status 2.

    The message is one printable line, whatever a file contains; quote values from files with :func:`quoted`
    to keep them short.
    """

    def __str__(self) -> str:
        return shortened(super().__str__(), _MAX_SENTENCE)


class ImageError(UserError):
    """An image is missing, unreadable or of an unsupported kind."""


class VideoError(UserError):
    """A video or a camera is missing, cannot be decoded, or cannot be encoded."""


class DatasetError(UserError):
    """A data set is missing, empty, or not in the format that it claims."""


class FolderInUseError(DatasetError):
    """Another run is writing to the same folder."""


class ModelFileError(UserError):
    """A model file is missing, damaged, or does not match its own description."""


class ModelError(UserError):
    """A model cannot be used: its outputs are not finite."""


class WeightFileError(UserError):
    """A weight file of another framework is missing, damaged, or of an unsupported network."""


class DeviceError(UserError):
    """The requested device does not exist on this machine."""


class DiskFullError(UserError):
    """There is no space, or no permission, to write a file."""


class LinkError(UserError):
    """A link leads out of the output folder."""


class TrainingError(UserError):
    """Training cannot start or continue."""


class DownloadError(UserError):
    """A file cannot be downloaded, or has the wrong checksum."""


class ClickError(UserError):
    """A click cannot be used, such as one outside its image."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Turns an operating-system error while writing ``path`` into a :class:`DiskFullError`."""
    if '\0' in str(path):
        raise DiskFullError(f'{shortened(str(path))} cannot be the name of a file; choose another one.')
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            reason = 'the disk is full; free some space'
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = 'writing there is not permitted; choose another place'
        elif error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
            reason = 'a file and a folder are in each other\'s way there; choose another place'
        else:
            reason = error.strerror or str(error)
        raise DiskFullError(f'{path} could not be written: {reason}.') from error
