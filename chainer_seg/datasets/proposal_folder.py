"""A folder of proposal files that grows image by image and that a killed run can go on with.

The results of each finished image go at once to the journal of its chunk, a line for an image. When
all wanted images of a chunk are there, they are written as ``segm-<first>-<last>.json`` and
``bbox-<first>-<last>.json`` (numbers of images, from 1), which appear whole or not at all. So what is
in a folder is told by the names of its files and the whole lines of its journals, however a run ended,
and several runs may fill different ranges of one folder.
"""

import contextlib
import json
import os
import pathlib
import re

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

from chainer_seg.datasets.proposal_files import KINDS
from chainer_seg.errors import DatasetError, ImageError, writing
from chainer_seg.files import atomic_write, write_json

CHUNK = 500  # images in a file, as in the published proposals

_SETTINGS = 'settings.json'
_NAME = re.compile(r'(segm|bbox)-(\d+)-(\d+)\.json')
_CONTENT = {'segm': 'segmentation', 'bbox': 'bbox'}


class ProposalFolder:
    """The proposals of a data set's images in COCO result files.

    Args:
        folder: Where the files lie; made if missing.
        settings: A dict, JSON-ready, of all that the proposals depend on. A folder goes on only
            with the settings that it began with.
        chunk: Number of images in a file.
        overwrite: Begin anew where the folder holds proposals.

    Raises:
        chainer_seg.errors.DatasetError: The folder holds proposals of other settings, or is a file.
        chainer_seg.errors.DiskFullError: The folder cannot be written to.
    """

    def __init__(self, folder, settings, *, chunk=CHUNK, overwrite=False):
        self.folder, self.chunk = pathlib.Path(folder), chunk
        if self.folder.exists() and not self.folder.is_dir():
            raise DatasetError(f'{folder} is a file; name a folder for the proposals.')
        if overwrite:
            self._clear()
        self._check_settings(json.loads(json.dumps({**settings, 'chunk': chunk})))

    @property
    def files(self):
        """The paths of all files of proposals, by kind and then by images."""
        return [path for kind in KINDS for path in sorted(self.folder.glob(f'{kind}-*.json'))]

    def missing(self, numbers):
        """Those of the images ``numbers`` (from 0) that have still to be computed, rising."""
        done = self._written()
        for journal in self.folder.glob('journal-*.jsonl'):
            done |= _scan(journal)[0].keys()
        return sorted(set(numbers) - done)

    def fill(self, compute, numbers, *, progress=None):
        """Computes the proposals of those images that have none yet.

        A killed or interrupted call loses at most the image it was at. An image that cannot be
        read is passed over, and computed by the next call.

        Args:
            compute: ``compute(number)`` gives the COCO result dicts of an image, each with
                ``segmentation`` and ``bbox``; it may raise an ImageError or DatasetError.
            numbers: The images that are wanted, from 0.
            progress (callable): Is called after each image that has been computed or passed over.

        Returns:
            list of (number, error): The images that could not be read.

        Raises:
            chainer_seg.errors.DiskFullError: There is no room; a later call goes on.
        """
        unwritten, failures = sorted(set(numbers) - self._written()), []
        for chunk in sorted({number // self.chunk for number in unwritten}):
            wanted = [number for number in unwritten if number // self.chunk == chunk]
            path = self.folder / f'journal-{chunk * self.chunk + 1:06d}.jsonl'
            with contextlib.closing(_Journal(path)) as journal:
                failures += journal.fill(compute, wanted, progress)
                for run in _runs(number for number in wanted if number in journal):
                    self._write(journal, run)
                if journal.numbers <= self._written():
                    path.unlink(missing_ok=True)
        return failures

    def _write(self, journal, run):
        for kind in KINDS:
            path = self.folder / f'{kind}-{run[0] + 1:06d}-{run[-1] + 1:06d}.json'
            for unfinished in self.folder.glob(f'.{path.stem}-*'):  # of a run that was killed here
                unfinished.unlink(missing_ok=True)
            with atomic_write(path) as temporary, open(temporary, 'w', encoding='ascii') as file:
                separator = '['
                for result in journal.results(run):
                    chosen = {name: result[name] for name in (
                        'image_id', 'category_id', 'score', _CONTENT[kind])}
                    file.write(separator + json.dumps(chosen))
                    separator = ',\n'
                file.write(']\n' if separator != '[' else '[]\n')

    def _written(self):
        """The numbers of the images that are in files of all kinds."""
        ranges = {kind: set() for kind in KINDS}
        for path in self.files:
            match = _NAME.fullmatch(path.name)
            if match:
                ranges[match[1]].update(range(int(match[2]) - 1, int(match[3])))
        return set.intersection(*ranges.values())

    def _check_settings(self, settings):
        path = self.folder / _SETTINGS
        if not path.exists():
            if self.files:
                raise DatasetError(f'{self.folder} holds proposals that nobody knows the settings of; '
                                   f'choose another folder, or replace them with --overwrite.')
            write_json(path, settings, indent=2)
            return
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise DatasetError(f'{path} is damaged; choose another folder, or begin anew with '
                               f'--overwrite.')
        for name in sorted(set(found) | set(settings)):
            if found.get(name) != settings.get(name):
                raise DatasetError(
                    f'{self.folder} holds proposals of other settings ({name} is {found.get(name)} '
                    f'there and {settings.get(name)} here); choose another folder, or replace them '
                    f'with --overwrite.')

    def _clear(self):
        # The settings go last: without them, what is left could not be told from a finished run.
        for path in [*self.files, *self.folder.glob('journal-*.jsonl'), self.folder / _SETTINGS]:
            with writing(path):
                path.unlink(missing_ok=True)


class _Journal:
    """Results of images that are in no file yet; only where they lie is kept in memory."""

    def __init__(self, path):
        self._path = path
        with writing(path):
            # Without a buffer, so that nothing is left to be written when the disk is full.
            self._file = open(path, 'ab', buffering=0)  # noqa: SIM115 - closed by close()
        if not _lock(self._file):
            self._file.close()
            raise DatasetError(f'Another run is computing the same images for {path.parent}; wait for '
                               f'it, or choose another folder or other images.')
        self._offsets, length = _scan(path)
        with writing(path):
            self._file.truncate(length)  # What a killed run or a full disk left of the last line.

    @property
    def numbers(self):
        return self._offsets.keys()

    def __contains__(self, number):
        return number in self._offsets

    def close(self):
        self._file.close()

    def fill(self, compute, wanted, progress):
        """Adds what is wanted and not there; gives the images that could not be read, and why."""
        failures = []
        for number in wanted:
            if number in self:
                continue
            try:
                self.add(number, compute(number))
            except (ImageError, DatasetError) as error:
                failures.append((number, error))
            if progress is not None:
                progress()
        return failures

    def add(self, number, results):
        line = json.dumps({'number': number, 'results': results}).encode('ascii') + b'\n'
        start, rest = self._file.seek(0, os.SEEK_END), memoryview(line)
        with writing(self._path):
            while rest:
                rest = rest[self._file.write(rest):]
            os.fsync(self._file.fileno())
        self._offsets[number] = start

    def results(self, numbers):
        """All results of the images ``numbers``, in that order."""
        with open(self._path, 'rb') as file:
            for number in numbers:
                file.seek(self._offsets[number])
                yield from json.loads(file.readline())['results']


def _scan(path):
    """Where the whole lines of a journal begin, by the number of the image, and where the last ends."""
    offsets, start = {}, 0
    with open(path, 'rb') as file:
        for line in file:
            number = _number_of(line)
            if number is None:
                break
            offsets[number] = start
            start += len(line)
    return offsets, start


def _number_of(line):
    """The number of the image of a journal's line; None where the line is not whole."""
    try:
        return int(json.loads(line)['number']) if line.endswith(b'\n') else None
    except (ValueError, TypeError, KeyError):
        return None


def _lock(file):
    """Whether this process alone writes to ``file`` from now on; a killed process unlocks it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # Some network file systems know no locks.
        pass
    return True


def _runs(numbers):
    """Splits rising numbers where they leave a gap."""
    runs = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
