"""An interactive dense CRF: labels before and after it, and sliders for all of its parameters."""

import dataclasses
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import SemanticEvaluator
from chainer_seg.images import ImageLike, as_image, fit_within, resize
from chainer_seg.models.deeplab.dense_crf import (
    PRESETS, CrfParameters, find_parameters, semantic_crf)
from chainer_seg.visualization import overlay_labels
from chainer_seg.widgets.cell_progress import Progress, cell_progress, followed
from chainer_seg.widgets.events import error_message, status_html, status_line, without_errors
from chainer_seg.widgets.linked_images import LinkedImages
from chainer_seg.widgets.mask_data import encode_jpeg
from chainer_seg.widgets.notebook_cell import NotebookBox
from chainer_seg.widgets.sizes import sent_size, shown_size

if TYPE_CHECKING:
    from chainer_seg.models.deeplab import DeepLab

_CUSTOM = 'custom'
# Label, minimum, maximum and step of the slider of each parameter.
_SLIDERS: dict[str, tuple[str, float, float, float]] = {
    'smooth_weight': ('Smoothness: weight', 0, 20, 0.5),
    'smooth_xy': ('Smoothness: sigma xy (px)', 0.5, 30, 0.5),
    'colour_weight': ('Appearance: weight', 0, 20, 0.5),
    'colour_xy': ('Appearance: sigma xy (px)', 1, 150, 1),
    'colour_rgb': ('Appearance: sigma RGB', 1, 60, 1),
    'steps': ('Iterations', 0, 20, 1),
}
_LABELS = {'description_width': '220px'}
_GAP = 6  # White pixels between the two images.


class CrfExplorer(NotebookBox):
    """An image with the classes predicted by a DeepLab, before and after a dense CRF.

    The CRF is recomputed when a slider is released. A preset sets all sliders. Zoom and pan move both images.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts.
        model: A DeepLab, or the name or path of its model file.
        truth: (H, W) int, the ground-truth classes, -1 where unknown; if given, the mean IoU is
            reported.
        preset: A name of :data:`chainer_seg.models.deeplab.dense_crf.PRESETS`, or the initial
            :class:`~chainer_seg.models.deeplab.dense_crf.CrfParameters`.
        longest_side: Maximum longer side of a displayed image in pixels; images below 480 are enlarged.
        options: Passed to ``model.probabilities``, such as ``scales`` and ``mirror``.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        before: (C, h, w) float32, the probabilities of the model at the size of the network's input.
        after: (C, h, w) float32, those after the CRF.

    Raises:
        chainer_seg.errors.UserError: The image, the model, the truth or the parameters cannot be used.
    """

    def __init__(self, image: ImageLike, model: 'DeepLab | str | os.PathLike' = 'deeplab',
                 truth: npt.NDArray[np.integer] | None = None, preset: str | CrfParameters = 'deeplab',
                 longest_side: int = 480, **options: Any) -> None:
        if isinstance(model, (str, os.PathLike)):
            from chainer_seg.engines import compile
            from chainer_seg.model_file import load_model
            deeplab: DeepLab = compile(load_model(model))
        else:
            deeplab = model
        self.image = as_image(image)
        if truth is not None and np.shape(truth) != self.image.shape[:2]:
            raise DatasetError(f'The ground truth has shape {np.shape(truth)}, but the image has '
                               f'{self.image.shape[:2]} pixels; pass the ground truth of this image.')
        self._truth, self._longest_side = truth, longest_side
        self._names = tuple(deeplab.class_names)
        # At the size of the network's input, in whose pixels the parameters are measured.
        self._small = resize(self.image, fit_within(self.image.shape[:2], deeplab.longest_side))
        self._lock = threading.Lock()
        self._showing = False
        self._make_controls()
        self._set_sliders(preset)
        with cell_progress('Computing the classes and the CRF') as progress:
            self.before = deeplab.probabilities(self._small, **options)
            self._refine(progress)
        super().__init__([self._images, self._status, self._controls])

    def _make_controls(self) -> None:
        self._images = LinkedImages(
            names=['before the CRF', 'after the CRF'],
            shown_size=shown_size(self.image.shape[:2], self._longest_side))
        self._status = status_line()
        self._preset = ipywidgets.Dropdown(
            options=[*PRESETS, _CUSTOM], description='Preset', style=_LABELS)
        self._preset.observe(self._follow(self._take_preset), 'value')
        self._sliders = {name: _slider(*about) for name, about in _SLIDERS.items()}
        for slider in self._sliders.values():
            slider.observe(self._follow(self._refine), 'value')
        self._controls = ipywidgets.VBox(
            [self._preset, *self._sliders.values()], layout={'max_width': '560px'})

    def _follow(self, action: Callable[[], object]) -> Callable[[Any], object]:
        """A handler that calls ``action`` for changes by the user, not for those made by code."""
        return lambda _: None if self._showing else without_errors(action)()

    @property
    def parameters(self) -> CrfParameters:
        """The parameters set by the sliders; can be set to parameters or to the name of a preset."""
        return CrfParameters(**{name: slider.value for name, slider in self._sliders.items()})

    @parameters.setter
    def parameters(self, parameters: CrfParameters | str) -> None:
        self._set_sliders(parameters)
        self._refine()

    def _set_sliders(self, parameters: CrfParameters | str) -> None:
        values = dataclasses.asdict(find_parameters(parameters))
        self._showing = True
        try:
            for name, value in values.items():
                slider = self._sliders[name]
                slider.max = max(slider.max, value)
                slider.min = min(slider.min, value)
                slider.value = value
        finally:
            self._showing = False

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(H, W) int32: the class of each pixel of the image after the CRF."""
        return self._labels_of(self.after)

    @property
    def message(self) -> str:
        """The status line below the images, as plain text."""
        return self._message

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """Both images side by side, (h, w, 3) uint8 RGB."""
        left, right = (self._drawn(each, self._images.shown_size) for each in (self.before, self.after))
        gap = np.full((len(left), _GAP, 3), 255, np.uint8)
        return np.concatenate([left, gap, right], axis=1)

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f'CrfExplorer({height}x{width} image, {self.parameters})'

    def _take_preset(self) -> None:
        if self._preset.value != _CUSTOM:
            self.parameters = self._preset.value

    def _refine(self, progress: Progress | None = None) -> None:
        """Computes the CRF with the parameters of the sliders and shows the result."""
        progress = progress or followed(lambda bar: self._status.set_trait('value', bar), 'Computing the CRF')
        with self._lock:
            try:
                self.after = semantic_crf(self._small, self.before, preset=self.parameters, progress=progress)
            except BaseException as problem:
                self._say(error_message(problem, 'Computing the CRF failed'), is_error=True)
                raise
            self._show()

    def _show(self) -> None:
        known = [name for name, preset in PRESETS.items() if preset == self.parameters]
        self._showing = True
        try:
            self._preset.value = known[0] if known else _CUSTOM
        finally:
            self._showing = False
        # Small images are drawn enlarged, so that the legend is sharp.
        size = max(sent_size(self.image.shape[:2], self._longest_side), self._images.shown_size)
        self._images.images = [encode_jpeg(self._drawn(each, size)) for each in (self.before, self.after)]
        changed = np.mean(self.before.argmax(axis=0) != self.after.argmax(axis=0))
        sentence = f'The CRF changes the class of {100 * changed:.1f} % of the pixels.'
        if self._truth is not None:
            ious = [100 * self._miou(each) for each in (self.before, self.after)]
            sentence += f' Mean IoU: {ious[0]:.1f} before, {ious[1]:.1f} after.'
        self._say(sentence)

    def _drawn(self, probabilities: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The classes over the image, at a size."""
        return overlay_labels(resize(self.image, size), _classes(probabilities, size), self._names)

    def _labels_of(self, probabilities: np.ndarray) -> npt.NDArray[np.int32]:
        return _classes(probabilities, self.image.shape[:2])

    def _miou(self, probabilities: np.ndarray) -> float:
        assert self._truth is not None  # asked for only with a ground truth
        evaluator = SemanticEvaluator(self._names or [str(label) for label in range(len(probabilities))])
        evaluator.add(self._truth, self._labels_of(probabilities))
        return evaluator.summary(per_class=False)['miou']

    def _say(self, message: str, is_error: bool = False) -> None:
        self._message = message
        self._status.value = status_html(message, is_error)
        self.update_saved_view()


def _slider(text: str, minimum: float, maximum: float, step: float) -> Any:
    kind = ipywidgets.IntSlider if text == 'Iterations' else ipywidgets.FloatSlider
    return kind(min=minimum, max=maximum, step=step, description=text, continuous_update=False,
                style=_LABELS, layout={'width': 'auto'})


def _classes(probabilities: np.ndarray, size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """The most probable class of each pixel at another size, (H, W) int32."""
    return np.stack([resize(plane, size) for plane in probabilities]).argmax(axis=0).astype(np.int32)
