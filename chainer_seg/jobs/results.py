"""The loop of all long work over images: what is done is kept, and an interrupted run resumes."""

import contextlib
import json
import logging
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tqdm.auto import tqdm

from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.errors import DatasetError, shortened, writing
from chainer_seg.files import write_json
from chainer_seg.jobs.database import ResultDatabase
from chainer_seg.locks import remove_unfinished

log = logging.getLogger(__name__)

KEPT, UNFINISHED = 'results.sqlite', 'unfinished.sqlite'
_EARLIER = 'journal*.jsonl'  # of versions before SQLite


class Results(contextlib.AbstractContextManager):
    """The results of images by number, kept in a folder from which an interrupted run resumes.

    ::

        with Results('out', {'model': fingerprint}, list[float]) as results:
            for number, row in results.rows(range(len(dataset)), compute):
                ...

    A row depends on its image and the settings alone, so that it does not matter which process computes
    it, or when. Each row is kept as soon as it is there. No other run can write to the folder until the
    end of the block.

    Args:
        folder: Where the file of results lies; made if missing. None keeps nothing.
        settings: A dict, JSON-ready, of all that the rows depend on.
        row: The type of a row: anything that msgspec encodes.
        content: What the rows are, in words.
        files: Gives the paths of the files that the run writes in the end; they are removed with
            ``overwrite``.
        database: Name of the file of results.
        overwrite: Start over where the folder holds results.
        scratch: The file of results only serves to resume: it is removed when the work is done, and
            rows of other settings are discarded. If not, it stays, later runs add to it, and other settings
            are an error.

    Raises:
        chainer_seg.errors.DatasetError: The folder holds results of other settings or of an earlier
            version, or it is a file.
        chainer_seg.errors.FolderInUseError: Another run is writing to it.
        chainer_seg.errors.DiskFullError: It cannot be written to.
        chainer_seg.errors.UserError: The file of results is damaged.
    """

    def __init__(self, folder: str | os.PathLike | None, settings: dict[str, Any], row: Any, *,
                 content: str = 'results', files: Callable[[], Iterable[pathlib.Path]] = tuple,
                 database: str = KEPT, overwrite: bool = False, scratch: bool = False):
        self.folder = None if folder is None else pathlib.Path(folder)
        self.settings = json.loads(json.dumps(settings))
        self.done: set[int] = set()
        self._content, self._files, self._scratch = content, files, scratch
        self._wanted: Sequence[int] = ()
        self._database: ResultDatabase | None = None
        if self.folder is not None:
            self._open(self.folder, database, row, overwrite)

    def _open(self, folder: pathlib.Path, name: str, row: Any, overwrite: bool) -> None:
        path, others = folder / name, [*self._files(), *folder.glob(_EARLIER)]
        if folder.exists() and not folder.is_dir():
            raise DatasetError(f'{folder} is a file; name a folder for the {self._content}.')
        if not self._scratch and not overwrite and not path.exists() and any(
                other.exists() for other in others):
            raise DatasetError(f'{folder} holds {self._content} without {name}, such as those of an earlier '
                               f'version, which cannot be resumed; choose another folder, or replace them '
                               f'with --overwrite.')
        with writing(path):
            folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            self._database = database = ResultDatabase(path, row, durable=not self._scratch)
            opened.callback(database.close)
            remove_unfinished(folder)
            if overwrite:
                for other in others:
                    with writing(other):
                        other.unlink(missing_ok=True)
            self._begin(database, overwrite)
            opened.pop_all()

    def _begin(self, database: ResultDatabase, overwrite: bool) -> None:
        """Starts over, or makes sure that the settings are those of the rows."""
        found, self.done = database.settings(), database.numbers()
        is_new = not found and not self.done
        if not (overwrite or is_new or self._scratch):
            self._check(found)
        if overwrite or is_new or found != self.settings:
            database.restart(self.settings)
            self.done = set()

    def _check(self, found: Mapping[str, Any]) -> None:
        for name in sorted(found.keys() | self.settings.keys()):
            there, here = (shortened(str(each.get(name))) for each in (found, self.settings))
            if found.get(name) != self.settings.get(name):
                raise DatasetError(f'{self.folder} holds {self._content} of other settings ({name} is '
                                   f'{there} there and {here} here); choose another folder, or replace '
                                   f'them with --overwrite.')

    def rows(self, numbers: Iterable[int], compute: Callable[[int], Any], *, title: str = '',
             unit: str = 'image', progress: bool = True, on_error: OnError | None = None
             ) -> Iterator[tuple[int, Any]]:
        """Yields the row of each image, in the order of ``numbers``: the kept one, or a computed one.

        Args:
            numbers: Numbers of images.
            compute: ``compute(number)`` gives a row; it is called where none is kept.
            title: What is done, before the progress bar.
            unit: What the bar counts.
            progress: Show a bar with the time left.
            on_error: Called with the number and the error of an image that cannot be used, which is then
                skipped, and computed by the next run; None raises the error.

        Yields:
            (number, row).
        """
        self._wanted = numbers = list(numbers)
        done = sum(number in self.done for number in numbers)
        if done:
            log.info('%d of %d images are already done', done, len(numbers))
        with tqdm(total=len(numbers), initial=done, desc=title, unit=unit, disable=not progress) as bar:
            for number in numbers:
                if number in self.done and self._database is not None:
                    yield number, self._database.read(number)
                    continue
                with passing_over(number, on_error):
                    yield number, self._keep(number, compute(number))
                bar.update()

    def _keep(self, number: int, row: Any) -> Any:
        if self._database is not None:
            row = self._database.add(number, row)
        self.done.add(number)
        return row

    def read(self, number: int) -> Any:
        """The kept row of an image; a KeyError if there is none."""
        if self._database is None or number not in self.done:
            raise KeyError(number)
        return self._database.read(number)

    def forget(self, numbers: Iterable[int]) -> None:
        """Drops the rows of some images, such as those whose files are gone."""
        numbers = list(numbers)
        if self._database is not None:
            self._database.forget(numbers)
        self.done.difference_update(numbers)

    def write_settings(self, name: str = 'settings.json') -> None:
        """Writes the settings as JSON to the folder, if there is one."""
        if self.folder is not None:
            write_json(self.folder / name, self.settings, indent=2)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._database is None:
            return
        if self._scratch and error is None:
            self._database.remove()
        else:
            self._database.close()
        if isinstance(error, KeyboardInterrupt) and self._wanted:
            done = sum(number in self.done for number in self._wanted)
            reason = f'{error}; ' if str(error) else ''
            raise type(error)(f'{reason}{done} of {len(self._wanted)} images are done; the same command '
                              f'resumes') from error
