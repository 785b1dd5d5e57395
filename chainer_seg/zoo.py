"""The models that come with the package, and the weights and data sets that others published."""

import dataclasses
import functools
import pathlib
import tomllib

from chainer_seg.errors import DownloadError

SHIPPED_FOLDER = pathlib.Path(__file__).parent / 'shipped'

# The names that stand for a model file wherever one is asked for; each has a card beside its file.
SHIPPED = {
    'click': 'click-shapes.npz',
    'deeplab': 'deeplab-shapes.npz',
    'deepmask': 'deepmask-shapes.npz',
    'mask-rcnn': 'mask-rcnn-shapes.npz',
    'sharpmask': 'sharpmask-shapes.npz',
    'yolact': 'yolact-shapes.npz',
}

_PUBLIC_FILES = pathlib.Path(__file__).parent / 'public_files.toml'


def shipped_path(name: str) -> pathlib.Path | None:
    """The file of the shipped model ``name``; None where no model has that name."""
    return SHIPPED_FOLDER / SHIPPED[name] if name in SHIPPED else None


@dataclasses.dataclass(frozen=True)
class PublicFile:
    """A file that others published.

    Attributes:
        file: The name under which it is stored.
        url: Where it lies.
        title: What it is.
        license: Under which licence.
        figure: What its authors measured; empty where they give nothing.
        use: The command that makes use of it, with ``{path}`` for where it was stored.
        md5: Its checksum in hexadecimal digits; empty where it is not known.
        md5sum_beside: Whether its publisher has the checksum at ``url`` + ``.md5sum``.
        size: As its publisher tells it; empty where it is not known.
        by_hand: Whether ``url`` is a page to be opened in a browser, not the file.
    """

    file: str
    url: str
    title: str
    license: str
    figure: str = ''
    use: str = ''
    md5: str = ''
    md5sum_beside: bool = False
    size: str = ''
    by_hand: bool = False


@functools.cache
def public_files() -> dict[str, dict[str, PublicFile]]:
    """All public files: ``{kind: {name: PublicFile}}``; kinds are weights, coco, sbd, voc and click."""
    tables = tomllib.loads(_PUBLIC_FILES.read_text(encoding='utf-8'))
    return {kind: {name: PublicFile(**entry) for name, entry in entries.items()}
            for kind, entries in tables.items()}


def public_file(kind: str, name: str) -> PublicFile:
    """The :class:`PublicFile` of a kind and a name.

    Raises:
        chainer_seg.errors.DownloadError: There is none.
    """
    entries = public_files()[kind]
    if name not in entries:
        raise DownloadError(f'There is no {name} among the public files of the kind {kind}; choose '
                            f'from {", ".join(entries)}.')
    return entries[name]
