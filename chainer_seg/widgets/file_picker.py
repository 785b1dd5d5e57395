"""Chooses a weight file: by its path, from the list of a folder, or by upload."""

import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from chainer_seg.errors import UserError, writing
from chainer_seg.files import file_names
from chainer_seg.widgets.events import row, without_errors

# The default maximum message size of a Jupyter server.
UPLOAD_LIMIT = '10 MB'

_SUFFIXES = {'.t7', '.pth', '.pt', '.pkl', '.caffemodel', '.prototxt', '.npy', '.ckpt', '.index'}


class FilePicker(ipywidgets.VBox):
    """A field for the path of a file or folder, a list of the folder's weight files, and an upload.

    Args:
        choose: ``choose(path)``, called with the path of a file; it displays its own errors.
        say: ``say(message, is_error)``, displays a status line.
        folder: The folder that is listed first.
    """

    def __init__(self, choose: Callable[[pathlib.Path], object], say: Callable[[str, bool], object],
                 folder: str | os.PathLike = '.') -> None:
        self._choose, self._say = choose, say
        self._showing = False
        self._uploads: tempfile.TemporaryDirectory | None = None
        self._path = ipywidgets.Text(
            placeholder='path of a weight file or folder', continuous_update=False,
            layout={'flex': '1 1 300px', 'width': 'auto'})
        self._path.observe(self._follow(lambda: self.go_to(self._path.value.strip())), 'value')
        self._list = ipywidgets.Select(tooltip='Files and folders',
                                       layout={'width': 'auto', 'height': '104px'})
        self._list.observe(self._follow(lambda: self.go_to(self.folder / self._list.value)), 'value')
        self._upload = ipywidgets.FileUpload(
            description='Upload', multiple=True, layout={'width': '110px'},
            tooltip=f'Upload files of up to {UPLOAD_LIMIT} from your computer; drag larger ones into '
                    f'the file browser of JupyterLab, then choose them here')
        self._upload.observe(without_errors(self._receive), 'value')
        hint = ipywidgets.HTML(f'up to {UPLOAD_LIMIT}; for larger files use the file browser of JupyterLab')
        hint.add_class('chainer-seg-hint')
        super().__init__([row([self._path, self._upload, hint]), self._list])
        self._show(pathlib.Path(folder))

    @property
    def folder(self) -> pathlib.Path:
        """The folder that is listed."""
        return self._folder

    def go_to(self, path: str | os.PathLike) -> None:
        """Lists a folder, or chooses a file."""
        path = pathlib.Path(os.path.normpath(path))
        if os.path.isdir(path):  # also False for invalid paths
            self._show(path)
            return
        self._show(path.parent, path.name)
        self._choose(path)

    def _show(self, folder: pathlib.Path, name: str | None = None) -> None:
        """Lists ``folder``, with the file ``name`` selected."""
        try:
            names = _listed(folder) if os.path.isdir(folder) else []
        except OSError as error:
            self._say(f'The folder {folder} cannot be listed: {error.strerror or error}.', True)
            raise UserError from error
        self._folder = folder
        self._showing = True
        try:
            self._list.options = names
            self._list.value = name if name in names else None
            self._path.value = str(folder if name is None else folder / name)
        finally:
            self._showing = False

    def _follow(self, action: Callable[[], object]) -> Callable[[Any], object]:
        """A handler that calls ``action`` for changes by the user, not for those made by code."""
        return lambda change: (
            None if self._showing or not change['new'] else without_errors(action)())

    def _receive(self, change: Mapping[str, Any]) -> None:
        files = change['new']
        if not files:
            return
        self._upload.value = ()  # so that the same files can be uploaded again
        if self._uploads is None:
            self._uploads = tempfile.TemporaryDirectory()
        names = file_names(file['name'] for file in files)
        paths = [pathlib.Path(self._uploads.name, name) for name in names]
        for path, file in zip(paths, files):
            try:
                with writing(path):
                    path.write_bytes(file['content'])
            except UserError as error:
                self._say(str(error), True)
                raise
        # A checkpoint of several files is uploaded at once; the file with a known suffix leads to the rest.
        self._choose(next((path for path in paths if path.suffix in _SUFFIXES), paths[0]))


def _listed(folder: pathlib.Path) -> list[str]:
    """The names of a folder's subfolders, ending in a slash, and of its weight files."""
    found = [path for path in folder.iterdir() if not path.name.startswith('.')]
    folders = sorted(f'{path.name}/' for path in found if path.is_dir())
    files = sorted(path.name for path in found if path.suffix in _SUFFIXES and path.is_file())
    return ['../', *folders, *files]
