"""Every reader of files that people have, with good files of each kind.

A reader is given a folder with good files of which one has been changed. It must give a value or a
UserError; what it gives is used as far as the product would use it at once.
"""

import contextlib
import dataclasses
import pathlib
import shutil
import tempfile
from collections.abc import Callable


@dataclasses.dataclass
class Reader:
    """A reader under test.

    Attributes:
        name: For the report.
        write: ``write(folder)`` writes good files into an empty folder.
        read: ``read(folder, path)`` reads them; ``path`` in the folder is the one that was changed.
        kinds: ``{pattern: kind}``: which of the files are changed, and how; see
            :data:`tests.fuzz.damage.KINDS`.
        seeds: A list of (path in the folder, bytes, kind) of the files that are changed.
    """

    name: str
    write: Callable[[pathlib.Path], object]
    read: Callable[[pathlib.Path, str], object]
    kinds: dict[str, str]
    seeds: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self._good = pathlib.Path(tempfile.mkdtemp(prefix='fuzz-good-'))
        self._changed = None
        self.write(self._good)
        self.seeds = [
            (path.relative_to(self._good).as_posix(), path.read_bytes(), kind)
            for pattern, kind in self.kinds.items()
            for path in sorted(self._good.glob(pattern))
        ]
        if not self.seeds:
            raise ValueError(f'{self.name} has no good file')

    def prepare(self, folder):
        """Makes a folder of the good files."""
        shutil.copytree(self._good, folder)

    def change(self, folder, path, data):
        """Puts ``data`` into the file ``path`` of a folder; all others are good files."""
        if self._changed not in (None, path):
            shutil.copy(self._good / self._changed, folder / self._changed)
        self._changed = path
        (folder / path).write_bytes(data)

    def close(self):
        shutil.rmtree(self._good, ignore_errors=True)


@contextlib.contextmanager
def made(entries):
    """The readers of what the modules list as ``READERS``; their good files vanish at the end."""
    readers = []
    try:
        for entry in entries:
            readers.append(Reader(*entry))
        yield readers
    finally:
        for reader in readers:
            reader.close()
