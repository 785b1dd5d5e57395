"""How large widgets show images, and how much of their detail is sent to the browser."""

from chainer_seg.images import fit_within

SMALLEST_SIDE = 480  # pixels; smaller images are enlarged, so that they can be seen and clicked
_SENT_SIDE = 1280  # pixels; more than is shown, so that zooming in shows more detail


def shown_size(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    """The (height, width) at which an image is shown.

    The longer side has at least :data:`SMALLEST_SIDE` pixels, and at most ``longest_side``.
    """
    scale = min(longest_side, max(SMALLEST_SIDE, *size)) / max(size)
    height, width = size
    return max(1, round(height * scale)), max(1, round(width * scale))


def sent_size(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    """The (height, width) at which an image is sent; never more than it has."""
    return fit_within(size, max(_SENT_SIDE, longest_side))
