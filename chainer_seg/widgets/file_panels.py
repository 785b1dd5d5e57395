"""The panels of a click segmenter to save labels and to open masks, COCO files and images."""

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets

from chainer_seg.errors import shortened
from chainer_seg.files import file_names
from chainer_seg.widgets.events import button, row, without_errors
from chainer_seg.widgets.label_files import FolderNotEmptyError

if TYPE_CHECKING:
    from chainer_seg.widgets.click_segmenter import ClickSegmenter


class SavePanel(ipywidgets.VBox):
    """A folder, buttons to save to it, and a choice of what to do with labels that are there.

    Args:
        segmenter: The widget whose methods the buttons call.
        folder: Initial text of the folder field.
    """

    def __init__(self, segmenter: 'ClickSegmenter', folder: str | os.PathLike) -> None:
        self._segmenter = segmenter
        self._folder = ipywidgets.Text(str(folder), description='Folder', layout={'width': 'auto'},
                                       style={'description_width': '76px'})
        self._folder.observe(lambda _: self._ask(False), 'value')
        buttons = row([
            button('COCO JSON', 'download', 'Save all images and their objects as COCO JSON',
                   self._save_coco, '120px'),
            button('Masks (PNG)', 'download', 'Save a black-and-white mask of each object',
                   segmenter.save_png, '120px')], justify_content='flex-end')
        self._question = ipywidgets.HTML()
        self._choice = ipywidgets.VBox([self._question, row([
            button('Add', 'plus', 'Keep the labels that are there and add these',
                   self._answer(segmenter.add_to_coco)),
            button('Replace', 'refresh', 'Replace the labels that are there by these',
                   self._answer(lambda: segmenter.save_coco(overwrite=True)), '96px', button_style='warning'),
            button('Cancel', 'ban', 'Save nothing', lambda: self._ask(False))],
            justify_content='flex-end')])
        super().__init__([self._folder, buttons, self._choice])
        self._ask(False)

    @property
    def folder(self) -> str:
        """The text of the folder field."""
        return self._folder.value.strip() or '.'

    def _save_coco(self) -> None:
        self._ask(False)
        try:
            self._segmenter.save_coco()
        except FolderNotEmptyError:
            self._ask(True)
            self._segmenter.say(f'{shortened(self.folder)} is not empty: add to its labels, replace them, or '
                                f'change the folder.')

    def _answer(self, save: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            self._ask(False)
            save()

        return run

    def _ask(self, asked: bool) -> None:
        self._question.value = 'The folder is not empty.' if asked else ''
        self._choice.layout.display = None if asked else 'none'


class OpenPanel(ipywidgets.VBox):
    """A field for the path of a mask or COCO file, and buttons to upload one, or an image.

    Args:
        segmenter: The widget whose methods the buttons call.
    """

    def __init__(self, segmenter: 'ClickSegmenter') -> None:
        self._segmenter = segmenter
        path = ipywidgets.Text(placeholder='path of a mask or COCO file',
                               layout={'flex': '1 1 0', 'min_width': '0'})
        self._number = ipywidgets.Text(placeholder='object', layout={'width': '64px'},
                                       tooltip='Number of the object, for a mask of several objects')
        load = button('Load', 'folder-open', 'Start the object from this mask, or add the objects of this '
                      'COCO file', segmenter.by_hand(lambda: self._load(path.value.strip())), '84px')
        uploads = row([
            _upload('Labels', 'Open a mask or a COCO file on your computer', 'image/*,.json',
                    segmenter.by_hand(self._receive)),
            _upload('Image', 'Add an image from your computer', 'image/*',
                    without_errors(lambda name, content: segmenter.add_images(
                        {pathlib.Path(*file_names([name])).stem: content})))],
            justify_content='flex-end')
        super().__init__([row([path, self._number, load]), uploads])

    def _load(self, path: str) -> None:
        if path.lower().endswith('.json'):
            self._segmenter.open_coco(path)
        else:
            self._load_mask(path)

    def _receive(self, name: str, content: bytes) -> None:
        if name.lower().endswith('.json'):
            self._segmenter.open_coco(bytes(content))
        else:
            self._load_mask(content)

    def _load_mask(self, mask: Any) -> None:
        text = self._number.value.strip()
        # The reader rejects anything else with an error that lists the valid numbers.
        chosen: Any = int(text) if text.isdecimal() and len(text) < 10 else text or None
        self._segmenter.load_mask(mask, chosen)


def _upload(text: str, tooltip: str, accept: str,
            use: Callable[[str, bytes], object]) -> ipywidgets.FileUpload:
    """A button to upload a file; ``use(name, content)`` gets its bytes."""
    upload = ipywidgets.FileUpload(accept=accept, description=text, tooltip=tooltip,
                                   layout={'width': '120px'})

    def receive(change: Mapping[str, Any]) -> None:
        for file in change['new']:
            upload.value = ()  # so that the same file can be uploaded again
            use(file['name'], file['content'])

    upload.observe(receive, 'value')
    return upload
