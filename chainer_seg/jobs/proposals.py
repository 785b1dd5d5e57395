"""The proposals of a data set in COCO result files, kept image by image until they are written.

The files are ``segm-<first>-<last>.json`` and ``bbox-<first>-<last>.json`` (numbers of images, from 1),
with a fixed number of images in each as in the published ones. Runs may fill different ranges of one
folder one after the other.
"""

import os
import pathlib
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainer_seg.bad_images import OnError
from chainer_seg.datasets.base import Dataset
from chainer_seg.datasets.coco_results import CocoResult
from chainer_seg.datasets.proposal_files import KINDS, RleProposals, proposal_results
from chainer_seg.jobs.coco_rows import write_results
from chainer_seg.jobs.fingerprints import digest, fingerprint_of_model
from chainer_seg.jobs.results import Results

if typing.TYPE_CHECKING:
    from chainer_seg.models.deepmask.proposals import ProposalModel

# Called with the number of an image, the image (H, W, 3) uint8 RGB, and its proposals.
OnFound: TypeAlias = Callable[[int, npt.NDArray[np.uint8], RleProposals], object]

CHUNK = 500  # images in a file, as in the published proposals

_NAME = re.compile(r'(segm|bbox)-(\d{1,12})-(\d{1,12})\.json')


def propose(model: 'ProposalModel', dataset: Dataset, folder: str | os.PathLike, *,
            numbers: Iterable[int] | None = None, chunk: int = CHUNK, overwrite: bool = False,
            progress: bool = True, on_error: OnError | None = None, on_found: OnFound | None = None,
            **options: Any) -> list[pathlib.Path]:
    """Computes the proposals of a data set's images, and writes them to files.

    Args:
        model: A DeepMask or a SharpMask.
        dataset: The images, with the ids that the files name.
        folder: Where the proposals are kept and written, and from where an interrupted run resumes.
        numbers: The wanted images, from 0; None for all.
        chunk: Number of images in a file.
        overwrite: Start over where the folder holds proposals.
        progress: Show a progress bar.
        on_error: Called with the number and the error of an image that cannot be read, which is then
            skipped, and computed by the next call; None raises the error.
        on_found: Called with the number, the image and the proposals of each image that is computed.
        options: Of ``model.propose_rle``.

    Returns:
        The paths of all files in the folder, by kind and then by images.

    Raises:
        chainer_seg.errors.UserError: The folder cannot be used: see :class:`chainer_seg.jobs.Results`.
    """
    def compute(number: int) -> list[dict[str, Any]]:
        image = dataset.read_image(number)
        found = model.propose_rle(image, **options)
        if on_found is not None:
            on_found(number, image, found)
        return proposal_results(found, dataset.ids[number])

    settings = {'model': fingerprint_of_model(model), 'images': digest(repr(dataset.ids).encode()), **options}
    return keep_proposals(
        compute, range(len(dataset)) if numbers is None else numbers, folder, settings, chunk=chunk,
        overwrite=overwrite, progress=progress, on_error=on_error)


def keep_proposals(compute: Callable[[int], list[dict[str, Any]]], numbers: Iterable[int],
                   folder: str | os.PathLike, settings: dict[str, Any], *, chunk: int = CHUNK,
                   overwrite: bool = False, progress: bool = True, on_error: OnError | None = None
                   ) -> list[pathlib.Path]:
    """As :func:`propose`, with proposals from anywhere.

    Args:
        compute: ``compute(number)`` gives the COCO result dicts of an image, each with ``segmentation`` and
            ``bbox``.
        numbers, folder, chunk, overwrite, progress, on_error: As of :func:`propose`.
        settings: A dict, JSON-ready, of all that the proposals depend on.
    """
    folder, numbers = pathlib.Path(folder), sorted(set(numbers))
    with Results(folder, {**settings, 'chunk': chunk}, list[CocoResult], content='proposals',
                 files=lambda: _files(folder), overwrite=overwrite) as results:
        for _ in results.rows(numbers, compute, title='proposing', progress=progress, on_error=on_error):
            pass
        for run in _runs(sorted(results.done.intersection(numbers) - _written(folder, chunk)), chunk):
            for kind in KINDS:
                write_results(folder / f'{kind}-{run[0] + 1:06d}-{run[-1] + 1:06d}.json', results, run, kind,
                              required=True)
        results.write_settings()
    return _files(folder)


def _files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of proposals in a folder, by kind and then by images."""
    return [path for kind in KINDS for path in sorted(folder.glob(f'{kind}-*.json'))]


def _written(folder: pathlib.Path, chunk: int) -> set[int]:
    """The numbers of the images that are in files of all kinds."""
    written: dict[str, set[int]] = {kind: set() for kind in KINDS}
    for path in _files(folder):
        match = _NAME.fullmatch(path.name)
        if match:
            first, last = int(match[2]), int(match[3])
            if last - first < chunk:  # Others are not ours, whatever they are called.
                written[match[1]].update(range(first - 1, last))
    return set.intersection(*written.values())


def _runs(numbers: Iterable[int], chunk: int) -> Iterator[list[int]]:
    """Splits rising numbers where they leave a gap, and where a file ends."""
    run: list[int] = []
    for number in numbers:
        if run and (run[-1] != number - 1 or number % chunk == 0):
            yield run
            run = []
        run.append(number)
    if run:
        yield run
