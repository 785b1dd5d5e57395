"""Reads lists of files, with one name per line, and resolves the names.

Names may have backslashes, an extension or none, or leading folders that have other names here. Files are
searched in the folder of the data set, beside the list and below the current folder. Names that lead out
of these by ``..`` or as absolute paths are errors unless the caller allows them.
"""

import collections
import logging
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chainer_seg.errors import DatasetError, UserError, quoted, shortened
from chainer_seg.files import read_text
from chainer_seg.images import IMAGE_SUFFIXES

log = logging.getLogger(__name__)

# In the order in which files are searched.
IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', *sorted(IMAGE_SUFFIXES - {'.jpg', '.jpeg', '.png'}))
LABEL_ENDINGS = ('.png', *sorted(IMAGE_SUFFIXES - {'.jpg', '.jpeg', '.png'}), '.jpg', '.jpeg')

_ENDINGS = '|'.join(re.escape(suffix[1:]) for suffix in sorted(IMAGE_SUFFIXES))
_PAIR = re.compile(rf'(.+?\.(?:{_ENDINGS}))[\s,;]+(.+\.(?:{_ENDINGS}))', re.IGNORECASE)
_FLAG = re.compile(r'(.*\S)\s+(?:-1|0|1)')  # the second column of VOC's class lists
_DRIVE = re.compile(r'[A-Za-z]:/')


class Line(NamedTuple):
    """A line of a list: its number in the file from 1, and its text with forward slashes."""

    number: int
    text: str
    backslashes: bool = False

    def pair(self) -> tuple[str, str] | None:
        """The names of two image files, if the line consists of these; otherwise None."""
        found = _PAIR.fullmatch(self.text)
        return None if found is None else (found[1], found[2])

    @property
    def name(self) -> str:
        """The text without a second column."""
        found = _FLAG.fullmatch(self.text)
        return self.text if found is None else found[1]

    def names(self) -> list[str]:
        """Possible names in the line, the likeliest first; names may contain spaces."""
        return list(dict.fromkeys((self.text, self.name, self.text.split()[0])))


def read_lines(path: str | os.PathLike, what: str = 'list of images',
               error: type[UserError] = DatasetError) -> list[Line]:
    """The lines of a list except for blank lines and comments, which begin with ``#``.

    Raises:
        chainer_seg.errors.UserError: The list cannot be read or is empty.
    """
    lines = [Line(number, text.strip().strip('"').replace('\\', '/').strip(), '\\' in text)
             for number, text in enumerate(read_text(path, what, error).splitlines(), 1)]
    lines = [line for line in lines if line.text and not line.text.startswith('#')]
    if not lines:
        raise error(f'The {what} {path} is empty; it must have a name in each line.')
    return lines


class Files:
    """The existing files; each folder is listed only once."""

    def __init__(self) -> None:
        self._names: dict[pathlib.Path, tuple[set[str], dict[str, list[str]]]] = {}

    def has(self, path: pathlib.Path) -> bool:
        """Whether there is such a file."""
        return path.name in self._listed(path.parent)[0]

    def find(self, path: pathlib.Path, endings: Iterable[str]) -> pathlib.Path | None:
        """The file itself, or one with its stem and one of these extensions, in this order."""
        names, by_stem = self._listed(path.parent)
        if path.name in names:
            return path
        endings = list(endings)
        stem = path.stem if path.suffix.lower() in (*IMAGE_SUFFIXES, *endings) else path.name
        found = [name for name in by_stem.get(stem, ()) if pathlib.Path(name).suffix.lower() in endings]
        found.sort(key=lambda name: endings.index(pathlib.Path(name).suffix.lower()))
        return path.with_name(found[0]) if found else None

    def _listed(self, folder: pathlib.Path) -> tuple[set[str], dict[str, list[str]]]:
        if folder not in self._names:
            try:
                with os.scandir(folder) as entries:
                    names = {entry.name for entry in entries if entry.is_file()}
            except (OSError, ValueError):  # missing, not a folder, or with too long a name
                names = set()
            by_stem = collections.defaultdict(list)
            for name in sorted(names):
                by_stem[pathlib.PurePath(name).stem].append(name)
            self._names[folder] = names, by_stem
        return self._names[folder]


class ListedFiles:
    """Resolves the names in the lines of a list.

    Args:
        list_file: The list.
        folder: The folder of the data set.
        allow_outside: Whether names may lead out of the folders.
    """

    def __init__(self, list_file: str | os.PathLike, folder: str | os.PathLike,
                 allow_outside: bool = False) -> None:
        self.path, self.folder = pathlib.Path(list_file), pathlib.Path(folder)
        self.files = Files()
        self._allow_outside = allow_outside
        # For each folder, the files in it and its subfolders by their names without extension.
        self._below: dict[pathlib.Path, dict[str, list[pathlib.Path]]] = {}
        # Deviations of names, each with the first line that has it and the file it stands for.
        self._odd: dict[str, tuple[Line, pathlib.Path | None]] = {}

    def find(self, line: Line, name: str, bases: Iterable[str], endings: Iterable[str]
             ) -> pathlib.Path | None:
        """The file that a name stands for.

        Args:
            line: The line of the name.
            name: The name.
            bases: Folders in that of the data set to search, in this order.
            endings: Possible extensions, in this order.

        Returns:
            The path, or None if there is no such file.

        Raises:
            chainer_seg.errors.DatasetError: The file is outside of the folders.
        """
        outside, bases, endings = None, list(bases), list(endings)
        for place, path in self._places(name, bases):
            found = self.files.find(path, endings)
            if found is None:
                continue
            if place == 'outside' and not self._allow_outside:
                outside = outside or found
                continue
            if place not in ('', 'outside'):
                self._odd.setdefault(place, (line, found))
            if line.backslashes:
                self._odd.setdefault('written with backslashes', (line, found))
            named = pathlib.PurePosixPath(name).suffix.lower()
            if named in IMAGE_SUFFIXES and named != found.suffix.lower():
                self._odd.setdefault(f'files have the extension {found.suffix}', (line, found))
            if is_inside(found, self.folder):
                return self.folder / os.path.relpath(found, self.folder)
            return found
        if outside is not None or ('..' in name.split('/') and not self._allow_outside):
            raise outside_error(self.path, line, name)
        return self._find_below(line, name, bases, endings)

    def note(self, line: Line, oddity: str) -> None:
        """Adds a deviation to :meth:`report`."""
        self._odd.setdefault(oddity, (line, None))

    def report(self) -> None:
        """Logs each kind of deviation once."""
        for oddity, (line, found) in self._odd.items():
            meaning = '' if found is None else f', which is {found}'
            log.warning('%s: %s, such as line %d, %s%s', self.path, oddity, line.number,
                        quoted(line.text), meaning)

    def _find_below(self, line: Line, name: str, bases: Sequence[str],
                    endings: Sequence[str]) -> pathlib.Path | None:
        """The only file with this name in all subfolders; None if there are several or none."""
        for folder in (self.folder / base for base in bases if base):
            if folder not in self._below:
                by_stem = collections.defaultdict(list)
                for parent, _, names in os.walk(folder):
                    for each in names:
                        by_stem[pathlib.PurePath(each).stem].append(pathlib.Path(parent, each))
                self._below[folder] = by_stem
            path = pathlib.PurePath(name)
            stem = path.stem if path.suffix.lower() in IMAGE_SUFFIXES else path.name
            found = [candidate for candidate in self._below[folder].get(stem, ())
                     if candidate.suffix.lower() in endings]
            if len(found) == 1:
                self._odd.setdefault('files are in subfolders', (line, found[0]))
                return found[0]
        return None

    def _places(self, name: str, bases: Sequence[str]) -> Iterator[tuple[str, pathlib.Path]]:
        """Possible files, each with its deviation; '' for none, 'outside' for files outside the folders."""
        rooted = name.startswith('/') or bool(_DRIVE.match(name))
        relative = _DRIVE.sub('', name).lstrip('/')
        for base in bases:
            yield self._checked(self.folder / base / relative)
        if rooted and not _DRIVE.match(name):
            yield self._checked(pathlib.Path(name))
        if not rooted:
            yield self._checked(self.path.parent / relative, 'names are relative to the list')
            if '..' not in relative.split('/'):
                yield 'names are relative to the current folder', pathlib.Path(relative)
        parts = [part for part in relative.split('/') if part not in ('', '.')]
        if '..' not in parts:
            for start in range(1, len(parts)):
                for base in bases:
                    yield ('names have other leading folders',
                           self.folder / base / pathlib.Path(*parts[start:]))

    def _checked(self, path: pathlib.Path, oddity: str = '') -> tuple[str, pathlib.Path]:
        path = pathlib.Path(os.path.normpath(path))
        inside = any(is_inside(path, folder) for folder in (self.folder, self.path.parent))
        return (oddity if inside else 'outside'), path


def is_inside(path: str | os.PathLike, folder: str | os.PathLike) -> bool:
    """Whether a path without ``..`` is below a folder; links in the folder are not resolved."""
    return pathlib.Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))


def outside_error(path: str | os.PathLike, line: Line, name: str,
                  error: type[UserError] = DatasetError) -> UserError:
    """The error for a list that names a file outside of its folder."""
    return error(f'Line {line.number} of {path} names {quoted(name)}, which is outside the folders of '
                 f'the list and its images; move the file there, or allow it with --allow-outside.')


def missing_error(path: str | os.PathLike, missing: Sequence[object], what: str, remedy: str) -> DatasetError:
    """The error for a list that names missing files.

    Args:
        path: The list.
        missing: The files.
        what: What is missing, such as 'whose files'.
        remedy: What to do.
    """
    others = f' and {len(missing) - 1} others' if len(missing) > 1 else ''
    return DatasetError(f'{path} names images {what} do not exist: {shortened(str(missing[0]))}{others}; '
                        f'{remedy}.')
