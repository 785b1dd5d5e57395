"""Lines of text as small pictures, in the font that comes with matplotlib."""

import functools
import pathlib

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from chainer_seg.colors import is_light


@functools.lru_cache(2048)
def text_patch(text, height, color):
    """A line of text on a ground of ``color``, black or white by what can be read on it.

    Args:
        text: What is written.
        height: Of the letters, in pixels.
        color: RGB on 0..255, a tuple.

    Returns:
        (h, w, 3) uint8; do not change it.
    """
    font = _font(height)
    left, _, right, _ = font.getbbox(text)
    ascent, descent = font.getmetrics()
    margin = max(1, height // 8)
    patch = Image.new('RGB', (right - left + 2 * margin + 1, ascent + descent), color)
    ImageDraw.Draw(patch).text((margin - left, 0), text, font=font,
                               fill='black' if is_light(color) else 'white')
    return np.asarray(patch)


def text_height(picture):
    """Letters that can be read on small pictures and do not look lost on large ones, in pixels."""
    return int(np.clip(max(picture.shape[:2]) / 45, 9, 32))


def paste(picture, patch, top, left):
    """Lays a patch (h, w, 3) over the picture (H, W, 3), in place, as far as it fits."""
    target = picture[top:top + patch.shape[0], left:left + patch.shape[1]]
    target[:] = patch[:target.shape[0], :target.shape[1]]


@functools.lru_cache(16)
def _font(height):
    folder = pathlib.Path(matplotlib.get_data_path(), 'fonts', 'ttf')
    return ImageFont.truetype(folder / 'DejaVuSans.ttf', height)
