"""Labels that are saved by themselves, one COCO file for each image, and found again after a restart."""

import contextlib
import datetime
import hashlib
import html
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets import CocoDataset
from chainer_seg.datasets.coco_writer import annotations_of
from chainer_seg.errors import DatasetError, UserError
from chainer_seg.files import file_names, write_json
from chainer_seg.models.click_history import Moment
from chainer_seg.models.click_state import ClickObject, ClickState, to_instances
from chainer_seg.models.deeplab.clicks import Click, check_clicks
from chainer_seg.widgets.events import button, count_of, status_line
from chainer_seg.widgets.image_sources import ImageSource

_ENDING = '-autosave'  # of the folder's name, after that of the folder for labels
_MAX_NAME = 80  # maximum length in bytes of an image's name in a file name


class Autosave:
    """The autosaved labels beside a folder for labels.

    Each file holds the labels of one image as COCO JSON, with the clicks and the name of each object in
    addition, so that other programs can read it. It belongs to the image with the same name and pixels.

    Args:
        folder: The folder that labels will be saved to.

    Attributes:
        folder: The folder of the autosaved files: ``labels-autosave`` beside ``labels``.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        path = pathlib.Path(folder).expanduser()
        self.folder = path.with_name((path.name or 'labels') + _ENDING)

    def save(self, sources: Iterable[ImageSource]) -> bool:
        """Writes the labels of the images that have changed since they were saved.

        Returns:
            Whether there were any.

        Raises:
            chainer_seg.errors.DiskFullError: A file cannot be written; it is tried again the next time.
        """
        changed = [source for source in sources
                   if source.moment is not None and source.moment is not source.saved]
        for source in changed:
            image, _ = source.read()
            path = self._path(source.name, image)
            content = _to_coco(source, (image.shape[0], image.shape[1]))
            if content['annotations'] or source.labelled:
                write_json(path, content)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
            source.saved = source.moment
        return bool(changed)

    def restore(self, sources: Sequence[ImageSource]) -> tuple[list[ImageSource], str]:
        """Gives images the labels that were saved for them.

        Returns:
            tuple: the images with restored labels, and a sentence about them, which is empty if there are
            none. A file that cannot be used is kept under another name, and the sentence says so.
        """
        restored, count, newest, problems = [], 0, 0.0, []
        for source in sources:
            for path in self._find(source):
                try:
                    moment = _from_coco(path)
                except UserError as problem:
                    problems.append(f'{problem} It was kept as {_set_aside(path)}.')
                    continue
                source.begin_with(moment)
                source.saved = moment
                restored.append(source)
                count += len(moment.objects) + (moment.state.start is not None)
                newest = max(newest, path.stat().st_mtime)
        if restored:
            time = f'{datetime.datetime.fromtimestamp(newest):%Y-%m-%d %H:%M}'
            problems.insert(0, f'Restored {count_of(count, "object")} from {self.folder}, saved at {time}.')
        return restored, ' '.join(problems)

    def discard(self, sources: Iterable[ImageSource]) -> None:
        """Removes the files of images.

        Raises:
            chainer_seg.errors.UserError: A file cannot be removed.
        """
        for source in sources:
            for path in self._find(source):
                try:
                    path.unlink()
                except OSError as error:
                    raise UserError(f'{path} cannot be removed: {error.strerror}.') from error

    def _find(self, source: ImageSource) -> list[pathlib.Path]:
        """The file of an image, if there is one; the image is read only where one may be."""
        stem, = file_names([source.name], _MAX_NAME)
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        if not any(name.startswith(f'{stem}-') for name in names):
            return []
        try:
            path = self._path(source.name, source.read()[0])
        except UserError:  # The image cannot be read, which is reported when it is opened.
            return []
        return [path] if path.name in names else []

    def _path(self, name: str, image: npt.NDArray[np.uint8]) -> pathlib.Path:
        stem, = file_names([name], _MAX_NAME)
        content = hashlib.blake2b(f'{name} {image.shape}'.encode(), digest_size=6)
        content.update(np.ascontiguousarray(image).data)
        return self.folder / f'{stem}-{content.hexdigest()}.json'


def _current(source: ImageSource) -> ClickObject | None:
    """The unfinished object of an image as if it were finished; None if there is none."""
    if source.session is None:
        return None
    mask = source.session.mask
    return ClickObject.of_mask('', mask, source.session.clicks) if mask.any() else None


def _to_coco(source: ImageSource, size: tuple[int, int]) -> dict[str, Any]:
    moment, current = source.moment, _current(source)
    assert moment is not None
    objects = [*moment.objects, *([] if current is None else [current])]
    instances = to_instances(objects, size)
    annotations = annotations_of(instances, image_id=1, first_id=1)
    for entry, each in zip(annotations, objects):
        entry.update(name=each.name, finished=each is not current, clicks=[
            [float(click.y), float(click.x), bool(click.positive)] for click in each.clicks])
    return {'images': [{'id': 1, 'file_name': source.name, 'height': size[0], 'width': size[1]}],
            'categories': [{'id': number + 1, 'name': name}
                           for number, name in enumerate(instances.class_names or ('object',))],
            'annotations': annotations}


def _from_coco(path: pathlib.Path) -> Moment:
    """What a file says.

    Raises:
        chainer_seg.errors.DatasetError: The file is damaged.
    """
    dataset = CocoDataset(path, None)
    instances = dataset.read_instances(0)
    objects: list[ClickObject] = []
    state = ClickState()
    for entry, mask in zip(dataset.annotations[0], instances.masks):
        clicks = _clicks_of(entry, mask.shape, path)
        if entry.get('finished', True):
            objects.append(ClickObject.of_mask(str(entry.get('name', '')), mask, clicks))
        else:
            state = ClickState(clicks, mask)
    return Moment(tuple(objects), state)


def _clicks_of(entry: Mapping[str, Any], size: Sequence[int], path: pathlib.Path) -> tuple[Click, ...]:
    try:
        clicks = tuple(Click(y, x, positive) for y, x, positive in entry.get('clicks', ()))
        check_clicks(clicks, size)
    except (TypeError, ValueError, UserError) as error:
        raise DatasetError(f'The clicks in {path} are damaged.') from error
    return clicks


def _set_aside(path: pathlib.Path) -> pathlib.Path:
    """Renames a file, so that it is not overwritten; returns its new path."""
    aside = path.with_suffix('.damaged')
    with contextlib.suppress(OSError):
        path.replace(aside)
        return aside
    return path


class RestoredNotice(ipywidgets.HBox):
    """A line that says which labels were restored, with a button to discard them.

    Args:
        text: The line; empty if there is nothing to say.
        discard: Discards the labels; None if there are none.
    """

    def __init__(self, text: str, discard: Callable[[], object] | None) -> None:
        line = status_line()
        line.value = html.escape(text)
        children: list[ipywidgets.Widget] = [line]
        if discard is not None:
            children.append(button('Discard', 'trash', 'Start without the restored objects', discard,
                                   '96px'))
        super().__init__(children, layout={'align_items': 'center', 'flex_flow': 'row wrap'})
        if not text:
            self.hide()

    def hide(self) -> None:
        """Removes the line from the screen."""
        self.layout.display = 'none'
