"""Decides whether numbers in a mask can be objects, which form areas, not the thin lines of blurred edges."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.stored_pixels import places_of

NEAR = 32  # Levels this close to black or white may be either, changed by JPEG.
_EDGE = 7  # maximum width in pixels of an edge that JPEG has blurred
_PIECES = 30  # maximum mean pieces of an object; COCO's objects have 2, the levels of photographs 80
_MANY = 16  # Up to this many numbers are not compared with those of a photograph.


def share(values: npt.NDArray[np.bool_]) -> float:
    """The fraction of True values; 0 of an empty array."""
    return float(values.mean()) if values.size else 0.0


def is_blurred(levels: npt.NDArray[np.integer]) -> bool:
    """Whether grey levels (H, W) are black and white, with other greys only in thin lines between them."""
    brightest = levels.max()
    if brightest > 255:
        levels = levels.astype(np.int64) * 255 // brightest
    white, between = levels >= 255 - NEAR, (levels > NEAR) & (levels < 255 - NEAR)
    if levels.min() < 0 or not white.any() or not (levels[between] >= 64).any():
        return False
    return (share(_in_squares(levels)[between]) < 0.5 and share(between) <= 0.3
            and white.sum() >= between.sum() / 2)


def is_black_and_white(levels: npt.NDArray[np.integer]) -> bool:
    """Whether levels (H, W) from a JPEG were black and white: no other grey covers an area."""
    between = ((levels > NEAR) & (levels < 255 - NEAR)).astype(np.uint8)
    widest = cv2.erode(between, np.ones((_EDGE, _EDGE), np.uint8), borderValue=0)
    return bool((levels > 128).any()) and share(between > 0) <= 0.3 and not widest.any()


def blurred_color(palette: npt.NDArray[np.uint8], counts: npt.NDArray[np.integer],
                  main: int) -> npt.NDArray[np.bool_] | None:
    """Which colours are closer to the main one than to black, if all are between these two.

    Args:
        palette: (K, 3), the colours of a mask.
        counts: (K,), the numbers of their pixels.
        main: The index of the main colour.

    Returns:
        (K,) bool; None if other colours cover more than a few pixels, or little is black.
    """
    colors = palette.astype(np.float64)
    # The position of a colour on the line from black to the main one, and its distance from the line.
    along = colors @ colors[main] / max(colors[main] @ colors[main], 1)
    aside = np.abs(colors - along[:, None] * colors[main]).max(axis=1)
    shares = counts / counts.sum()
    if (shares[aside > NEAR].sum() > 0.005 or along.max() > 1.5 or shares[along < 0.2].sum() < 0.01
            or shares[(along > 0.2) & (along < 0.8)].sum() > 0.3):
        return None
    return along > 0.5


def are_objects(numbers: npt.NDArray[np.integer], found: npt.NDArray[np.integer]) -> bool:
    """Whether the numbers ``found`` (K,) in (H, W) can be those of objects.

    They can if most of them form areas of a few pieces each, and if many numbers do not change gradually
    as the levels of a photograph do.
    """
    if len(found) < 3:
        return True
    thin = thin_numbers(numbers, found)
    if thin.sum() > max(4, 2 * (~thin).sum()):
        return False
    marked = places_of(found, numbers) >= 0
    if _pieces(numbers, marked) > _PIECES * len(found):
        return False
    if len(found) <= _MANY:
        return True
    steps = []
    for before, after in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        edges = (numbers[before] != numbers[after]) & marked[before] & marked[after]
        steps.append(np.abs(numbers[before][edges].astype(np.int64) - numbers[after][edges]))
    every = np.concatenate(steps)
    # A photograph without noise has as many edges, and nearly all between neighbouring levels.
    return len(every) < marked.sum() / 50 or share(every <= 3) < 0.8


def thin_numbers(numbers: npt.NDArray[np.integer], found: npt.NDArray[np.integer]
                 ) -> npt.NDArray[np.bool_]:
    """(K,) bool: the numbers of which most pixels are not in any square of 2x2 pixels of that number.

    Args:
        numbers: (H, W).
        found: (K,), ascending.
    """
    places = places_of(found, numbers)
    marked = places >= 0
    total = np.bincount(places[marked], minlength=len(found))
    in_squares = np.bincount(places[marked & _in_squares(numbers)], minlength=len(found))
    return 2 * in_squares < total


def _pieces(numbers: npt.NDArray[np.integer], marked: npt.NDArray[np.bool_]) -> int:
    """The number of connected pieces of equal numbers in (H, W), minus the number of their holes.

    This is the Euler characteristic: pixels, minus pairs of equal neighbours, plus squares of four.
    """
    across = (numbers[:, 1:] == numbers[:, :-1]) & marked[:, 1:]
    down = (numbers[1:] == numbers[:-1]) & marked[1:]
    squares = across[1:] & across[:-1] & down[:, 1:] & down[:, :-1]
    return int(marked.sum()) - int(across.sum()) - int(down.sum()) + int(squares.sum())


def _in_squares(numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """(H, W) bool: the pixels in squares of 2x2 pixels of one number."""
    alike = numbers[:, :-1] == numbers[:, 1:]
    alike = alike[:-1] & alike[1:] & (numbers[:-1, :-1] == numbers[1:, :-1])
    found = np.zeros(numbers.shape, bool)
    for rows in (np.s_[:-1], np.s_[1:]):
        for columns in (np.s_[:-1], np.s_[1:]):
            found[rows, columns] |= alike
    return found
