"""Download public weights and data sets: chainer-seg download KIND [NAME...]."""

import argparse
import logging
import pathlib
from collections.abc import Sequence

from chainer_seg import command_line, downloads
from chainer_seg.errors import DownloadError
from chainer_seg.options import Parser
from chainer_seg.zoo import PublicFile, conversion_command, public_file, public_files

log = logging.getLogger(__name__)


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(
        __doc__, prog='chainer-seg download', device=False,
        epilog='Without NAME, the available files are listed. They belong to their authors; mind '
               'their licences.')
    parser.add_argument('kind', choices=tuple(public_files()), help='kind of file')
    parser.add_argument('names', metavar='NAME', nargs='*', help='names of the files')
    parser.add_argument('--out', metavar='DIR', default=None,
                        help='folder for the files; downloads/KIND if omitted')
    parser.add_argument('--extract', action='store_true', help='unpack archives next to themselves')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    command_line.set_up_messages(options)
    if not options.names:
        list_files(options.kind)
    folder = pathlib.Path(options.out or f'downloads/{options.kind}')
    chosen = {name: public_file(options.kind, name) for name in options.names}
    for name, file in chosen.items():
        fetch(name, file, folder, options)


def list_files(kind: str) -> None:
    """Prints the files of a kind: name, title, published figure, size and licence."""
    entries = public_files()[kind]
    width = max(map(len, entries))
    for name, entry in entries.items():
        text = '; '.join(filter(None, (entry.title, entry.figure, entry.size)))
        print(f'{name:{width}}  {text} ({entry.license})')


def fetch(name: str, chosen: PublicFile, folder: pathlib.Path, options: argparse.Namespace) -> None:
    """Downloads one file and reports how to use it."""
    path = folder / chosen.file
    if chosen.by_hand and not path.exists():
        raise DownloadError(f'{chosen.title} must be downloaded in a browser: open {chosen.url}, store the '
                            f'file as {path} and run this again.')
    md5 = chosen.md5 or (downloads.published_md5(chosen.url) if chosen.md5sum_beside else None)
    log.info('%s, from %s; licence: %s', chosen.title, chosen.url, chosen.license)
    if not chosen.by_hand:
        downloads.download(chosen.url, path, md5, progress=not options.quiet)
        log.info('wrote %s%s', path, '; the checksum matches' if md5 else '')
    if options.extract and chosen.is_archive:
        downloads.extract(path, folder)
        log.info('unpacked into %s', folder)
    following = conversion_command(name, path, f'{name}.npz') if chosen.model else chosen.use
    if following:
        log.info('next: %s', following)
