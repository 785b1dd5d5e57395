"""The COCO results of a detector on a data set, in a folder from which a killed run can be resumed."""

import contextlib
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from chainer_seg.errors import DatasetError, writing
from chainer_seg.files import json_list
from chainer_seg.journal import Journal, keep_settings
from chainer_seg.locks import sole_writer

_JOURNAL, _SETTINGS = 'journal.jsonl', 'settings.json'
_CONTENT = {'bbox': 'bbox', 'segm': 'segmentation', 'keypoints': 'keypoints'}


class ResultFolder(contextlib.AbstractContextManager):
    """Results image by image, and in the end a file of each kind as COCO's server takes it.

    What is found in an image goes at once to the folder's journal. The kinds have files of their
    own because pycocotools takes the area of an object from its box where a result has one, and
    COCO's small, medium and large masks are told apart by the area of the mask.

    Args:
        folder: Where the files lie; made if missing.
        settings: A dict, JSON-ready, of all that the results depend on. A folder is resumed only with
            the settings that it began with.
        overwrite: Start over where the folder holds results.

    Raises:
        chainer_seg.errors.DatasetError: The folder holds results of other settings, or it is a file.
        chainer_seg.errors.FolderInUseError: Another run is writing to it.
        chainer_seg.errors.DiskFullError: The folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict[str, Any], *, overwrite: bool = False):
        self.folder = pathlib.Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise DatasetError(f'{folder} is a file; name a folder for the results.')
        journal = self.folder / _JOURNAL
        with contextlib.ExitStack() as opened:
            opened.enter_context(sole_writer(self.folder))
            self._open(journal, settings, overwrite)
            opened.callback(self._journal.close)
            self._opened = opened.pop_all()

    def _open(self, journal, settings, overwrite):
        if overwrite:
            self._clear()
        elif journal.exists() and not (self.folder / _SETTINGS).exists():
            raise DatasetError(f'{self.folder} holds results that nobody knows the settings of; choose '
                               f'another folder, or replace them with --overwrite.')
        keep_settings(self.folder / _SETTINGS, settings, 'results')
        self._journal = Journal(journal)

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def __contains__(self, number: int) -> bool:
        return number in self._journal

    def add(self, number: int, results: list[dict[str, Any]]) -> None:
        """Keeps the COCO results of the image ``number``, for good."""
        self._journal.add(number, results)

    def results(self, number: int) -> list[dict[str, Any]]:
        """The COCO results of one image, a list of dicts."""
        return list(self._journal.results([number]))

    def write(self, kinds: Iterable[str], numbers: Sequence[int]) -> list[pathlib.Path]:
        """Writes ``bbox.json``, ``segm.json`` and ``keypoints.json``, as far as they are wanted.

        Args:
            kinds: Some of 'bbox', 'segm' and 'keypoints'.
            numbers: The images.

        Returns:
            list of pathlib.Path: The files.
        """
        return [self._write(kind, numbers) for kind in kinds]

    def _write(self, kind, numbers):
        path = self.folder / f'{kind}.json'
        with json_list(path) as add:
            for result in self._journal.results(numbers):
                add({name: result[name] for name in (
                    'image_id', 'category_id', 'score', _CONTENT[kind]) if name in result})
        return path

    def _clear(self):
        # The settings go last: without them, what is left could not be told from a finished run.
        for name in (*(f'{kind}.json' for kind in _CONTENT), _JOURNAL, _SETTINGS):
            with writing(self.folder / name):
                (self.folder / name).unlink(missing_ok=True)
