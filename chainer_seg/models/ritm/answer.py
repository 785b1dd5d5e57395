"""What part of an image the network saw, at which size, and what it found there."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from chainer_seg.functions.resize_bilinear import resize_array
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.ritm.zoom_in import Box, ZoomIn, box_size, scaled, whole


@dataclasses.dataclass(frozen=True)
class View:
    """A part of an image, scaled once or twice for the network.

    Attributes:
        image_size: (H, W) in pixels.
        box: The part.
        sizes: Its (height, width) after each scaling; the last one is that of the network's input.
    """

    image_size: tuple[int, int]
    box: Box
    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, image_size: tuple[int, int], box: Box | None = None, zoom: ZoomIn | None = None,
           longest_side: int | None = None) -> 'View':
        """The view of a box.

        Args:
            image_size: (H, W) in pixels.
            box: The part; None for the whole image.
            zoom: Says to which size the part is scaled; None for its own.
            longest_side: Maximum longer side in pixels, to which a larger part is then resized; None for no
                limit.
        """
        part = whole(image_size) if box is None else box
        sizes = [box_size(part) if zoom is None else zoom.crop_size(part)]
        if longest_side is not None and max(sizes[0]) > longest_side:
            sizes.append(scaled(sizes[0], longest_side))
        return cls(image_size, part, tuple(sizes))

    def crop(self, image: np.ndarray) -> np.ndarray:
        """The part of an image (..., H, W) float32 as the network sees it."""
        first_row, last_row, first_column, last_column = self.box
        image = image[..., first_row:last_row + 1, first_column:last_column + 1]
        for size in self.sizes:
            image = resize_array(image, size)
        return image

    def moved(self, clicks: Sequence[Click]) -> list[Click]:
        """Clicks in pixels of the image, in pixels of the network's input.

        They are scaled as lengths are, without the half pixel from the corner of a pixel to its centre;
        so the published networks were trained.
        """
        origin, lengths = (self.box[0], self.box[2]), box_size(self.box)
        for size in self.sizes:
            clicks = [dataclasses.replace(click, y=size[0] * (click.y - origin[0]) / lengths[0],
                                          x=size[1] * (click.x - origin[1]) / lengths[1])
                      for click in clicks]
            origin, lengths = (0, 0), size
        return list(clicks)

    def pasted(self, probability: np.ndarray) -> np.ndarray:
        """A probability of the network's size brought back to the image, with zeros around the part."""
        for size in (*self.sizes[-2::-1], box_size(self.box)):
            probability = resize_array(probability, size)
        result = np.zeros(self.image_size, np.float32)
        result[self.box[0]:self.box[1] + 1, self.box[2]:self.box[3] + 1] = probability
        return result


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What the network found for clicks.

    Attributes:
        logits: (1, h, w) float32.
        view: The :class:`View` that they are of.
        box: The box that was zoomed in on; None if the whole image was shown as it is.
        adjustment: (2, C) float64, the scales and shifts of the features that f-BRS found; None without it.
    """

    logits: np.ndarray
    view: View
    box: Box | None
    adjustment: np.ndarray | None = None
