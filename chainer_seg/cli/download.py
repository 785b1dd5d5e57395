"""Download public weights and data sets."""

import dataclasses
import logging
import pathlib
from typing import Annotated

from tyro.conf import Positional

from chainer_seg import downloads
from chainer_seg.cli.common import Common
from chainer_seg.cli.parsing import Command
from chainer_seg.errors import DownloadError
from chainer_seg.recipes.options import Flat, Switch, chosen, option
from chainer_seg.zoo import PublicFile, conversion_command, public_file, public_files

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Download(Command):
    """Download public weights and data sets.

    Without NAME, the available files are listed. They belong to their authors; mind their licences.

    Attributes:
        kind: Kind of file.
        names: Names of the files.
        out: Folder for the files; downloads/KIND if omitted.
        extract: Unpack archives next to themselves.
        common: Common options.
    """

    kind: Positional[Annotated[str, chosen(public_files())]]
    names: Positional[Annotated[tuple[str, ...], option(metavar='[NAME ...]')]] = ()
    out: Annotated[pathlib.Path | None, option(metavar='DIR')] = None
    extract: Switch = False
    common: Flat[Common] = Common()

    def run(self) -> None:
        self.common.set_up()
        if not self.names:
            list_files(self.kind)
        folder = self.out or pathlib.Path('downloads', self.kind)
        files = {name: public_file(self.kind, name) for name in self.names}
        for name, file in files.items():
            self.fetch(name, file, folder)

    def fetch(self, name: str, file: PublicFile, folder: pathlib.Path) -> None:
        """Downloads one file and reports how to use it."""
        path = folder / file.file
        if file.by_hand and not path.exists():
            raise DownloadError(f'{file.title} must be downloaded in a browser: open {file.url}, store the '
                                f'file as {path} and run this again.')
        md5 = file.md5 or (downloads.published_md5(file.url) if file.md5sum_beside else None)
        log.info('%s, from %s; licence: %s', file.title, file.url, file.license)
        if not file.by_hand:
            downloads.download(file.url, path, md5, progress=not self.common.quiet)
            log.info('wrote %s%s', path, '; the checksum matches' if md5 else '')
        if self.extract and file.is_archive:
            downloads.extract(path, folder)
            log.info('unpacked into %s', folder)
        following = conversion_command(name, path, f'{name}.npz') if file.model else file.use
        if following:
            log.info('next: %s', following)


def list_files(kind: str) -> None:
    """Prints the files of a kind: name, title, published figure, size, licence, checksum, what the weights
    become, and the address."""
    for name, entry in public_files()[kind].items():
        facts = (entry.title, entry.figure, entry.size, f'licence: {entry.license}',
                 entry.model and f'becomes a {entry.model}', _checksum(entry))
        print(name, f'    {"; ".join(filter(None, facts))}',
              f'    {entry.url}{" (open it in a browser)" if entry.by_hand else ""}', sep='\n')


def _checksum(entry: PublicFile) -> str:
    """The MD5 of a file, or who has it; empty if it is not known."""
    if entry.md5sum_beside:
        return 'MD5 checked against its publisher\'s'
    return entry.md5 and f'MD5 {entry.md5}'
