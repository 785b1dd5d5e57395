"""Which images an argument names, and where the results for each go."""

import collections
import contextlib
import pathlib

from chainer_seg.errors import ImageError
from chainer_seg.images import find_images
from chainer_seg.locks import sole_writer


def listed_images(path):
    """The images that an argument names: itself, those of a folder, or those of a list of paths."""
    path = pathlib.Path(path)
    if path.suffix.lower() != '.txt':
        return find_images(path)
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f'The list {path} cannot be read; give a text file with the path of an image '
                         f'in each line.') from error
    found = [path.parent / line.strip() for line in lines if line.strip()]
    if not found:
        raise ImageError(f'The list {path} names no images; write the path of one in each line.')
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
