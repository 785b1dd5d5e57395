"""Files that are not what their names say: web pages, error messages, Git LFS pointers and archives.

A download that went wrong still leaves a file. Whoever reads images, annotations, weights or models asks
:func:`foreign_file` why a file cannot be read before calling it damaged.
"""

import os
import pathlib
import re
import shlex
import struct
import zipfile

from chainer_seg.errors import shortened

_READ = 1 << 16  # Bytes of the beginning in which a page or a message is searched for its meaning.
_SHOWN = 60  # Characters of a name or a message that are quoted.
_LONGEST_DIRECTORY = 4 << 20  # Bytes of a zip archive's directory: 40,000 entries and more.

_BLANK = re.compile(rb'(?:\xef\xbb\xbf|\s)*(?:<!--.*?-->\s*)*', re.S)
_PAGE = re.compile(rb'<(?:!doctype\s+html|html|head|body)\b', re.I)
_XML = re.compile(rb'<\?xml\b[^>]*>\s*', re.I)
_SERVER_ERROR = re.compile(rb'<(?:\w+:)?Error\b', re.I)
_CODE = re.compile(rb'<Code>\s*([\w.-]{1,60})\s*</Code>', re.I)
_DRIVE = re.compile(rb'Google Drive|drive\.google\.com|drive\.usercontent\.google', re.I)
_LFS = b'version https://git-lfs.github.com/spec/'
_ANNEX = re.compile(rb'(?:\.\./)*(?:\.git)?/annex/objects/')
_REFUSALS = re.compile(  # What servers send as plain text in place of a file.
    rb'(?:\{\s*"(?:error|message|detail)"|404\b|403\b|not found|entry not found|repository not found|'
    rb'invalid username or password|access denied|unauthorized|forbidden)', re.I)

# The names of Torch's, PyTorch's, Detectron's, Caffe's, TensorFlow's and kaffe's weights.
_WEIGHTS = ('.t7', '.pth', '.pt', '.pkl', '.caffemodel', '.ckpt', '.index', '.npy')
_ARCHIVES = (
    (b'\x1f\x8b', 'gzip', 0), (b'BZh', 'bzip2', 0), (b'\xfd7zXZ\0', 'xz', 0),
    (b'\x28\xb5\x2f\xfd', 'Zstandard', 0), (b'7z\xbc\xaf\x27\x1c', '7z', 0), (b'Rar!\x1a\x07', 'RAR', 0),
    (b'ustar', 'tar', 257))
_AGAIN = 'download it again'


def foreign_file(path: str | os.PathLike) -> str | None:
    """What a file is instead of an image, annotations, weights or a model, and what to do about it.

    Args:
        path: The file.

    Returns:
        The end of a sentence that begins with the file's name, without a full stop, such as ``'looks
        like a web page; download it again'``; None for other files and unreadable ones. Files of NumPy
        and PyTorch, which are zip archives, are not recognised as archives.
    """
    try:
        with open(path, 'rb') as file:
            start = file.read(_READ)
    except (OSError, ValueError):
        return None
    if start.startswith(b'PK\3\4'):
        return _foreign_zip(path)
    return foreign_content(start)


def foreign_weights(path: str | os.PathLike) -> str | None:
    """What a file is instead of a model file, if its name is that of weights of another framework.

    Returns:
        The end of a sentence as that of :func:`foreign_file`, with the command that converts the file; None
        for other names.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() not in _WEIGHTS:
        return None
    command = shlex.join(['chainer-seg', 'convert', str(path), '-o', f'{path.stem}.npz'])
    return (f'looks like weights of another framework, not a model file; run "{command}" and give '
            f'{path.stem}.npz')


def foreign_content(start: bytes) -> str | None:
    """As :func:`foreign_file`, from the first bytes (some kB, or all); zip archives are not recognised."""
    if start.startswith(b'PK\3\4'):
        return None
    for mark, kind, at in _ARCHIVES:
        if start[at:at + len(mark)] == mark:
            return f'looks like {"an" if kind == "xz" else "a"} {kind} archive; unpack it first'
    text = _without_blanks(start)
    if text.startswith(_LFS):
        return 'is a Git LFS pointer and not the file itself; run git lfs pull, or ' + _AGAIN
    if _ANNEX.match(text):
        return 'is a git-annex pointer and not the file itself; run git annex get, or ' + _AGAIN
    return _message(text)


def _without_blanks(text: bytes) -> bytes:
    """Bytes without the byte order mark, blanks and comments that they begin with."""
    return _BLANK.sub(b'', text, count=1)


def _message(text: bytes) -> str | None:
    """The message of a server that was sent instead of a file; None for anything else."""
    declaration = _XML.match(text)
    body = text[declaration.end():] if declaration else text
    body = _without_blanks(body)
    if _PAGE.match(body):
        if _DRIVE.search(text):
            return ('looks like a web page of Google Drive, which asks for a confirmation or says that '
                    'a limit is reached; download it in a browser, or with gdown')
        return f'looks like a web page; {_AGAIN}'
    if _SERVER_ERROR.match(body):
        code = _CODE.search(body)
        reason = f' ({code[1].decode("ascii")})' if code else ''
        return f'looks like the error message of a server{reason}; check the address and {_AGAIN}'
    if _REFUSALS.match(text) and len(text) < 2000:
        shown = ' '.join(text[:_SHOWN].decode('utf-8', 'replace').split())
        return f'looks like the error message of a server ({shown!r}); check the address and {_AGAIN}'
    return None


def _foreign_zip(path: str | os.PathLike) -> str | None:
    """The description of a zip archive that is not a file of NumPy or PyTorch; None if it is one."""
    try:
        if _directory_size(path) > _LONGEST_DIRECTORY:
            return 'looks like a zip archive; unpack it first'
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, OverflowError, struct.error):
        return None  # Truncated, which its reader reports.
    ours = any(name.endswith('.npy') or name.rpartition('/')[2] in ('data.pkl', 'constants.pkl')
               for name in names)
    if ours or not names:
        return None
    more = ', ...' if len(names) > 1 else ''
    return f'looks like a zip archive ({shortened(names[0], _SHOWN)}{more}); unpack it first'


def _directory_size(path: str | os.PathLike) -> int:
    """Bytes of the directory at the end of a zip archive (APPNOTE 4.3.16), 0 where there is none."""
    with open(path, 'rb') as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _READ, 0))
        end = file.read()
    at = end.rfind(b'PK\5\6')
    return int.from_bytes(end[at + 12:at + 16], 'little') if at >= 0 else 0
