"""A file of results that grows image by image; a killed run leaves it whole, the next one goes on."""

import contextlib
import json
import os
import pathlib
import typing
from collections.abc import Callable, Iterable, Iterator, KeysView
from typing import Any

import msgspec

from chainer_seg import schema
from chainer_seg.bad_images import passing_over
from chainer_seg.errors import DatasetError, FolderInUseError, UserError, shortened, writing
from chainer_seg.files import read_json, write_json
from chainer_seg.locks import discard, is_at, lock


class _Code(typing.TypedDict):
    """A run-length encoding as it is written."""

    size: list[schema.Side]
    counts: str


class _Result(msgspec.Struct):
    """What every result of an image has, and the forms of what it may have."""

    image_id: int | str
    category_id: int | str
    score: int | float
    segmentation: _Code | None = None
    bbox: list[int | float] | None = None
    keypoints: list[int | float] | None = None


class _Clicks(msgspec.Struct):
    """What the simulated user's clicks on an object gave."""

    object: schema.Count
    label: schema.Count
    ious: list[int | float]
    clicks: schema.Count
    seconds: int | float


class _Line(msgspec.Struct):
    number: schema.Count
    results: list[_Result]


class _LineOfClicks(msgspec.Struct):
    number: schema.Count
    results: list[_Clicks]


class Journal:
    """The results of images by number, a line of JSON for each; only where they lie is in memory.

    A line is written at once when its image is done. What a killed run or a full disk left of the
    last line is cut off by the next one.

    Args:
        path: The file; made if missing.

    Raises:
        chainer_seg.errors.FolderInUseError: Another process has it open.
        chainer_seg.errors.DiskFullError: It cannot be written to.
    """

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._file = _open_locked(path)
        self._offsets, length = scan(path)
        with writing(path):
            self._file.truncate(length)

    @property
    def numbers(self) -> KeysView[int]:
        """The numbers of the images that have results."""
        return self._offsets.keys()

    def __contains__(self, number: int) -> bool:
        return number in self._offsets

    def close(self) -> None:
        self._file.close()

    def remove(self) -> None:
        """Closes the file and removes it."""
        discard(self._file, self._path)

    def fill(self, compute: Callable[[int], list[dict[str, Any]]], wanted: Iterable[int],
             progress: Callable[[], object] | None = None,
             on_error: Callable[[int, UserError], object] | None = None) -> list[tuple[int, UserError]]:
        """Adds what is wanted and not there; skips images that cannot be read.

        Args:
            compute: ``compute(number)`` gives a list, JSON-ready; it may raise an ImageError or a
                DatasetError.
            wanted: Numbers of images.
            progress (callable): Is called after each image that has been computed or skipped.
            on_error (callable): Is called with the number and the error of an image that is passed
                over; what it raises ends the work.

        Returns:
            list of (number, error): The images that could not be read.
        """
        failures = []

        def note(number, error):
            failures.append((number, error))
            if on_error is not None:
                on_error(number, error)

        for number in wanted:
            if number in self:
                continue
            with passing_over(number, note):
                self.add(number, compute(number))
            if progress is not None:
                progress()
        return failures

    def add(self, number: int, results: list[dict[str, Any]]) -> None:
        """Writes the results, a list, of one image."""
        line = json.dumps({'number': number, 'results': results}).encode('ascii') + b'\n'
        start, rest = self._file.seek(0, os.SEEK_END), memoryview(line)
        with writing(self._path):
            while rest:
                rest = rest[self._file.write(rest):]
            os.fsync(self._file.fileno())
        self._offsets[number] = start

    def results(self, numbers: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yields all results of the images ``numbers``, in that order."""
        with open(self._path, 'rb') as file:
            for number in numbers:
                file.seek(self._offsets[number])
                yield from json.loads(file.readline())['results']


def _open_locked(path):
    while True:
        with writing(path):
            # Without a buffer, so that nothing is left to be written when the disk is full.
            file = open(path, 'ab', buffering=0)  # noqa: SIM115 - closed by Journal.close()
        locked = lock(file)
        if locked is False:
            file.close()
            raise FolderInUseError(f'Another run is computing the same images for {path.parent}; wait '
                                   f'for it, or choose another folder or other images.')
        if locked is None or is_at(file, path):
            return file
        file.close()  # The run that had it locked has removed it.


def scan(path: pathlib.Path) -> tuple[dict[int, int], int]:
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


def keep_settings(path: pathlib.Path, settings: dict[str, Any], content: str) -> None:
    """Writes the settings of a folder, or makes sure that they are those it began with.

    Args:
        path: The JSON file.
        settings: A dict, JSON-ready.
        content: What the folder holds, in words.

    Raises:
        chainer_seg.errors.DatasetError: The file holds other settings, or is damaged.
    """
    settings = json.loads(json.dumps(settings))
    if not path.exists():
        write_json(path, settings, indent=2)
        return
    try:
        found = read_json(path, 'file of settings', DatasetError)
    except DatasetError:
        found = None
    if not isinstance(found, dict):
        raise DatasetError(f'{path} is damaged; choose another folder, or begin anew with '
                           f'--overwrite.')
    for name in sorted(set(found) | set(settings)):
        if found.get(name) != settings.get(name):
            raise DatasetError(
                f'{path.parent} holds {content} of other settings ({name} is '
                f'{_told(found.get(name))} there and {_told(settings.get(name))} here); choose '
                f'another folder, or replace them '
                f'with --overwrite.')


def _told(value):
    return shortened(str(value))


def _number_of(line):
    """The number of the image of a journal's line; None where the line is not whole."""
    if not line.endswith(b'\n'):
        return None
    for decoder in _DECODERS:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            line.decode()  # Text that is skipped by the decoder would fail later.
            return decoder.decode(line).number
    return None


_DECODERS = tuple(map(msgspec.json.Decoder, (_Line, _LineOfClicks)))
