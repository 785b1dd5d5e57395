"""The errors that a user can cause and mend: one sentence each, with the thing and the remedy."""

import contextlib
import errno


class UserError(Exception):
    """Something outside the program is wrong; scripts print the sentence and exit with status 2."""


class ImageError(UserError):
    """A picture is missing, unreadable or of a kind that cannot be used."""


class VideoError(UserError):
    """A video or a camera is missing, cannot be decoded, or cannot be encoded."""


class DatasetError(UserError):
    """A data set is missing, empty, or not of the form it claims."""


class ModelFileError(UserError):
    """A model file is missing, damaged, or does not hold what its own description says."""


class WeightFileError(UserError):
    """A file of another framework's weights is missing, damaged, or of a network that is not known."""


class DeviceError(UserError):
    """A device was asked for that this machine does not have."""


class DiskFullError(UserError):
    """There was no room, or no permission, to write a file."""


class TrainingError(UserError):
    """Training cannot start or cannot go on."""


class DownloadError(UserError):
    """A file cannot be downloaded, or is not the one that its publisher put there."""


class ClickError(UserError):
    """A click cannot be used, such as one outside its image."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def writing(path):
    """Turns an operating-system error while ``path`` is written into a :class:`DiskFullError`."""
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
