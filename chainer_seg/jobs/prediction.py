"""Runs a model on many images and videos, each of which has result files of its own."""

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from chainer_seg.bad_images import OnError
from chainer_seg.jobs.fingerprints import fingerprint_of_files
from chainer_seg.jobs.result_paths import image_ids, result_stems, sole_writers
from chainer_seg.jobs.results import UNFINISHED, Results


@dataclasses.dataclass(frozen=True)
class Input:
    """One input and the paths of its results.

    Attributes:
        source: A path, or the number of a camera.
        is_video: Whether it has frames.
        overlay: Path of the image, or of the video, with what was found.
        results: Path of the JSON file, which is written last.
        image_id: Of an image in COCO results; the frames of a video have their own.
    """

    source: Any
    is_video: bool
    overlay: pathlib.Path
    results: pathlib.Path
    image_id: int = 0


def image_inputs(paths: Sequence[pathlib.Path], folder: str | pathlib.Path) -> list[Input]:
    """Images with results in one folder, under the names of the images."""
    return [Input(path, False, pathlib.Path(f'{stem}_overlay.png'), pathlib.Path(f'{stem}.json'), image_id)
            for image_id, (path, stem) in zip(image_ids(list(paths)), result_stems(paths, folder))]


def predict(inputs: Sequence[Input], save: Callable[[Input], object], settings: Mapping[str, Any], *,
            folders: Iterable[str | pathlib.Path] = (), title: str = 'images', progress: bool = True,
            on_error: OnError | None = None) -> None:
    """Calls ``save`` for each input, except for those that an interrupted run has completed.

    What is completed is kept in the first folder that several results go to, and only until the last one is
    there. It counts if the settings and the input files are the same.

    Args:
        inputs: Images, videos and cameras.
        save: ``save(input)`` writes the results of an input.
        settings: A dict, JSON-ready, of all that the results depend on besides the input files.
        folders: Folders of results; no other run can write to them or keep results in them.
        title: Stands before the progress bar.
        progress: Show the bar.
        on_error: Called with the number and the error of an input that cannot be used, which is then
            skipped; None raises the error.

    Raises:
        chainer_seg.errors.FolderInUseError: Another run is writing to one of the folders.
    """
    counts = collections.Counter(each.results.parent for each in inputs)
    shared = [folder for folder, count in counts.items() if count > 1]
    kept = {**settings, 'results': [str(each.results) for each in inputs], 'files': fingerprint_of_files(
        each.source for each in inputs if isinstance(each.source, pathlib.Path))}

    def compute(number: int) -> None:
        save(inputs[number])

    with sole_writers({*shared, *map(pathlib.Path, folders)}), Results(
            shared[0] if shared else None, kept, None, database=UNFINISHED, scratch=True) as results:
        results.forget([number for number in results.done
                        if number not in range(len(inputs)) or not inputs[number].results.exists()
                        or isinstance(inputs[number].source, int)])
        for _ in results.rows(range(len(inputs)), compute, title=title, progress=progress,
                              on_error=on_error):
            pass
