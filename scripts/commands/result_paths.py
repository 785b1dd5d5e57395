"""Which images an argument names, and where the results for each go."""

import collections
import contextlib
import pathlib

from chainer_seg.datasets.list_files import ListedFiles, read_lines
from chainer_seg.errors import ImageError
from chainer_seg.images import find_images
from chainer_seg.locks import sole_writer


def listed_images(path: str | pathlib.Path, allow_outside: bool = False) -> list[pathlib.Path]:
    """The images that an argument names: itself, those of a folder, or those of a list of paths.

    Args:
        path: An image, a folder, or a text file with the path of an image in each line, seen from the
            list or from the current folder.
        allow_outside: Whether a list may name images outside of these.

    Raises:
        chainer_seg.errors.ImageError: A list cannot be read or is empty.
        chainer_seg.errors.DatasetError: A list names an image outside its folder.
    """
    path = pathlib.Path(path)
    if path.suffix.lower() != '.txt':
        return find_images(path)
    files = ListedFiles(path, path.parent, allow_outside)
    found = [files.find(line, line.text, ('',), ()) or path.parent / line.text
             for line in read_lines(path, 'list of images', ImageError)]
    files.report()
    return found


def result_stems(paths, folder):
    """Pairs of each path and where its results go, without an ending.

    Images of one name, from several folders or of several formats, do not overwrite each other's
    results.
    """
    seen = collections.Counter()
    for path in paths:
        seen[path.stem] += 1
        again = f'_{seen[path.stem]}' if seen[path.stem] > 1 else ''
        yield path, pathlib.Path(folder, path.stem + again)


@contextlib.contextmanager
def sole_writers(folders):
    """Keeps other runs from writing to these folders while the block runs."""
    with contextlib.ExitStack() as held:
        for folder in sorted({pathlib.Path(folder).resolve() for folder in folders}):
            held.enter_context(sole_writer(folder))
        yield
