"""One SQLite file of results: a row for each image, and the settings that the rows belong to.

A row is written in a transaction of its own as soon as its image is done, so that a process that is
killed loses at most the image it was at. SQLite's lock on the file keeps other processes away as long as
this one lives; the operating system releases it, however the process ends.
"""

import contextlib
import json
import pathlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from chainer_seg.errors import DiskFullError, FolderInUseError, UserError, shortened, writing

_TABLES = ('CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
           'CREATE TABLE results (number INTEGER PRIMARY KEY, value BLOB NOT NULL)')

_LONGEST_ROW = 1 << 28  # bytes
_FAST = 1  # level of compression

# What SQLite calls the errors of the operating system, by the beginnings of their names.
_FULL = ('SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_TRUNCATE', 'SQLITE_IOERR_FSYNC')
_FORBIDDEN = ('SQLITE_READONLY', 'SQLITE_CANTOPEN', 'SQLITE_PERM')
_LOCKS = ('SQLITE_IOERR_LOCK', 'SQLITE_IOERR_RDLOCK', 'SQLITE_IOERR_UNLOCK',
          'SQLITE_IOERR_CHECKRESERVEDLOCK')


class ResultDatabase:
    """An open and locked file of results.

    Args:
        path: The file; made if it is missing.
        row: The type of a row, which msgspec encodes and checks.
        durable: Whether a row outlives a power failure as well; it then takes one flush to the disk. If
            not, it outlives the process, however that ends, and the file stays intact.

    Raises:
        chainer_seg.errors.FolderInUseError: Another run has it open.
        chainer_seg.errors.DiskFullError: It cannot be written.
        chainer_seg.errors.UserError: It is damaged, or another kind of file.
    """

    def __init__(self, path: pathlib.Path, row: Any, *, durable: bool = True):
        self.path = path
        self._decoder = msgspec.msgpack.Decoder(row)
        with self._explained():
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        with contextlib.ExitStack() as opened:
            opened.callback(self.close)
            with self._explained():
                self._open(durable)
            opened.pop_all()

    def _open(self, durable: bool) -> None:
        execute = self._connection.execute
        execute('PRAGMA trusted_schema = OFF')
        execute('PRAGMA locking_mode = EXCLUSIVE')
        tables = {text for text, in execute('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL')}
        if tables and tables != set(_TABLES):
            raise self._fault('its tables are others')
        execute('PRAGMA journal_mode = WAL')
        execute(f'PRAGMA synchronous = {"FULL" if durable else "NORMAL"}')
        with self._transaction():
            for table in _TABLES if not tables else ():
                execute(table)

    def close(self) -> None:
        """Releases the file."""
        self._connection.close()

    def remove(self) -> None:
        """Closes the file and removes it."""
        self.close()
        with writing(self.path):
            self.path.unlink(missing_ok=True)

    def numbers(self) -> set[int]:
        """The numbers of the images that have a row."""
        with self._explained():
            return {number for number, in self._connection.execute('SELECT number FROM results')}

    def settings(self) -> dict[str, Any]:
        """The settings that the rows belong to; empty in a new file."""
        with self._explained():
            found = self._connection.execute('SELECT name, value FROM settings').fetchall()
        try:
            return {name: json.loads(value) for name, value in found}
        except (TypeError, ValueError, RecursionError) as error:
            raise self._fault('its settings cannot be read') from error

    def restart(self, settings: dict[str, Any]) -> None:
        """Removes all rows, and replaces the settings."""
        with self._explained(), self._transaction():
            self._connection.execute('DELETE FROM results')
            self._connection.execute('DELETE FROM settings')
            self._connection.executemany('INSERT INTO settings VALUES (?, ?)', [
                (name, json.dumps(value)) for name, value in settings.items()])

    def add(self, number: int, row: Any) -> Any:
        """Writes a row, and gives it as :meth:`read` will."""
        data = zlib.compress(msgspec.msgpack.encode(row), _FAST)
        with self._explained():
            self._connection.execute('INSERT OR REPLACE INTO results VALUES (?, ?)', (number, data))
        return self._decoded(number, data)

    def read(self, number: int) -> Any:
        """The row of one of :meth:`numbers`.

        Raises:
            chainer_seg.errors.UserError: The row is damaged.
        """
        with self._explained():
            found = self._connection.execute('SELECT value FROM results WHERE number = ?',
                                             (number,)).fetchone()
        # Nothing is found of a listed number where the file is damaged.
        return self._decoded(number, found[0] if found else None)

    def forget(self, numbers: Iterable[int]) -> None:
        """Removes the rows of some images."""
        with self._explained(), self._transaction():
            self._connection.executemany('DELETE FROM results WHERE number = ?',
                                         [(number,) for number in numbers])

    def _decoded(self, number: int, data: Any) -> Any:
        try:
            inflating = zlib.decompressobj()
            content = inflating.decompress(data, _LONGEST_ROW)
            if not inflating.eof:  # With the end comes the checksum.
                raise ValueError('cut short')
            return self._decoder.decode(content)
        except (TypeError, ValueError, RecursionError, zlib.error, msgspec.MsgspecError) as error:
            raise self._fault(f'what it has of image {number + 1} is damaged') from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute('BEGIN IMMEDIATE')
        try:
            yield
            self._connection.execute('COMMIT')
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute('ROLLBACK')
            raise

    def _fault(self, reason: str) -> UserError:
        return UserError(f'{self.path} cannot be used, because {reason}; remove it, or choose another '
                         f'folder.')

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what SQLite raises into one sentence."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            name = getattr(error, 'sqlite_errorname', '')
            if name.startswith(('SQLITE_BUSY', 'SQLITE_LOCKED')):
                raise FolderInUseError(f'Another run is writing to {self.path.parent}; wait until it '
                                       f'ends, or choose another folder.') from error
            reasons = {_FULL: 'the disk is full or fails; free some space',
                       _FORBIDDEN: 'writing there is not permitted; choose another place',
                       _LOCKS: 'the file system cannot lock files; choose another place'}
            for names, reason in reasons.items():
                if name.startswith(names):
                    raise DiskFullError(f'{self.path} could not be written: {reason}.') from error
            raise self._fault(f'it is damaged or no file of results ({shortened(str(error))})') from error
