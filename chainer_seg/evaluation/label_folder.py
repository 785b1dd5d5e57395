"""The labels found in the images of a data set, in a folder from which a killed run can be resumed."""

import contextlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.errors import DatasetError, writing
from chainer_seg.journal import keep_settings
from chainer_seg.label_images import read_label_image, write_label_image
from chainer_seg.locks import sole_writer

_SETTINGS = 'settings.json'


class LabelFolder(contextlib.AbstractContextManager):
    """A label image with VOC's palette for each image, as VOC's server takes them.

    No other run can write to the folder until the end of the block.

    Args:
        folder: Where the files lie; made if missing.
        names: The name of each image's file, without an ending; all are different.
        settings: A dict, JSON-ready, of all that the labels depend on. A folder is resumed only with the
            settings that it began with.
        overwrite: Start over where the folder holds some of the files.

    Raises:
        chainer_seg.errors.DatasetError: The folder holds labels of other settings, or it is a file.
        chainer_seg.errors.FolderInUseError: Another run is writing to it.
        chainer_seg.errors.DiskFullError: The folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike, names: Sequence[str], settings: dict[str, Any], *,
                 overwrite: bool = False):
        self.folder = pathlib.Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise DatasetError(f'{folder} is a file; name a folder for the labels.')
        self._paths = [self.folder / f'{name}.png' for name in names]
        with contextlib.ExitStack() as opened:
            opened.enter_context(sole_writer(self.folder))
            self._begin(settings, overwrite)
            self._opened = opened.pop_all()

    def _begin(self, settings, overwrite):
        self._done = set(self.folder.glob('*.png')) & set(self._paths)
        if overwrite:
            self._clear()
        elif self._done and not (self.folder / _SETTINGS).exists():
            raise DatasetError(f'{self.folder} holds label images that nobody knows the settings of; '
                               f'choose another folder, or replace them with --overwrite.')
        keep_settings(self.folder / _SETTINGS, settings, 'labels')

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def __contains__(self, number: int) -> bool:
        return self._paths[number] in self._done

    def __len__(self) -> int:
        """The number of images whose labels are there."""
        return len(self._done)

    def add(self, number: int, labels: npt.NDArray[np.integer]) -> None:
        """Writes the labels (H, W) of the image ``number``."""
        write_label_image(self._paths[number], labels)
        self._done.add(self._paths[number])

    def labels(self, number: int) -> npt.NDArray[np.int32]:
        """The labels of one image, (H, W) int32."""
        return read_label_image(self._paths[number], 'numbers').astype(np.int32)

    def _clear(self):
        # The settings go last: without them, what is left could not be told from a finished run.
        for path in (*self._done, self.folder / _SETTINGS):
            with writing(path):
                path.unlink(missing_ok=True)
        self._done = set()
