"""Resolves the image names of an annotation file, which may come from other systems and folders."""

import collections
import dataclasses
import os
import posixpath
import re
import urllib.parse
from collections.abc import Iterator, Sequence

from chainer_seg.images import IMAGE_SUFFIXES


@dataclasses.dataclass(frozen=True)
class FoundName:
    """The resolved name of an image.

    Attributes:
        name: The file relative to the folder, with slashes; the name as written if it was not found.
        how: How the file was found if not under the name as written; '' otherwise.
        fault: Why there is no such file, as the end of a sentence; '' if there is one.
    """

    name: str
    how: str = ''
    fault: str = ''


def find_images(names: Sequence[str], folder: str | os.PathLike) -> list[FoundName]:
    """Finds image files by their names in an annotation file.

    A name is used as written if there is such a file. Otherwise, and in this order: backslashes are
    read as slashes; ``%20`` and the like as characters; leading folders (an absolute path of another
    machine, the name of the folder itself) are removed one by one; the extension may differ in case or
    be missing; and a name that occurs once in the subfolders is that file. A file that is found in
    several places or by several names is an error. Files outside the folder are never used: links in
    it are followed, but ``..`` and absolute paths only if they lead back into it.

    Args:
        names: The file names.
        folder: The folder of images.

    Returns:
        A FoundName for each name.
    """
    tree = _Tree(os.fspath(folder))
    found = [tree.find(name) for name in names]
    # Of several names that are resolved to one file, at most one can be right.
    given = dict(zip(names, found))
    owners = collections.Counter(each.name for each in given.values() if not each.fault)
    return [FoundName(name, fault=f'{owners[each.name]} names could stand for the file {each.name}; '
                                  f'use the exact name of each file')
            if each.how and owners[each.name] > 1 else each for name, each in zip(names, found)]


class _Tree:
    """The files of a folder, which is listed lazily."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._listed: dict[str, frozenset[str]] = {}
        self._below: dict[str, list[str]] | None = None

    def find(self, name: str) -> FoundName:
        """The :class:`FoundName` of one name."""
        if name in self._names(''):
            return FoundName(name)
        plain = self._inside(name)
        if plain is not None and self._has(plain):
            same = plain == posixpath.normpath(name)
            return FoundName(plain, '' if same else 'by a path that leads into the folder')
        for candidate, how in _spellings(name):
            file = self._file(candidate)
            if file:
                ending = '' if file == candidate else 'with another extension'
                return FoundName(file, ', '.join(filter(None, (how, ending))) or 'by its last parts')
        return self._search(name, plain is None)

    def _search(self, name: str, outside: bool) -> FoundName:
        """A name in the subfolders, by its last part only."""
        last = (_parts(name) or [''])[-1]
        places = self._everywhere().get(last.lower(), [])
        places = [place for place in places if posixpath.basename(place) == last] or places
        if len(places) == 1:
            return FoundName(places[0], 'in a subfolder')
        if places:
            return FoundName(name, fault=f'there are {len(places)} files with this name in subfolders, '
                                         f'such as {places[0]} and {places[1]}; use the full name')
        if outside:
            return FoundName(name, fault='the name leads outside the folder of images; give the folder '
                                         'that contains the file')
        stem = posixpath.splitext(last)[0]
        others = sorted(file for file in self._names('') if posixpath.splitext(file)[0] == stem)
        if stem and others:
            return FoundName(name, fault=f'there is {others[0]} with another extension; use the name of '
                                         f'the annotated file')
        return FoundName(name, fault='there is no file with this name in the folder; check the path')

    def _inside(self, name: str) -> str | None:
        """``name`` relative to the folder, or None if it is outside."""
        if '\0' in name or '://' in name:
            return None
        if posixpath.isabs(name):
            name = posixpath.relpath(posixpath.normpath(name), os.path.abspath(self._folder))
        name = posixpath.normpath(name)
        if name.split('/')[0] == '..':
            # ../images/a.png is a.png in the folder images.
            whole = posixpath.normpath(posixpath.join(os.path.abspath(self._folder), name))
            name = posixpath.relpath(whole, os.path.abspath(self._folder))
        return None if name.split('/')[0] == '..' or name == '.' else name

    def _has(self, name: str) -> bool:
        folder, _, last = name.rpartition('/')
        return last in self._names(folder)

    def _file(self, name: str) -> str | None:
        """``name``, or the only file that differs from it in the case or presence of the extension."""
        if self._has(name):
            return name
        folder, _, last = name.rpartition('/')
        stem, ending = posixpath.splitext(last)
        if ending.lower() in IMAGE_SUFFIXES:
            alike = [file for file in self._names(folder)
                     if file.lower() == last.lower() and file.startswith(stem)]
        else:
            alike = [file for file in self._names(folder) if posixpath.splitext(file)[0] == last
                     and posixpath.splitext(file)[1].lower() in IMAGE_SUFFIXES]
        return posixpath.join(folder, alike[0]) if len(alike) == 1 else None

    def _names(self, folder: str) -> frozenset[str]:
        """The names in a folder of the tree, including links; none if there is no such folder."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(os.path.join(self._folder, folder)))
            except (OSError, ValueError):
                self._listed[folder] = frozenset()
        return self._listed[folder]

    def _everywhere(self) -> dict[str, list[str]]:
        """All files in subfolders by their last part in lower case; images also without extension."""
        if self._below is None:
            self._below = {}
            for place, _, files in os.walk(self._folder):
                inside = os.path.relpath(place, self._folder).replace(os.sep, '/')
                for file in sorted(files):
                    stem, ending = posixpath.splitext(file.lower())
                    path = posixpath.normpath(posixpath.join(inside, file))
                    self._below.setdefault(file.lower(), []).append(path)
                    if ending in IMAGE_SUFFIXES and posixpath.splitext(stem)[1] not in IMAGE_SUFFIXES:
                        self._below.setdefault(stem, []).append(path)
        return self._below


def _spellings(name: str) -> Iterator[tuple[str, str]]:
    """Other spellings of a name, each with a description, the likeliest first; none leads outside."""
    for plain, how in (
            (name, ''), (name.replace('\\', '/'), 'with slashes for backslashes'),
            (urllib.parse.unquote(name).replace('\\', '/'), 'with URL escapes decoded')):
        if how and plain == name:
            continue
        parts = [part for part in _local(plain).split('/') if part not in ('', '.', '..')]
        for first in range(len(parts)):
            without = f'without {"/".join(parts[:first])}/' if first else ''
            yield '/'.join(parts[first:]), ', '.join(filter(None, (how, without)))


def _parts(name: str) -> list[str]:
    """The parts of a path of any operating system."""
    plain = _local(urllib.parse.unquote(name).replace('\\', '/'))
    return [part for part in plain.split('/') if part not in ('', '.', '..')]


def _local(name: str) -> str:
    """A path without drive, server and query."""
    if re.match(r'[A-Za-z]+://', name):
        return urllib.parse.unquote(urllib.parse.urlsplit(name).path)
    return re.sub(r'^[A-Za-z]:(?=/)', '', name)
