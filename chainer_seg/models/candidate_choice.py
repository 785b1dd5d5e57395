"""Which candidate, or which combination of several, the clicks on an object ask for."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.deeplab.clicks import Click, pixel_of

# A click that a candidate contradicts costs as much as a score that is e^3 times lower.
_DISAGREEMENT = 3.0
_LEAST_SCORE = 1e-3

# A candidate that is cut away shares less than this with the object: it must not be the object itself.
_MOST_CUT = 0.5
# Where no candidate helps, a disc around the click changes, a little larger than the region that the click
# lies in the middle of reaches.
_DISC = 1.2
_LEAST_RADIUS = 2.0  # pixels
_FIRST_RADIUS = 0.1  # of the image's shorter side, where there is nothing yet
_REACH = 256  # pixels; the disc reaches no farther


def compose(candidates: CandidateMasks, clicks: Sequence[Click],
            start: np.ndarray | None = None) -> np.ndarray:
    """The object that agrees with all clicks.

    The object begins as the candidate that contradicts the fewest clicks, has a high score, and in whose
    middle the first click lies. Then each click that it contradicts, in their order, adds or cuts away
    another candidate, or, where none agrees with the other clicks, a disc.

    Args:
        candidates: The candidates of the image.
        clicks: In pixels of the image.
        start: (H, W) bool, what the object begins as instead; None for the best candidate.

    Returns:
        (H, W) bool.
    """
    pixels = [pixel_of(click) for click in clicks]
    positive = np.array([click.positive for click in clicks])
    contained = np.array([candidates.contain(*pixel) for pixel in pixels]).reshape(len(clicks), -1)
    if start is None:
        mask = _best(candidates, contained, positive, pixels)
    else:
        mask = start.copy()
    for number, pixel in enumerate(pixels):
        if mask[pixel] == positive[number]:
            continue
        others = positive != positive[number]
        usable = contained[number] & ~contained[others].any(axis=0)
        shared = candidates.overlaps(mask)
        if not positive[number]:
            usable &= shared < _MOST_CUT * np.count_nonzero(mask)
        if usable.any():
            value = np.where(usable, _value(candidates, pixel), -np.inf)
            np.copyto(mask, positive[number], where=candidates.mask(int(value.argmax())))
        _correct_around(mask, pixel, [pixels[other] for other in np.flatnonzero(others)], positive[number])
    for pixel, sign in zip(pixels, positive):  # a disc of a later click may have covered an earlier one
        mask[pixel] = sign
    return mask


def _best(candidates: CandidateMasks, contained: np.ndarray, positive: np.ndarray,
          pixels: Sequence[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """(H, W) bool, the candidate that the object begins as; empty if none contains its first click."""
    first = int(positive.argmax())
    if not positive.any() or not contained[first].any():
        return np.zeros(candidates.runs.size, bool)
    disagreements = (contained != positive[:, None]).sum(axis=0)
    value = _value(candidates, pixels[first]) - _DISAGREEMENT * disagreements
    return candidates.mask(int(np.where(contained[first], value, -np.inf).argmax()))


def _value(candidates: CandidateMasks, pixel: Sequence[int] | np.ndarray) -> np.ndarray:
    """(N,) how well candidates fit a click in their middle: log of the score, less the distance^2 / area."""
    away = ((candidates.centers - pixel) ** 2).sum(axis=1) / candidates.areas
    return np.log(np.maximum(candidates.scores, _LEAST_SCORE)) - away


def _correct_around(mask: np.ndarray, pixel: tuple[int, int], opposite: Sequence[tuple[int, int]],
                    wanted: bool) -> None:
    """Sets a disc around ``pixel`` to ``wanted``, unless it is so; ``opposite`` clicks limit the disc."""
    if mask[pixel] == wanted:
        return
    near = tuple(slice(max(0, place - _REACH), place + _REACH + 1) for place in pixel)
    wrong = (mask[near] != wanted).astype(np.uint8)
    y, x = (place - side.start for place, side in zip(pixel, near))
    if wrong.all():
        radius = _FIRST_RADIUS * min(mask.shape)
    else:
        depth = cv2.distanceTransform(wrong, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[y, x]
        radius = max(_DISC * depth, _LEAST_RADIUS)
    if opposite:
        radius = min(radius, np.hypot(*(np.array(opposite) - pixel).T).min() / 2)
    rows, columns = np.ogrid[:wrong.shape[0], :wrong.shape[1]]
    mask[near][(rows - y) ** 2 + (columns - x) ** 2 <= radius ** 2] = wanted
