"""A folder of proposal files that grows image by image and from which a killed run can be resumed.

The results of each finished image go at once to the journal of its chunk, a line for an image. When
all wanted images of a chunk are there, they are written as ``segm-<first>-<last>.json`` and
``bbox-<first>-<last>.json`` (numbers of images, from 1), which appear whole or not at all. So what is
in a folder is known from the names of its files and the whole lines of its journals, however a run ended,
and several runs may fill different ranges of one folder.
"""

import contextlib
import os
import pathlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from chainer_seg.datasets.proposal_files import KINDS
from chainer_seg.errors import DatasetError, UserError, writing
from chainer_seg.files import json_list
from chainer_seg.journal import Journal, keep_settings, scan
from chainer_seg.locks import remove_unfinished

CHUNK = 500  # images in a file, as in the published proposals

_SETTINGS = 'settings.json'
_NAME = re.compile(r'(segm|bbox)-(\d{1,12})-(\d{1,12})\.json')
_CONTENT = {'segm': 'segmentation', 'bbox': 'bbox'}


class ProposalFolder:
    """The proposals of a data set's images in COCO result files.

    Args:
        folder: Where the files lie; made if missing.
        settings: A dict, JSON-ready, of all that the proposals depend on. A folder is resumed only
            with the settings that it began with.
        chunk: Number of images in a file.
        overwrite: Start over where the folder holds proposals.

    Raises:
        chainer_seg.errors.DatasetError: The folder holds proposals of other settings, or is a file.
        chainer_seg.errors.DiskFullError: The folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict[str, Any], *, chunk: int = CHUNK,
                 overwrite: bool = False):
        self.folder, self.chunk = pathlib.Path(folder), chunk
        if self.folder.exists() and not self.folder.is_dir():
            raise DatasetError(f'{folder} is a file; name a folder for the proposals.')
        if overwrite:
            self._clear()
        self._check_settings({**settings, 'chunk': chunk})

    @property
    def files(self) -> list[pathlib.Path]:
        """The paths of all files of proposals, by kind and then by images."""
        return [path for kind in KINDS for path in sorted(self.folder.glob(f'{kind}-*.json'))]

    def missing(self, numbers: Iterable[int]) -> list[int]:
        """Those of the images ``numbers`` (from 0) that have still to be computed, rising."""
        done = self._written()
        for journal in self.folder.glob('journal-*.jsonl'):
            done |= scan(journal)[0].keys()
        return sorted(set(numbers) - done)

    def fill(self, compute: Callable[[int], list[dict[str, Any]]], numbers: Iterable[int], *,
             progress: Callable[[], object] | None = None,
             on_error: Callable[[int, UserError], object] | None = None) -> list[tuple[int, UserError]]:
        """Computes the proposals of those images that have none yet.

        A killed or interrupted call loses at most the image it was at. An image that cannot be
        read is skipped, and computed by the next call.

        Args:
            compute: ``compute(number)`` gives the COCO result dicts of an image, each with
                ``segmentation`` and ``bbox``; it may raise an ImageError or DatasetError.
            numbers: The images that are wanted, from 0.
            progress (callable): Is called after each image that has been computed or skipped.
            on_error (callable): Is called with the number and the error of an image that is passed
                over; what it raises ends the work.

        Returns:
            list of (number, error): The images that could not be read.

        Raises:
            chainer_seg.errors.DiskFullError: There is no room; a later call goes on.
        """
        remove_unfinished(self.folder)
        unwritten, failures = sorted(set(numbers) - self._written()), []
        for chunk in sorted({number // self.chunk for number in unwritten}):
            wanted = [number for number in unwritten if number // self.chunk == chunk]
            path = self.folder / f'journal-{chunk * self.chunk + 1:06d}.jsonl'
            with contextlib.closing(Journal(path)) as journal:
                failures += journal.fill(compute, wanted, progress, on_error)
                for run in _runs(number for number in wanted if number in journal):
                    self._write(journal, run)
                if journal.numbers <= self._written():
                    journal.remove()
        return failures

    def _write(self, journal, run):
        for kind in KINDS:
            path = self.folder / f'{kind}-{run[0] + 1:06d}-{run[-1] + 1:06d}.json'
            for unfinished in self.folder.glob(f'.{path.stem}-*'):  # of earlier versions
                unfinished.unlink(missing_ok=True)
            names = 'image_id', 'category_id', 'score', _CONTENT[kind]
            with json_list(path) as add:
                for result in journal.results(run):
                    if _CONTENT[kind] not in result:
                        raise DatasetError(f'A journal in {self.folder} has a proposal without '
                                           f'{_CONTENT[kind]}; begin anew with --overwrite.')
                    add({name: result[name] for name in names})

    def _written(self):
        """The numbers of the images that are in files of all kinds."""
        ranges = {kind: set() for kind in KINDS}
        for path in self.files:
            match = _NAME.fullmatch(path.name)
            if match:
                first, last = int(match[2]), int(match[3])
                if last - first < self.chunk:  # Others are not ours, whatever they are called.
                    ranges[match[1]].update(range(first - 1, last))
        return set.intersection(*ranges.values())

    def _check_settings(self, settings):
        path = self.folder / _SETTINGS
        if not path.exists() and self.files:
            raise DatasetError(f'{self.folder} holds proposals that nobody knows the settings of; '
                               f'choose another folder, or replace them with --overwrite.')
        keep_settings(path, settings, 'proposals')

    def _clear(self):
        for path in self.folder.glob('journal-*.jsonl'):
            Journal(path).remove()  # It fails where another run is at work.
        # The settings go last: without them, what is left could not be told from a finished run.
        for path in [*self.files, self.folder / _SETTINGS]:
            with writing(path):
                path.unlink(missing_ok=True)


def _runs(numbers):
    """Splits rising numbers where they leave a gap."""
    runs = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
