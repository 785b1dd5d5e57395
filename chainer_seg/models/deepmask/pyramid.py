"""The image pyramid of full-scene inference (arXiv 1506.06204, section 3.2), read in pieces."""

import logging
from collections.abc import Sequence
from types import ModuleType

import numpy as np
from chainer import backend

from chainer_seg.arrays import Array
from chainer_seg.errors import UserError
from chainer_seg.models.deepmask.defaults import EXPONENT_STEP, FIRST_EXPONENT, LAST_EXPONENT
from chainer_seg.models.deepmask.trunk import PADDING_VALUE, STRIDE, normalise

log = logging.getLogger(__name__)

# The "zoom" setting of the papers' tables adds this scale, for small objects.
ZOOM_SCALE = 2.0


def pyramid_scales(first: float = FIRST_EXPONENT, last: float = LAST_EXPONENT,
                   step: float = EXPONENT_STEP) -> tuple[float, ...]:
    """The scales 2 ** first, 2 ** (first + step), ... up to 2 ** last as a tuple.

    Raises:
        chainer_seg.errors.UserError: A scale is invalid.
    """
    if not step > 0 or not last >= first:
        raise UserError(f'A pyramid from 2^{first:g} to 2^{last:g} in steps of {step:g} has no level; '
                        f'step must be positive, and last at least first.')
    # As in Lua, a last exponent that is missed only by rounding is included.
    count = int((last - first) / step + 1e-9) + 1
    return tuple(2.0 ** (first + step * number) for number in range(count))


class PyramidLevel:
    """An image at one scale with a grey border: the input of the network.

    The image is resized bilinearly with aligned corners, without smoothing (Torch's
    ``SpatialReSamplingEx``). The border is half a window wide, so that the first window is centred on
    the corner of the image.

    Args:
        image: (H, W, 3) uint8 RGB, NumPy's or CuPy's.
        scale: The resized side is floor(scale * side + 0.5).
        window: Side of a window in pixels.

    Attributes:
        size: (height, width) of the resized image.
        padded: (height, width) with the border.
        positions: (rows, columns) of windows, at stride 16.
    """

    def __init__(self, image: Array, scale: float, window: int) -> None:
        self.image, self.scale, self.window = image, scale, window
        self.size = level_size(image.shape[:2], scale)
        border = 2 * (window // 2)
        self.padded = self.size[0] + border, self.size[1] + border
        rows, columns = self.cells
        self.positions = rows - window // STRIDE + 1, columns - window // STRIDE + 1

    @property
    def cells(self) -> tuple[int, int]:
        """(rows, columns) of the trunk's last stage."""
        return -(-self.padded[0] // STRIDE), -(-self.padded[1] // STRIDE)

    def read(self, rows: tuple[int, int] | None = None, columns: tuple[int, int] | None = None) -> Array:
        """A piece of the padded level.

        Args:
            rows, columns: (first, end) in pixels of the padded level; all by default.

        Returns:
            (3, height, width) float32, normalised.
        """
        rows, columns = rows or (0, self.padded[0]), columns or (0, self.padded[1])
        xp = backend.get_array_module(self.image)
        piece = xp.full((3, rows[1] - rows[0], columns[1] - columns[0]), PADDING_VALUE, np.float32)
        top, bottom = self._inside(rows, 0)
        left, right = self._inside(columns, 1)
        if bottom > top and right > left:
            wide = _resample(xp, self.image, self.size[0], (top, bottom))
            small = _resample(xp, wide.transpose(1, 0, 2), self.size[1], (left, right))
            border = self.window // 2
            part = np.s_[:, top + border - rows[0]:bottom + border - rows[0],
                         left + border - columns[0]:right + border - columns[0]]
            piece[part] = small.transpose(2, 1, 0) / np.float32(255)
        return normalise(piece)

    def _inside(self, span: tuple[int, int], axis: int) -> tuple[int, int]:
        """The part of a span of the padded level that shows the image, in pixels of the image there."""
        border = self.window // 2
        first, end = (int(np.clip(place - border, 0, self.size[axis])) for place in span)
        return first, end


def level_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) of an image of ``size`` at a scale."""
    return int(np.floor(scale * size[0] + 0.5)), int(np.floor(scale * size[1] + 0.5))


def build_pyramid(image: np.ndarray, scales: Sequence[float], window: int) -> list[PyramidLevel]:
    """The levels of an image (H, W, 3) uint8 at ``scales``; those without a pixel are omitted.

    Raises:
        chainer_seg.errors.UserError: A scale is not positive, or no level has a pixel.
    """
    if not all(np.isfinite(scale) and scale > 0 for scale in scales):
        raise UserError(f'Scales must be positive, got {_listing(scales)}.')
    kept = [scale for scale in scales if min(level_size(image.shape[:2], scale)) > 0]
    if not kept:
        raise UserError(f'An image of {image.shape[0]}x{image.shape[1]} pixels has no pixels at '
                        f'the scales {_listing(scales)}; use larger scales.')
    if len(kept) < len(scales):
        log.debug('an image of %dx%d pixels has no pixels at %d of %d scales', *image.shape[:2],
                  len(scales) - len(kept), len(scales))
    return [PyramidLevel(image, scale, window) for scale in kept]


def _resample(xp: ModuleType, x: Array, length: int, span: tuple[int, int]) -> Array:
    """Samples span[0] to span[1] of the first axis of (n, m, 3), resized to ``length``, as float32."""
    ratio = (len(x) - 1) / max(length - 1, 1)
    place = np.arange(*span) * ratio
    below = np.minimum(place.astype(int), max(len(x) - 2, 0))
    part = xp.asarray((place - below).astype(np.float32))[:, None, None]
    above = xp.asarray(np.minimum(below + 1, len(x) - 1))
    below = xp.asarray(below)
    result = x[above].astype(np.float32)
    result *= part
    lower = x[below].astype(np.float32)
    lower *= 1 - part
    result += lower
    return result


def _listing(scales: Sequence[float]) -> str:
    return ', '.join(f'{scale:g}' for scale in scales) or '()'
