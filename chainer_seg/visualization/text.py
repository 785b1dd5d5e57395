"""Lines of text as small pictures."""

import functools
import itertools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from chainer_seg.visualization.colors import is_light
from chainer_seg.visualization.fonts import USUAL, split_by_font


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
    parts = [(part, _font(path, height)) for part, path in split_by_font(text)]
    starts = list(itertools.accumulate((font.getlength(part) for part, font in parts), initial=0))
    boxes = [font.getbbox(part) for part, font in parts] or [(0, 0, 0, 0)]
    left, right = boxes[0][0], starts[-2 if parts else 0] + boxes[-1][2]
    ascent, descent = np.max([font.getmetrics() for _, font in parts]
                             or [_font(USUAL, height).getmetrics()], axis=0).tolist()
    margin = max(1, height // 8)
    patch = Image.new('RGB', (math.ceil(right - left) + 2 * margin + 1, ascent + descent), color)
    for (part, font), start in zip(parts, starts):
        ImageDraw.Draw(patch).text((margin - left + start, ascent), part, font=font, anchor='ls',
                                   fill='black' if is_light(color) else 'white')
    return np.asarray(patch)


def text_height(picture):
    """Letters that can be read on small pictures and do not look lost on large ones, in pixels."""
    return int(np.clip(max(picture.shape[:2]) / 45, 9, 32))


def paste(picture, patch, top, left):
    """Lays a patch (h, w, 3) over the picture (H, W, 3), in place, as far as it fits."""
    target = picture[top:top + patch.shape[0], left:left + patch.shape[1]]
    target[:] = patch[:target.shape[0], :target.shape[1]]


@functools.lru_cache(64)
def _font(path, height):
    return ImageFont.truetype(path, height)
