"""Lines of text as small images."""

import functools
import itertools
import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from chainer_seg.colors import is_light
from chainer_seg.visualization.fonts import USUAL, split_by_font


@functools.lru_cache(2048)
def text_patch(text: str, height: int, color: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """A line of text on a background of ``color``, in black or white, whichever is easier to read.

    Args:
        text: The text.
        height: Font size in pixels.
        color: RGB from 0 to 255, a tuple.

    Returns:
        (h, w, 3) uint8; cached, so it must not be modified.
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


def text_height(canvas: npt.NDArray[np.uint8]) -> int:
    """A font size in pixels that suits the size of an image: from 9 to 32."""
    return int(np.clip(max(canvas.shape[:2]) / 45, 9, 32))


def paste(canvas: npt.NDArray[np.uint8], patch: npt.NDArray[np.uint8], top: int, left: int) -> None:
    """Pastes a patch (h, w, 3) into the canvas (H, W, 3), in place, cropped where it does not fit."""
    target = canvas[top:top + patch.shape[0], left:left + patch.shape[1]]
    target[:] = patch[:target.shape[0], :target.shape[1]]


@functools.lru_cache(64)
def _font(path: str, height: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, height)
