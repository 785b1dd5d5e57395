"""The models that come with the package, and the weights and data sets that others published."""

import contextlib
import dataclasses
import functools
import logging
import os
import pathlib
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator

from chainer_seg.errors import DownloadError
from chainer_seg.locks import sole_writer

log = logging.getLogger(__name__)

SHIPPED_FOLDER = pathlib.Path(__file__).parent / 'shipped'

# The names that stand for a model file wherever one is asked for; each has a card beside its file.
SHIPPED = {
    'click': 'click-collages.npz',
    'deeplab': 'deeplab-shapes.npz',
    'deepmask': 'deepmask-shapes.npz',
    'mask-rcnn': 'mask-rcnn-shapes.npz',
    'sharpmask': 'sharpmask-shapes.npz',
    'yolact': 'yolact-shapes.npz',
}

_PUBLIC_FILES = pathlib.Path(__file__).parent / 'public_files.toml'


def shipped_path(name: str) -> pathlib.Path | None:
    """The file of the shipped model ``name``; None where no model has that name."""
    return SHIPPED_FOLDER / SHIPPED[name] if name in SHIPPED else None


@dataclasses.dataclass(frozen=True)
class PublicFile:
    """A file that others published.

    Attributes:
        file: The name under which it is stored.
        url: Its address.
        title: What it is.
        license: Its licence.
        figure: What its authors measured; empty if they state nothing.
        use: The command that uses it; empty if there is none.
        md5: Its checksum in hexadecimal digits; empty if it is not known.
        md5sum_beside: Whether its publisher has the checksum at ``url`` + ``.md5sum``.
        size: As stated by its publisher; empty if it is not known.
        by_hand: Whether ``url`` is a page to be opened in a browser, not the file.
        model: The class of the model that the weights become; empty if it is no model.
        member: For an archive, the name of the file in it that holds the weights.
    """

    file: str
    url: str
    title: str
    license: str
    figure: str = ''
    use: str = ''
    md5: str = ''
    md5sum_beside: bool = False
    size: str = ''
    by_hand: bool = False
    model: str = ''
    member: str = ''

    @property
    def is_archive(self) -> bool:
        """Whether the file is an archive to be unpacked."""
        return self.file.endswith(('.zip', '.tar', '.tgz', '.tar.gz'))


@functools.cache
def public_files() -> dict[str, dict[str, PublicFile]]:
    """All public files: ``{kind: {name: PublicFile}}``; kinds are weights, coco, sbd, voc, proposals and
    click."""
    tables = tomllib.loads(_PUBLIC_FILES.read_text(encoding='utf-8'))
    return {kind: {name: PublicFile(**entry) for name, entry in entries.items()}
            for kind, entries in tables.items()}


def public_file(kind: str, name: str) -> PublicFile:
    """The :class:`PublicFile` of a kind and a name.

    Raises:
        chainer_seg.errors.DownloadError: There is none.
    """
    entries = public_files()[kind]
    if name not in entries:
        raise DownloadError(f'There is no {name} among the public files of the kind {kind}; choose '
                            f'from {", ".join(entries)}.')
    return entries[name]


def published_model(name: str) -> PublicFile | None:
    """The weights that become the model ``name``; None if no published weights have that name."""
    entry = public_files()['weights'].get(name)
    return entry if entry is not None and entry.model else None


def published_models() -> list[str]:
    """The names of all published weights that :func:`chainer_seg.load_model` takes."""
    return [name for name, entry in public_files()['weights'].items() if entry.model]


def cached_model(name: str) -> pathlib.Path:
    """Where the model file of published weights is kept; it need not exist yet.

    The folder is ``$CHAINER_SEG_CACHE`` if that is set, else ``chainer_seg`` in the user's folder for
    caches (``$XDG_CACHE_HOME`` or ``~/.cache``; ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on
    Windows).
    """
    given = os.environ.get('CHAINER_SEG_CACHE')
    return (pathlib.Path(given) if given else _user_caches() / 'chainer_seg') / f'{name}.npz'


def conversion_command(name: str, weights: str | os.PathLike, out: str | os.PathLike) -> str:
    """The command that converts a downloaded file of published weights.

    Args:
        name: The name of the weights.
        weights: The downloaded file; if it is an archive, it is unpacked beside itself.
        out: The model file to write.
    """
    member = public_file('weights', name).member
    source = pathlib.Path(weights).with_name(member) if member else weights
    return shlex.join(['chainer-seg', 'convert', str(source), '-o', str(out)])


@contextlib.contextmanager
def downloaded_weights(name: str) -> Iterator[pathlib.Path]:
    """Downloads published weights and yields the path of their file, which is removed after the block.

    If the download breaks off, what has arrived is kept and the next call resumes it.

    Raises:
        chainer_seg.errors.DownloadError: There is no network, the file is to be downloaded by hand, or it
            is damaged. The message names the address and the commands that bring the file here.
        chainer_seg.errors.FolderInUseError: Another process is downloading it.
    """
    entry, folder = public_file('weights', name), cached_model(name).with_suffix('')
    if entry.by_hand:
        raise DownloadError(f'{name} must be downloaded in a browser: open {entry.url}, then run '
                            f'"{conversion_command(name, entry.file, cached_model(name))}".')
    with sole_writer(folder):
        path = _download(name, entry, folder)
        try:
            yield _unpacked(path, entry)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _unpacked(path: pathlib.Path, entry: PublicFile) -> pathlib.Path:
    """The file of the weights: a download, or the member of a downloaded archive."""
    if not entry.member:
        return path
    from chainer_seg import downloads  # Importing http takes a moment.
    downloads.extract(path, path.parent)
    found = next(path.parent.rglob(entry.member), None)
    if found is None:
        raise DownloadError(f'{entry.url} has no {entry.member} in it; look for the weights on the page '
                            f'of their authors.')
    return found


def _download(name: str, entry: PublicFile, folder: pathlib.Path) -> pathlib.Path:
    """Downloads a file of weights into a folder and returns its path."""
    from chainer_seg import downloads
    log.info('downloading %s (%s) from %s; licence: %s', name, entry.title, entry.url, entry.license)
    try:
        md5 = downloads.published_md5(entry.url) if entry.md5sum_beside else entry.md5 or None
        return downloads.download(entry.url, folder / entry.file, md5, progress=not _is_quiet())
    except DownloadError as error:
        fetch = f'chainer-seg download weights {name}{" --extract" if entry.member else ""}'
        weights = pathlib.Path('downloads', 'weights', entry.file)
        # Without the remedy, which is another one here, and with the address of the file itself.
        problem = str(error).rpartition('; ')[0].replace(f'{entry.url}.md5sum', entry.url)
        raise DownloadError(
            f'{name} is not in the cache and cannot be downloaded: {problem}; try again, or run "{fetch}" '
            f'on a machine with a network, copy the file here, and run '
            f'"{conversion_command(name, weights, cached_model(name))}".') from error


def _is_quiet() -> bool:
    """Whether only errors are to be printed: the log was set up, and to no more than warnings."""
    return log.hasHandlers() and not log.isEnabledFor(logging.INFO)


def _user_caches() -> pathlib.Path:
    """The folder in which programs keep what can be fetched again."""
    home = pathlib.Path.home()
    if sys.platform == 'win32':
        return pathlib.Path(os.environ.get('LOCALAPPDATA') or home / 'AppData' / 'Local')
    if sys.platform == 'darwin':
        return home / 'Library' / 'Caches'
    return pathlib.Path(os.environ.get('XDG_CACHE_HOME') or home / '.cache')
