"""A dense CRF under the mouse: labels before and after it, and sliders for all of its parameters."""

import dataclasses
import pathlib
import threading

import ipywidgets
import numpy as np

from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import SemanticEvaluator
from chainer_seg.images import as_image, fit_within, resize
from chainer_seg.models.deeplab.dense_crf import (
    PRESETS, CrfParameters, find_parameters, semantic_crf)
from chainer_seg.visualization import overlay_labels
from chainer_seg.widgets.events import problem_sentence, row, status_html, told
from chainer_seg.widgets.mask_data import encode_jpeg
from chainer_seg.widgets.stills import StillPicture

_OWN = 'own'
# For each parameter its name for people, and the least and greatest value and the step of its slider.
_SLIDERS = {
    'smooth_weight': ('Smoothness: weight', 0, 20, 0.5),
    'smooth_xy': ('Smoothness: pixels', 0.5, 30, 0.5),
    'colour_weight': ('Like colours: weight', 0, 20, 0.5),
    'colour_xy': ('Like colours: pixels', 1, 150, 1),
    'colour_rgb': ('Like colours: levels', 1, 60, 1),
    'steps': ('Steps', 0, 20, 1),
}
_GAP = 6  # White pixels between the two pictures.


class CrfExplorer(StillPicture, ipywidgets.VBox):
    """An image with the classes that a DeepLab finds, before and after a dense CRF.

    The CRF is computed anew when a slider is let go of. A preset sets all of them.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes.
        model: A DeepLab, or the name or path of its model file.
        truth: (H, W) int, the true classes, -1 where they are not known; the mean IoU is told where
            it is given.
        preset: A name of :data:`chainer_seg.models.deeplab.dense_crf.PRESETS`, or the
            :class:`~chainer_seg.models.deeplab.dense_crf.CrfParameters` to begin with.
        longest_side: Larger images are shown shrunk to this many pixels.
        options: For ``model.probabilities``, such as ``scales`` and ``mirror``.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        before: (C, h, w) float32, the probabilities of the model in the image as the model sees it.
        after: (C, h, w) float32, those under the CRF.

    Raises:
        chainer_seg.errors.UserError: The image, the model, the truth or the parameters cannot be used.
    """

    def __init__(self, image, model='deeplab', truth=None, preset='deeplab', longest_side=360,
                 **options):
        if isinstance(model, (str, pathlib.Path)):
            from chainer_seg.model_file import load_model
            model = load_model(model)
        self.image = as_image(image)
        if truth is not None and np.shape(truth) != self.image.shape[:2]:
            raise DatasetError(f'The truth has the shape {np.shape(truth)}, but the image has '
                               f'{self.image.shape[:2]} pixels; give that of this image.')
        self._truth, self._longest_side = truth, longest_side
        self._names = tuple(model.class_names)
        # As large as the network sees it, for there the pixels of the parameters are counted.
        self._small = resize(self.image, fit_within(self.image.shape[:2], model.longest_side))
        self.before = model.probabilities(self._small, **options)
        self._lock = threading.Lock()
        self._showing = False
        self._make_controls()
        super().__init__([row([self._left, self._right]), self._status, self._controls])
        self.parameters = preset

    def _make_controls(self):
        self._left, self._right = (ipywidgets.Image(format='jpeg') for _ in range(2))
        self._status = ipywidgets.HTML()
        self._preset = ipywidgets.Dropdown(
            options=[*PRESETS, _OWN], description='Preset', style={'description_width': '140px'})
        self._preset.observe(self._follow(self._take_preset), 'value')
        self._sliders = {name: _slider(*about) for name, about in _SLIDERS.items()}
        for slider in self._sliders.values():
            slider.observe(self._follow(self._refine), 'value')
        self._controls = ipywidgets.VBox(
            [self._preset, *self._sliders.values()], layout={'max_width': '560px'})

    def _follow(self, action):
        """``action`` for events of the user, not for what code shows in a control."""
        return lambda _: None if self._showing else told(action)()

    @property
    def parameters(self):
        """The :class:`CrfParameters` of the sliders; they, or a preset's name, can be set."""
        return CrfParameters(**{name: slider.value for name, slider in self._sliders.items()})

    @parameters.setter
    def parameters(self, parameters):
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
        self._refine()

    @property
    def labels(self):
        """(H, W) int32: the class of each pixel of the image under the CRF."""
        return self._labels_of(self.after)

    @property
    def message(self):
        """What is written below the pictures, as plain text."""
        return self._message

    def snapshot(self):
        """Both pictures side by side, (h, w, 3) uint8 RGB."""
        pictures = [self._drawn(each) for each in (self.before, self.after)]
        gap = np.full((len(pictures[0]), _GAP, 3), 255, np.uint8)
        return np.concatenate([pictures[0], gap, pictures[1]], axis=1)

    def __repr__(self):
        height, width = self.image.shape[:2]
        return f'CrfExplorer({height}x{width} image, {self.parameters})'

    def _take_preset(self):
        if self._preset.value != _OWN:
            self.parameters = self._preset.value

    def _refine(self):
        """Computes the CRF with the parameters of the sliders, and shows what comes out."""
        with self._lock:
            try:
                self.after = semantic_crf(self._small, self.before, preset=self.parameters)
            except BaseException as problem:
                self._say(problem_sentence(problem, 'The CRF could not be computed'), is_error=True)
                raise
            self._show()

    def _show(self):
        known = [name for name, preset in PRESETS.items() if preset == self.parameters]
        self._showing = True
        try:
            self._preset.value = known[0] if known else _OWN
        finally:
            self._showing = False
        for widget, probabilities in ((self._left, self.before), (self._right, self.after)):
            widget.value = encode_jpeg(self._drawn(probabilities))
        changed = np.mean(self.before.argmax(axis=0) != self.after.argmax(axis=0))
        sentence = f'The CRF changes the class of {100 * changed:.1f} % of the pixels.'
        if self._truth is not None:
            ious = [100 * self._miou(each) for each in (self.before, self.after)]
            sentence += f' Mean IoU: {ious[0]:.1f} before, {ious[1]:.1f} after.'
        self._say(sentence)

    def _drawn(self, probabilities):
        """The classes over the image at the size at which it is shown."""
        size = fit_within(self.image.shape[:2], self._longest_side)
        return overlay_labels(resize(self.image, size), _classes(probabilities, size), self._names)

    def _labels_of(self, probabilities):
        return _classes(probabilities, self.image.shape[:2])

    def _miou(self, probabilities):
        evaluator = SemanticEvaluator(self._names or range(len(probabilities)))
        evaluator.add(self._truth, self._labels_of(probabilities))
        return evaluator.summary(per_class=False)['miou']

    def _say(self, message, is_error=False):
        self._message = message
        self._status.value = status_html(message, is_error)


def _slider(text, least, greatest, step):
    kind = ipywidgets.IntSlider if text == 'Steps' else ipywidgets.FloatSlider
    return kind(min=least, max=greatest, step=step, description=text, continuous_update=False,
                style={'description_width': '140px'}, layout={'width': 'auto'})


def _classes(probabilities, size):
    """The likeliest class of each pixel at another size, (H, W) int32."""
    return np.stack([resize(plane, size) for plane in probabilities]).argmax(axis=0).astype(np.int32)
