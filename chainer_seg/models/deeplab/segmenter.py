"""Click segmentation: an image and clicks in, the probability of the object out (arXiv 1603.04042)."""

import chainer
import numpy as np

from chainer_seg.functions import resize_bilinear
from chainer_seg.images import as_image, fit_within, resize
from chainer_seg.models.deeplab.clicks import Click, check_clicks, click_maps
from chainer_seg.models.deeplab.model import DeepLab, network_image


# A window is so many times as large as the object in it, and at least this part of the image: a
# single click must not lead to a window of a few pixels.
ZOOM_MARGIN = 1.6
LEAST_ZOOM = 1 / 12


class ClickSegmenter(chainer.Chain):
    """DeepLab with two more input channels, which say where the user clicked.

    Args:
        click_scale, click_mean: The encoding of the clicks, as :func:`click_maps` has it: 1 and 0
            in the paper, 6 and 131 in the TensorFlow implementation.
        longest_side: Images are shrunk until their longer side is at most this many pixels; the
            probability is brought back to the size of the image.
        zoom_side: From the second click on, the surroundings of what was found are looked at once
            more, scaled to this many pixels (zoom-in of f-BRS, arXiv 2001.10331, section 4); None
            leaves it at the first look.
        blocks, width, stride_on, padding, norm, pooling, pool_pad, stem_bias, pyramid, seed: As
            those of :class:`DeepLab`.

    ``forward`` takes (B, 5, H, W) float32 (blue, green, red minus their mean, positive and
    negative click map) and returns logits (B, 1, h, w) at an eighth of its size.
    """

    def __init__(self, click_scale=1.0, click_mean=0.0, longest_side=512, zoom_side=None,
                 blocks=(3, 4, 23, 3), width=64, stride_on='1x1', padding='zero', norm='batch',
                 pooling='ceil', pool_pad=1, stem_bias=False, pyramid=(6, 12, 18, 24), seed=0):
        self.config = {name: value for name, value in locals().items()
                       if name != 'self' and not name.startswith('__')}
        super().__init__()
        self.click_scale, self.click_mean = click_scale, click_mean
        self.longest_side, self.zoom_side = longest_side, zoom_side
        with self.init_scope():
            self.net = DeepLab(1, 5, blocks, width, stride_on, padding, norm, pooling, pool_pad,
                               stem_bias, pyramid, seed)

    def forward(self, x):
        return self.net(x)

    def prepare(self, image, clicks):
        """The network's input for one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            clicks: A sequence of :class:`Click`, in pixels of the image.

        Returns:
            (5, h, w) float32 on the CPU, shrunk as ``longest_side`` asks.
        """
        size = fit_within(image.shape[:2], self.longest_side)
        return np.concatenate([self._prepare_image(image, size),
                               self._prepare_clicks(clicks, image.shape[:2], size)])

    def decode(self, logits, size):
        """The probability (H, W) float32 of ``size`` = (H, W) from one image's logits (1, h, w)."""
        probability = chainer.functions.sigmoid(
            resize_bilinear(logits[None], size)).array[0, 0]
        return chainer.backends.cuda.to_cpu(probability)

    def segment(self, image, clicks):
        """Finds the object that the clicks mean.

        Args:
            image: Anything that :func:`chainer_seg.images.as_image` takes; mostly (H, W, 3) uint8.
            clicks: A sequence of :class:`Click`, in pixels of the image.

        Returns:
            (H, W) float32, the probability that a pixel belongs to the object; 0 everywhere where
            no click is positive.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image.
            chainer_seg.errors.ImageError: ``image`` is not a picture.
        """
        return self.session(image).add(*clicks)

    def session(self, image):
        """Starts a :class:`ClickSession` on an image, which is prepared once."""
        return ClickSession(self, as_image(image))

    def _prepare_image(self, image, size):
        return network_image(resize(image, size))

    def _prepare_clicks(self, clicks, image_size, size):
        # The centre of a pixel lies half a pixel in, in the image as in its shrunk copy.
        ratio_y, ratio_x = size[0] / image_size[0], size[1] / image_size[1]
        moved = [Click((click.y + 0.5) * ratio_y - 0.5, (click.x + 0.5) * ratio_x - 0.5,
                       click.positive) for click in clicks]
        return click_maps(moved, size, scale=self.click_scale, mean=self.click_mean)


class ClickSession:
    """The clicks on one object of one image, with undo and redo.

    Made by :meth:`ClickSegmenter.session`.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        clicks: The clicks that count now, as a tuple.
        probability: (H, W) float32 for these clicks.
    """

    def __init__(self, model, image):
        self.image = image
        self.clicks = ()
        self._model = model
        self._undone = ()
        self._size = fit_within(image.shape[:2], model.longest_side)
        self._prepared = model._prepare_image(image, self._size)
        self.probability = self._nothing()

    def add(self, *clicks):
        """Adds clicks and returns the new probability (H, W) float32.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image; nothing is changed.
        """
        check_clicks(clicks, self.image.shape[:2])
        return self._set(self.clicks + tuple(clicks), undone=())

    def undo(self):
        """Takes the last click back; returns the new probability."""
        if not self.clicks:
            return self.probability
        return self._set(self.clicks[:-1], self._undone + self.clicks[-1:])

    def redo(self):
        """Sets the click that was taken back last again; returns the new probability."""
        if not self._undone:
            return self.probability
        return self._set(self.clicks + self._undone[-1:], self._undone[:-1])

    def reset(self):
        """Forgets all clicks."""
        return self._set((), undone=())

    @property
    def mask(self):
        """(H, W) bool: where the object is more likely than not."""
        return self.probability > 0.5

    def _set(self, clicks, undone):
        self.probability = self._compute(clicks)
        self.clicks, self._undone = clicks, undone
        return self.probability

    def _compute(self, clicks):
        if not any(click.positive for click in clicks):
            return self._nothing()
        probability = self._look(self._prepared, clicks, self.image.shape[:2])
        if self._model.zoom_side is None or len(clicks) < 2:
            return probability
        return self._look_closer(probability, clicks)

    def _look(self, prepared, clicks, size):
        """The probability of ``size`` from a prepared image (3, h, w) and clicks in its pixels."""
        maps = self._model._prepare_clicks(clicks, size, prepared.shape[1:])
        x = np.concatenate([prepared, maps])[None]
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            logits = self._model.forward(self._model.device.send(x))
            return self._model.decode(logits[0], size)

    def _look_closer(self, probability, clicks):
        """The probability, computed anew in a window around what was found."""
        top, left, height, width = zoom_window(probability > 0.5, clicks)
        part = np.s_[top:top + height, left:left + width]
        scale = self._model.zoom_side / max(height, width)
        prepared = self._model._prepare_image(
            self.image[part], (max(8, round(height * scale)), max(8, round(width * scale))))
        moved = [Click(click.y - top, click.x - left, click.positive) for click in clicks]
        result = self._nothing()
        result[part] = self._look(prepared, moved, (height, width))
        return result

    def _nothing(self):
        return np.zeros(self.image.shape[:2], np.float32)


def zoom_window(mask, clicks):
    """Where to look closer: a square around the object, as far as the image reaches.

    Args:
        mask: (H, W) bool, what was found so far.
        clicks: Clicks in pixels of the mask; the positive ones belong to the object.

    Returns:
        (top, left, height, width) in whole pixels, inside the image.
    """
    size = np.array(mask.shape)
    points = [(click.y, click.x) for click in clicks if click.positive]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        points += [(rows[0], columns[0]), (rows[-1] + 1, columns[-1] + 1)]
    first, last = np.min(points, axis=0), np.max(points, axis=0)
    side = ZOOM_MARGIN * max(*(last - first), LEAST_ZOOM * size.max())
    window = np.clip(np.round(side), 1, size).astype(int)
    corner = np.clip(np.round((first + last - window) / 2), 0, size - window).astype(int)
    return (*corner.tolist(), *window.tolist())
