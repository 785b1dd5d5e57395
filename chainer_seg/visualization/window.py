"""A window with the latest image, such as the last frame of a video."""

from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.errors import UserError


class Window:
    """A window on the screen.

    Raises:
        chainer_seg.errors.UserError: There is no display.
    """

    def __init__(self) -> None:
        from matplotlib import pyplot
        self._pyplot = pyplot
        self._image: Any = None
        figure = pyplot.figure()
        if figure.canvas.required_interactive_framework is None:
            raise UserError('There is no display to show images on; omit --show.')
        self._axes = figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()

    def show(self, image: npt.NDArray[np.uint8]) -> None:
        """Shows an image, (H, W, 3) uint8 RGB."""
        if self._image is None or self._image.get_array().shape != image.shape:
            self._axes.clear()
            self._axes.set_axis_off()
            self._image = self._axes.imshow(image)
        self._image.set_data(image)
        self._pyplot.pause(0.001)

    def wait(self) -> None:
        """Waits until a key or a button is pressed."""
        self._pyplot.waitforbuttonpress()
