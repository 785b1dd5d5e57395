"""The results of a job in one SQLite file: a row per image, and the settings that they belong to.

A row is written, with a transaction of its own, as soon as its image is done. A killed job therefore
leaves whole rows only, and the next one computes the rest. The database's own lock keeps a second job
away for as long as the first one lives; the operating system releases it when the process ends, however
it ends.
"""

import contextlib
import json
import os
import pathlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from chainer_seg.errors import DatasetError, DiskFullError, ImageError, quoted, writing

_SCHEMA = '''
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS results (number INTEGER PRIMARY KEY, value TEXT NOT NULL);
'''


class ResultStore:
    """Results by the number of their image.

    Args:
        path: The database; made if it is missing.
        settings: What the results depend on, JSON-ready: model, data, options.
        content: What is stored, in words, for errors: ``'proposals'``.
        overwrite: Discard the results that are there.

    Raises:
        chainer_seg.errors.DatasetError: Another job has the file open, it is damaged, or its results belong
            to other settings.
        chainer_seg.errors.DiskFullError: It cannot be written.
    """

    def __init__(self, path: str | os.PathLike, settings: dict[str, Any], *, content: str = 'results',
                 overwrite: bool = False) -> None:
        self.path = pathlib.Path(path)
        self._content = content
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_dir():
            raise DatasetError(f'{self.path} is a folder; choose another place for the {content}.')
        self._database = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        try:
            with self._explained():
                # Held until the connection is closed; a full write to the disk after every row.
                self._database.execute('PRAGMA locking_mode = EXCLUSIVE')
                self._database.execute('PRAGMA synchronous = FULL')
                self._database.execute('BEGIN EXCLUSIVE')
                self._open(settings, overwrite)
                self._database.execute('COMMIT')
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Releases the file."""
        self._database.close()

    @property
    def numbers(self) -> set[int]:
        """The numbers of the images that have results."""
        with self._explained():
            return {number for number, in self._database.execute('SELECT number FROM results')}

    def __contains__(self, number: int) -> bool:
        with self._explained():
            return self._database.execute(
                'SELECT 1 FROM results WHERE number = ?', (number,)).fetchone() is not None

    def add(self, number: int, results: list[Any]) -> None:
        """Stores the results of one image, JSON-ready."""
        with self._explained():
            self._database.execute('INSERT OR REPLACE INTO results VALUES (?, ?)',
                                   (number, json.dumps(results)))

    def results(self, numbers: Iterable[int]) -> Iterator[Any]:
        """Yields all results of the images ``numbers``, in that order."""
        for number in numbers:
            with self._explained():
                row = self._database.execute('SELECT value FROM results WHERE number = ?',
                                             (number,)).fetchone()
            yield from json.loads(row[0])

    def fill(self, compute: Callable[[int], list[Any]], wanted: Iterable[int],
             progress: Callable[[], None] | None = None) -> list[tuple[int, Exception]]:
        """Adds what is wanted and missing; skips images that cannot be read.

        Args:
            compute: ``compute(number)`` gives the results of an image; it may raise an ImageError or a
                DatasetError.
            wanted: Numbers of images.
            progress: Called after each image that was computed or skipped.

        Returns:
            (number, error) of each image that could not be read.
        """
        failures, done = [], self.numbers
        for number in wanted:
            if number in done:
                continue
            try:
                self.add(number, compute(number))
            except (ImageError, DatasetError) as error:
                failures.append((number, error))
            if progress is not None:
                progress()
        return failures

    def _open(self, settings, overwrite):
        for statement in filter(str.strip, _SCHEMA.split(';')):
            self._database.execute(statement)
        if overwrite:
            self._database.execute('DELETE FROM results')
            self._database.execute('DELETE FROM settings')
        settings = json.loads(json.dumps(settings))
        found = {name: json.loads(value) for name, value
                 in self._database.execute('SELECT name, value FROM settings')}
        if not found:
            self._database.executemany('INSERT INTO settings VALUES (?, ?)', [
                (name, json.dumps(value)) for name, value in settings.items()])
            return
        for name in sorted(set(found) | set(settings)):
            if found.get(name) != settings.get(name):
                raise DatasetError(
                    f'{self.path} holds {self._content} of other settings ({name} is '
                    f'{quoted(found.get(name))} there and {quoted(settings.get(name))} here); choose '
                    f'another folder, or replace them with --overwrite.')

    @contextlib.contextmanager
    def _explained(self):
        """Turns what SQLite raises into the one sentence for the user."""
        try:
            yield
        except sqlite3.OperationalError as error:
            reason = str(error)
            if 'locked' in reason:
                raise DatasetError(f'Another job is writing {self._content} to {self.path.parent}; wait '
                                   f'for it, or choose another folder.') from error
            if 'full' in reason:
                raise DiskFullError(f'{self.path} could not be written: the disk is full; free some '
                                    f'space.') from error
            raise DiskFullError(f'{self.path} could not be written: {reason}.') from error
        except (sqlite3.DatabaseError, ValueError) as error:
            raise DatasetError(f'{self.path} is damaged ({error}); choose another folder, or start over '
                               f'with --overwrite.') from error
