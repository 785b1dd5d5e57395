"""Colours that colour-blind viewers can distinguish: the palette of Okabe and Ito (2008)."""

import numpy as np
import numpy.typing as npt

# Orange, sky blue, bluish green, yellow, blue, vermilion, reddish purple; black is omitted, since it
# would hide the object below it.
PALETTE = np.array([(230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
                    (0, 114, 178), (213, 94, 0), (204, 121, 167)], np.uint8)

POSITIVE = (0, 158, 115)
NEGATIVE = (213, 94, 0)

# Each further pass through the palette is mixed with white (> 0) or black (< 0) by these fractions.
_ROUNDS = np.array([0.0, 0.45, -0.4, 0.7, -0.65])


def instance_colors(count: int) -> npt.NDArray[np.uint8]:
    """A colour for each of ``count`` objects.

    The first seven are the palette itself; further ones are lighter and darker versions. The first 35
    colours are all different.

    Returns:
        (count, 3) uint8 RGB.
    """
    numbers = np.arange(count)
    base = PALETTE[numbers % len(PALETTE)].astype(np.float64)
    share = _ROUNDS[numbers // len(PALETTE) % len(_ROUNDS)][:, None]
    goal = np.where(share > 0, 255.0, 0.0)
    return np.round(base + (goal - base) * np.abs(share)).astype(np.uint8)


def is_light(color: npt.ArrayLike) -> bool:
    """Whether black text on ``color`` (RGB from 0 to 255) is easier to read than white text."""
    # Luma weights of Rec. 601.
    return float(np.dot(color, (0.299, 0.587, 0.114))) > 140
