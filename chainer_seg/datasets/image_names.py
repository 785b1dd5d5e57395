"""The files that an annotation file's names mean: names from other systems and folders."""

import collections
import dataclasses
import os
import posixpath
import re
import urllib.parse
from collections.abc import Sequence

from chainer_seg.images import IMAGE_SUFFIXES


@dataclasses.dataclass(frozen=True)
class FoundName:
    """What an annotation file's name of an image means.

    Attributes:
        name: The file relative to the folder, with slashes; as it is written where it is not found.
        how: How it was found where that is not as it is written; '' otherwise.
        fault: Why there is no such file, as the end of a sentence; '' where there is.
    """

    name: str
    how: str = ''
    fault: str = ''


def find_images(names: Sequence[str], folder: str | os.PathLike) -> list[FoundName]:
    """Looks for image files by the names that an annotation file gives them.

    A name counts as it is written if there is such a file. Otherwise, and in this order: backslashes
    are slashes; ``%20`` and its like are characters; folders at the front (an absolute path of another
    machine, the folder's own name) are omitted, one after the other; the ending may have other case or
    be missing; and a name that occurs once in the folders below is that file. What is found in several
    places, or by several names, is not taken. Nothing outside the folder is: links in it are followed,
    ``..`` and absolute paths only back into it.

    Args:
        names: The file names, str.
        folder: The folder of images.

    Returns:
        list of FoundName, one for each name.
    """
    tree = _Tree(os.fspath(folder))
    found = [tree.find(name) for name in names]
    # Of several names that lead to one file by guessing, at most one can be right.
    given = dict(zip(names, found))
    owners = collections.Counter(each.name for each in given.values() if not each.fault)
    return [FoundName(name, fault=f'the file {each.name} would be meant by {owners[each.name]} names; '
                                  f'name each file as it is called')
            if each.how and owners[each.name] > 1 else each for name, each in zip(names, found)]


class _Tree:
    """The files of a folder, whose parts are listed when they are asked for."""

    def __init__(self, folder):
        self._folder, self._listed, self._below = folder, {}, None

    def find(self, name):
        """The :class:`FoundName` of one name."""
        if name in self._names(''):
            return FoundName(name)
        plain = self._inside(name)
        if plain is not None and self._has(plain):
            same = plain == posixpath.normpath(name)
            return FoundName(plain, '' if same else 'as a path that leads into the folder')
        for candidate, how in _spellings(name):
            file = self._file(candidate)
            if file:
                ending = '' if file == candidate else 'by another ending'
                return FoundName(file, ', '.join(filter(None, (how, ending))) or 'by its last parts')
        return self._search(name, plain is None)

    def _search(self, name, outside):
        """A name in the folders below, by its last part alone."""
        last = (_parts(name) or [''])[-1]
        places = self._everywhere().get(last.lower(), [])
        places = [place for place in places if posixpath.basename(place) == last] or places
        if len(places) == 1:
            return FoundName(places[0], 'in a folder below')
        if places:
            return FoundName(name, fault=f'there are {len(places)} files of this name below the folder, '
                                         f'such as {places[0]} and {places[1]}; name it in full')
        if outside:
            return FoundName(name, fault='the name lies outside the folder of images; give the folder '
                                         'that has the file in it')
        stem = posixpath.splitext(last)[0]
        others = sorted(file for file in self._names('') if posixpath.splitext(file)[0] == stem)
        if stem and others:
            return FoundName(name, fault=f'there is {others[0]} with another ending; name the file that '
                                         f'was annotated')
        return FoundName(name, fault='there is no file of this name in the folder; check the path')

    def _inside(self, name):
        """``name`` relative to the folder, or None where it is outside it."""
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

    def _has(self, name):
        folder, _, last = name.rpartition('/')
        return last in self._names(folder)

    def _file(self, name):
        """``name`` or the one file that differs from it by the ending's case, or by having one."""
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

    def _names(self, folder):
        """The names in a folder of the tree, links included; none where there is no such folder."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(os.path.join(self._folder, folder)))
            except (OSError, ValueError):
                self._listed[folder] = frozenset()
        return self._listed[folder]

    def _everywhere(self):
        """All files below the folder by their last part in lower case; images also without ending."""
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


def _spellings(name):
    """Other ways to write a name, and what each is, the likeliest first; none leads outside."""
    for plain, how in (
            (name, ''), (name.replace('\\', '/'), 'with slashes for backslashes'),
            (urllib.parse.unquote(name).replace('\\', '/'), 'without the escapes of web addresses')):
        if how and plain == name:
            continue
        parts = [part for part in _local(plain).split('/') if part not in ('', '.', '..')]
        for first in range(len(parts)):
            without = f'without {"/".join(parts[:first])}/' if first else ''
            yield '/'.join(parts[first:]), ', '.join(filter(None, (how, without)))


def _parts(name):
    """The parts of a path of any system."""
    plain = _local(urllib.parse.unquote(name).replace('\\', '/'))
    return [part for part in plain.split('/') if part not in ('', '.', '..')]


def _local(name):
    """A path without drive, server and query."""
    if re.match(r'[A-Za-z]+://', name):
        return urllib.parse.unquote(urllib.parse.urlsplit(name).path)
    return re.sub(r'^[A-Za-z]:(?=/)', '', name)
