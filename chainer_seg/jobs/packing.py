"""Packs a data set into one file; an interrupted run resumes."""

import functools
import os
import pathlib

from chainer_seg.bad_images import OnError
from chainer_seg.datasets.base import Dataset
from chainer_seg.datasets.packing import PackedImage, pack_dataset
from chainer_seg.jobs.results import UNFINISHED, Results


def pack(dataset: Dataset, path: str | os.PathLike, *, source: str = '', read_pixels: bool = True,
         title: str = 'packing', progress: bool = True, on_error: OnError | None = None) -> pathlib.Path:
    """Packs a data set as :func:`chainer_seg.datasets.pack_dataset` does.

    What an interrupted run has read and checked is kept beside the file until it is complete.

    Args:
        dataset, path, read_pixels, on_error: As of :func:`chainer_seg.datasets.pack_dataset`.
        source: Anything that tells what is packed, and changes with it.
        title: Stands before the progress bar.
        progress: Show the bar.

    Returns:
        pathlib.Path: The file.

    Raises:
        chainer_seg.errors.UserError: As of :func:`chainer_seg.datasets.pack_dataset`, or another run is
            writing to the folder.
    """
    path = pathlib.Path(path)
    settings = {'file': path.name, 'source': source, 'images': len(dataset), 'read_pixels': read_pixels}
    with Results(path.parent, settings, PackedImage, database=UNFINISHED, scratch=True) as results:
        return pack_dataset(dataset, path, source=source, loop=functools.partial(
            results.rows, title=title, progress=progress, on_error=on_error), read_pixels=read_pixels)
