"""Whether the numbers in a mask may be objects: in areas, not in the thin lines of a blurred edge."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.stored_pixels import places_of

NEAR = 32  # Levels this near to black or white can be either, disturbed by JPEG.
_EDGE = 7  # pixels that an edge which JPEG has blurred may be wide
_PIECES = 30  # an object may lie in; those of COCO's images lie in 2, the levels of photographs in 80
_MANY = 16  # Numbers up to here are not compared with a photograph's.


def share(values: npt.NDArray[np.bool_]) -> float:
    """The share of True among values; 0 of none."""
    return float(values.mean()) if values.size else 0.0


def is_blurred(levels: npt.NDArray[np.integer]) -> bool:
    """Whether grey levels (H, W) are black and white with thin lines of other greys between them."""
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
    """Which colours are nearer to the main one than to black, if they lie between these two.

    Args:
        palette: (K, 3), the colours of a mask.
        counts: (K,), of their pixels.
        main: The number of the main colour.

    Returns:
        (K,) bool; None where other colours cover more than a few pixels, or little is black.
    """
    colors = palette.astype(np.float64)
    # How far a colour is on the way from black to the main one, and how far off the way.
    along = colors @ colors[main] / max(colors[main] @ colors[main], 1)
    aside = np.abs(colors - along[:, None] * colors[main]).max(axis=1)
    shares = counts / counts.sum()
    if (shares[aside > NEAR].sum() > 0.005 or along.max() > 1.5 or shares[along < 0.2].sum() < 0.01
            or shares[(along > 0.2) & (along < 0.8)].sum() > 0.3):
        return None
    return along > 0.5


def are_objects(numbers: npt.NDArray[np.integer], found: npt.NDArray[np.integer]) -> bool:
    """Whether the numbers ``found`` (K,) in (H, W) may be those of objects.

    They may if most of them lie in areas, and these in a few pieces each, and if, where they are many,
    they do not run into each other as the levels of a photograph do.
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
    """(K,) bool: of which numbers most pixels are in no square of 2x2 pixels of that number.

    Args:
        numbers: (H, W).
        found: (K,), ascending.
    """
    places = places_of(found, numbers)
    marked = places >= 0
    total = np.bincount(places[marked], minlength=len(found))
    in_squares = np.bincount(places[marked & _in_squares(numbers)], minlength=len(found))
    return 2 * in_squares < total


def _pieces(numbers, marked):
    """The number of connected pieces of one number in (H, W), less that of the holes in them.

    This is Euler's characteristic: pixels, less pairs of neighbours of one number, and squares of four.
    """
    across = (numbers[:, 1:] == numbers[:, :-1]) & marked[:, 1:]
    down = (numbers[1:] == numbers[:-1]) & marked[1:]
    squares = across[1:] & across[:-1] & down[:, 1:] & down[:, :-1]
    return int(marked.sum()) - int(across.sum()) - int(down.sum()) + int(squares.sum())


def _in_squares(numbers):
    """(H, W) bool: which pixels lie in 2x2 pixels of one number."""
    alike = numbers[:, :-1] == numbers[:, 1:]
    alike = alike[:-1] & alike[1:] & (numbers[:-1, :-1] == numbers[1:, :-1])
    found = np.zeros(numbers.shape, bool)
    for rows in (np.s_[:-1], np.s_[1:]):
        for columns in (np.s_[:-1], np.s_[1:]):
            found[rows, columns] |= alike
    return found
