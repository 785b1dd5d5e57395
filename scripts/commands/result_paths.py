"""Where the results for each input go."""

import collections
import pathlib


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
