"""Classical click segmentation to compare with; both have sessions as a click model has."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.errors import UserError
from chainer_seg.images import as_image, fit_within, resize
from chainer_seg.models.deeplab.clicks import Click, check_clicks
from chainer_seg.models.deeplab.crop import click_discs


class GrabCut:
    """Colour models and graph cuts in turn, as OpenCV has them.

    Rother, Kolmogorov, Blake: "GrabCut - Interactive Foreground Extraction using Iterated Graph
    Cuts" (SIGGRAPH 2004). A disc around each click is given; the rim of the image is background
    where no click says otherwise. The first colours of the object are those around the positive clicks.

    Args:
        longest_side: Images are shrunk to this many pixels.
        iterations: Rounds of colour models and cuts for each click.
        seed_radius: Of the discs, as a fraction of the image's longer side.
        first_radius: How far around a positive click the first colours are taken from, likewise.
    """

    def __init__(self, longest_side: int = 320, iterations: int = 2, seed_radius: float = 0.008,
                 first_radius: float = 0.1) -> None:
        self.longest_side, self.iterations = longest_side, iterations
        self.seed_radius, self.first_radius = seed_radius, first_radius

    def session(self, image: npt.NDArray) -> 'BaselineSession':
        """A :class:`BaselineSession` on an image."""
        return BaselineSession(self, image)

    def segment(self, image: npt.NDArray[np.uint8], positive: npt.NDArray[np.bool_],
                negative: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """The object (h, w) bool for given pixels; see :class:`BaselineSession`."""
        near = _near(positive, self.first_radius * max(positive.shape))
        labels = np.where(near, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        labels[_rim(labels.shape) | negative] = cv2.GC_BGD
        labels[positive] = cv2.GC_FGD
        if positive.any() and not positive.all():  # otherwise there are no two colour models
            cv2.setRNGSeed(0)  # The colour models begin with a random clustering.
            models = np.zeros((1, 65)), np.zeros((1, 65))
            cv2.grabCut(np.ascontiguousarray(image[:, :, ::-1]), labels, (0, 0, 0, 0), *models,
                        self.iterations, cv2.GC_INIT_WITH_MASK)
        return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


class RandomWalker:
    """Where a random walk that avoids edges meets a positive click first, as scikit-image has it.

    Grady: "Random Walks for Image Segmentation" (IEEE TPAMI 28(11), 2006). A disc around each click
    is given; the rim of the image is background where no click says otherwise.

    Args:
        longest_side: Images are shrunk to this many pixels.
        beta: How much the walk avoids edges.
        seed_radius: Of the discs, as a fraction of the image's longer side.

    Raises:
        chainer_seg.errors.UserError: scikit-image is not installed.
    """

    def __init__(self, longest_side: int = 320, beta: float = 1000, seed_radius: float = 0.008) -> None:
        try:
            from skimage.segmentation import random_walker
        except ImportError as error:
            raise UserError('The random walker needs scikit-image; install it with '
                            'pip install "chainer-seg[notebook]".') from error
        self._walk = random_walker
        self.longest_side, self.beta, self.seed_radius = longest_side, beta, seed_radius

    def session(self, image: npt.NDArray) -> 'BaselineSession':
        """A :class:`BaselineSession` on an image."""
        return BaselineSession(self, image)

    def segment(self, image: npt.NDArray[np.uint8], positive: npt.NDArray[np.bool_],
                negative: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """The object (h, w) bool for given pixels; see :class:`BaselineSession`."""
        labels = np.where(_rim(positive.shape) | negative, 2, 0)
        labels[positive] = 1
        if np.ptp(image) == 0 or not all((labels == label).any() for label in (0, 1, 2)):
            return labels == 1  # There is nothing to decide, or nothing to decide it by.
        return self._walk(image / 255, labels, beta=self.beta, mode='bf', channel_axis=-1) == 1


BASELINES = {'grabcut': GrabCut, 'randomwalker': RandomWalker}


class BaselineSession:
    """The clicks on one object of one image.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        clicks: The clicks so far, a tuple of :class:`chainer_seg.models.deeplab.Click`.
        mask: (H, W) bool, the object.

    Each click calls ``method.segment(image, positive, negative)`` with the image (h, w, 3) shrunk and
    the discs around the clicks (h, w) bool; it returns the object, (h, w) bool.
    """

    def __init__(self, method: GrabCut | RandomWalker, image: npt.NDArray) -> None:
        self.image = as_image(image)
        self.clicks: tuple[Click, ...] = ()
        self.mask = np.zeros(self.image.shape[:2], bool)
        self._method = method
        height, width = self.image.shape[:2]
        self._small = resize(self.image, fit_within((height, width), method.longest_side))

    def reset(self) -> None:
        """Removes all clicks."""
        self.clicks, self.mask = (), np.zeros_like(self.mask)

    def add(self, *clicks: Click) -> None:
        """Adds clicks and segments the object again.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image; nothing is changed.
        """
        height, width = self.image.shape[:2]
        check_clicks(clicks, (height, width))
        self.clicks += clicks
        positive, negative = click_discs(
            self.clicks, (height, width), self._method.seed_radius * max(height, width),
            size=self._small.shape[:2])
        found = self._method.segment(self._small, positive, negative)
        self.mask = resize(found.astype(np.float32), (height, width)) > 0.5


def _rim(size: Sequence[int]) -> npt.NDArray[np.bool_]:
    """(H, W) bool: the outermost pixels of an image."""
    rim = np.ones(size, bool)
    rim[1:-1, 1:-1] = False
    return rim


def _near(places: npt.NDArray[np.bool_], distance: float) -> npt.NDArray[np.bool_]:
    """(H, W) bool: what is no farther than ``distance`` from a True of ``places``."""
    if not places.any():
        return places
    away = cv2.distanceTransform((~places).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return away <= distance
