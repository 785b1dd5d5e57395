"""The page that ``chainer-seg demo`` serves: objects of an uploaded image, by clicks and by a detector.

It takes no paths: uploads are read from memory, and what can be downloaded is written to a temporary folder.
"""

import functools
import io
import pathlib
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets import PlainShapesDataset
from chainer_seg.engines import compile
from chainer_seg.errors import ImageError, UserError
from chainer_seg.files import file_names
from chainer_seg.images import decode_image, fit_within, header_sizes, resize
from chainer_seg.model_file import load_model, read_description
from chainer_seg.models.detector import InstanceDetector
from chainer_seg.registry import model_class
from chainer_seg.widgets.click_segmenter import ClickSegmenter
from chainer_seg.widgets.detection_explorer import DetectionExplorer
from chainer_seg.widgets.events import button, error_message, row, status_html, status_line
from chainer_seg.widgets.file_link import file_link
from chainer_seg.zoo import SHIPPED, cached_model, published_models, shipped_path

MAX_BYTES = 20_000_000  # of an uploaded file
MAX_PIXELS = 64_000_000  # of its image, before it is decoded
LONGEST_SIDE = 2048  # pixels; larger images are shrunk
MAX_IMAGES = 20  # that a page keeps

_NOTE = (f'Images of up to {MAX_BYTES // 10**6} MB and {MAX_PIXELS // 10**6} megapixels; nothing is kept '
         f'when the page is closed.')
_SHAPES = 'The detectors that come with the package know six plain shapes only.'


class DemoPage(ipywidgets.VBox):
    """An upload, the click segmenter and a detector."""

    def __init__(self) -> None:
        shapes, _ = PlainShapesDataset(length=20, seed=11, size=(288, 384))[3]
        self._image = shapes
        self._downloads = tempfile.TemporaryDirectory()
        self._upload = ipywidgets.FileUpload(accept='image/*', description='Upload an image',
                                             layout={'width': '180px'})
        self._upload.observe(self._receive, 'value')
        self._status = status_line()
        self._link = ipywidgets.Box()
        self.segmenter = ClickSegmenter({'shapes': shapes}, autosave=False, files=False)
        self._menu = ipywidgets.Dropdown(options=find_detectors(), description='Detector')
        self._menu.observe(lambda _: self._guarded(self._detect), 'value')
        self.explorer = DetectionExplorer(shapes, _detector(self._menu.value), score_threshold=0.5)
        download = button('Masks and COCO JSON', 'download', 'Offer the objects of all images as a ZIP file',
                          lambda: self._guarded(self._offer), '190px')
        clicks = ipywidgets.VBox([self.segmenter, row([download, self._link])])
        detections = ipywidgets.VBox([row([self._menu, ipywidgets.HTML(_SHAPES)]), self.explorer])
        tabs = ipywidgets.Tab([clicks, detections], titles=('Click', 'Detect'))
        super().__init__([row([self._upload, ipywidgets.HTML(_NOTE)]), self._status, tabs])
        self.add_class('chainer-seg-demo')

    @property
    def message(self) -> str:
        """The HTML of the status line."""
        return self._status.value

    def _receive(self, change: Mapping[str, Any]) -> None:
        for file in change['new']:
            self._upload.value = ()  # so that the same file can be uploaded again
            self._guarded(lambda file=file: self._open(file['name'], file['content']))  # type: ignore[misc]

    def _open(self, name: str, content: bytes | memoryview) -> None:
        """Shows an uploaded image on both tabs."""
        if len(self.segmenter.names) >= MAX_IMAGES:
            raise UserError(f'This page keeps at most {MAX_IMAGES} images; reload it to start again.')
        name = pathlib.Path(*file_names([name])).stem
        image = read_upload(name, content)
        shown = resize(image, fit_within((image.shape[0], image.shape[1]), LONGEST_SIDE))
        self.segmenter.add_images({name: shown})
        self._image = shown
        self._detect()
        if shown.shape != image.shape:
            self._say(f'{name} was shrunk from {image.shape[1]}x{image.shape[0]} to '
                      f'{shown.shape[1]}x{shown.shape[0]} pixels, and so are its masks.')

    def _detect(self) -> None:
        self.explorer.show(self._image, _detector(self._menu.value).detect(self._image))

    def _offer(self) -> None:
        """Shows a link to the objects of all images."""
        folder = pathlib.Path(self._downloads.name, 'labels')
        # The folder may also hold masks of objects that have been deleted since.
        masks = self.segmenter.save_png(folder)
        annotations = self.segmenter.save_coco(folder, overwrite=True)
        packed = pathlib.Path(self._downloads.name, 'labels.zip')
        with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
            for path in [annotations, *masks]:
                archive.write(path, path.relative_to(folder))
        self._link.children = (file_link(packed),)

    def _guarded(self, action: Callable[[], None]) -> None:
        """Runs an action of the visitor and shows its error in the status line."""
        self._say('Computing ...')
        try:
            action()
        except Exception as problem:
            self._say(error_message(problem, 'This failed'), is_error=True)
        else:
            if 'Computing' in self.message:
                self._say('')

    def _say(self, message: str, is_error: bool = False) -> None:
        self._status.value = status_html(message, is_error)


def read_upload(name: str, content: bytes | memoryview) -> npt.NDArray[np.uint8]:
    """The image (H, W, 3) uint8 RGB of an uploaded file.

    Raises:
        chainer_seg.errors.ImageError: It is no image, damaged, or beyond the limits of the page.
    """
    if len(content) > MAX_BYTES:
        raise ImageError(f'The file {name} has {len(content) / 1e6:.0f} MB, but this page takes at most '
                         f'{MAX_BYTES // 10**6} MB; shrink the image first.')
    (height, width), _ = header_sizes(io.BytesIO(content), name)
    if height * width > MAX_PIXELS:
        raise ImageError(f'The image {name} claims {width}x{height} pixels, but this page takes at most '
                         f'{MAX_PIXELS // 10**6} megapixels; shrink it first.')
    return decode_image(content, name)


@functools.lru_cache(maxsize=2)
def _detector(path: str) -> Any:
    return compile(load_model(path))


def find_detectors() -> dict[str, str]:
    """The shipped detectors and the published ones that were downloaded: ``{name: path}``."""
    paths = {**{name: shipped_path(name) for name in SHIPPED},
             **{name: cached_model(name) for name in published_models()}}
    found = {name: path for name, path in paths.items() if path is not None and path.is_file()}
    return {name: str(path) for name, path in found.items()
            if issubclass(model_class(read_description(path)['class']) or object, InstanceDetector)}
