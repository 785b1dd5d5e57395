"""An endless, seeded, synthetic data set: people with masks, boxes and COCO's 17 keypoints."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Example
from chainer_seg.datasets.synthetic.base import SyntheticDataset
from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_SKELETON
from chainer_seg.datasets.synthetic.people import Body, BodyPart, random_body
from chainer_seg.datasets.synthetic.rasterise import rasterise
from chainer_seg.datasets.synthetic.scene import CLUTTER, Scene, lit
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
from chainer_seg.datasets.synthetic.textures import paint_texture, random_colour, value_noise
from chainer_seg.errors import DatasetError

_CLUTTER_SHAPES = tuple(name for name in OUTLINES if name != 'figure')  # which has no keypoints
_PERSON = 0
_SMALLEST_HEIGHT = 14  # pixels: smaller drawings are no longer recognisable people
_UNSEEN, _HIDDEN, _VISIBLE = 0, 1, 2  # COCO's visibility of a keypoint


class FiguresDataset(SyntheticDataset):
    """Synthetic images of people among shapes, with the masks of their visible parts and keypoints.

    ``dataset[i]`` depends only on the arguments and i, so that any number of processes may read it
    in any order. The people are jointed bodies in random poses, seen from any side, often truncated
    by the border or partly hidden by each other and by shapes, which are not annotated.

    A keypoint is (y, x, visibility) of its pixel. The visibility is COCO's: 2 if it is visible, 1 if
    the same body, another person or a shape hides it, and 0, with y = x = 0, outside the image and for
    all keypoints of a crowd.

    Args:
        length: Number of images; images do not depend on it.
        seed: Another seed gives other images.
        size: (height, width) in pixels.
        people: Minimum and maximum number of people drawn in an image.
        heights: Minimum and maximum height of a standing person as a fraction of
            the image's shorter side; heights are distributed log-uniformly.
        clutter: Maximum number of shapes in front of, behind and between people.
        crowd_probability: Fraction of images that also contain a group of many small people,
            annotated as one crowd region.

    Attributes:
        class_names: ('person',).
        keypoint_names: The names of the 17 keypoints.
        skeleton: Pairs of keypoints that are connected by a line.

    Raises:
        chainer_seg.errors.DatasetError: An argument is out of range.
    """

    class_names = ('person',)
    keypoint_names, skeleton = PERSON_KEYPOINTS, PERSON_SKELETON

    def __init__(self, length: int = 1000, seed: int = 0, size: tuple[int, int] = (256, 256),
                 people: tuple[int, int] = (1, 4), heights: tuple[float, float] = (0.25, 1.4),
                 clutter: int = 3, crowd_probability: float = 0.04) -> None:
        super().__init__(length, seed, size)
        self.people, self.heights, self.clutter = tuple(people), tuple(heights), int(clutter)
        self.crowd_probability = crowd_probability
        if not 1 <= self.people[0] <= self.people[1]:
            raise DatasetError(
                f'people must be (minimum, maximum) with 1 <= minimum <= maximum, got {people}.')
        if not 0 < self.heights[0] <= self.heights[1]:
            raise DatasetError(
                f'heights must be (minimum, maximum) with 0 < minimum <= maximum, got {heights}.')
        if self.clutter < 0:
            raise DatasetError(f'clutter must be at least 0, got {self.clutter}.')

    def _draw(self, rng: np.random.Generator) -> Example:
        scene = Scene(rng, *self.size)
        painter = _PeoplePainter(scene)
        if rng.random() < self.crowd_probability:
            painter.add_crowd()
        heights = self._draw_heights(rng)
        is_clutter = rng.permutation(
            np.arange(len(heights) + rng.integers(self.clutter + 1)) >= len(heights))
        rest = iter(heights)
        for clutters in is_clutter:
            if clutters:
                diameter = max(min(self.size) * rng.uniform(0.08, 0.4), 6)
                scene.add_shape(str(rng.choice(_CLUTTER_SHAPES)), CLUTTER, diameter)
            else:
                painter.add_person(next(rest))
        return scene.finish(self.class_names, painter.finished_keypoints())

    def _draw_heights(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Heights in pixels of the people from far to near; small ones tend to be far."""
        low, high = np.log(self.heights)
        count = rng.integers(self.people[0], self.people[1] + 1)
        heights = rng.uniform(low, high, count)
        order = np.argsort(heights + rng.normal(0, 0.3, count))
        return np.maximum(np.exp(heights[order]) * min(self.size), _SMALLEST_HEIGHT)


class _PeoplePainter:
    """Paints people into a scene and records their keypoints."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.rng = scene, scene.rng
        self._keypoints: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]] = {}

    def add_person(self, height: float) -> None:
        """Paint one person of this height in pixels at a random place."""
        scene, rng = self.scene, self.rng
        place = rng.uniform((0.08, 0.25), (0.92, 0.9)) * [scene.width, scene.height]
        owner = scene.register(_PERSON)
        self._keypoints[owner] = self._paint(random_body(rng), place, height, owner)

    def add_crowd(self) -> None:
        """Paint a group of small people who share one annotation."""
        scene, rng = self.scene, self.rng
        middle = rng.uniform((0.2, 0.3), (0.8, 0.7)) * [scene.width, scene.height]
        height = max(min(self.scene.height, self.scene.width) * rng.uniform(0.12, 0.22),
                     _SMALLEST_HEIGHT)
        owner = scene.register(_PERSON, is_crowd=True)
        places = middle + rng.normal(0, height, (rng.integers(8, 20), 2)) * [1.5, 0.25]
        for place in places[np.argsort(places[:, 1])]:
            self._paint(random_body(rng), place, height * rng.uniform(0.85, 1.15), owner)

    def finished_keypoints(self) -> npt.NDArray[np.float32]:
        """(objects, 17, 3) float32, the keypoints of all objects of the scene with COCO's visibility."""
        scene = self.scene
        points = np.zeros((len(scene.labels), len(PERSON_KEYPOINTS), 3), np.float32)
        for owner, (pixels, is_hidden) in self._keypoints.items():
            inside = np.all((pixels >= 0) & (pixels < scene.owner.shape), axis=1)
            rows, columns = np.where(inside[:, None], pixels, 0).T
            seen = ~is_hidden & (scene.owner[rows, columns] == owner)
            points[owner, :, 2] = np.where(inside, np.where(seen, _VISIBLE, _HIDDEN), _UNSEEN)
            points[owner, inside, :2] = pixels[inside]
        return points

    def _paint(self, body: Body, place: npt.NDArray, height: float,
               owner: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Paints a body; returns the pixels (17, 2) of its keypoints and which of them it hides itself."""
        scene = self.scene
        pixels = np.floor(body.keypoints[:, 1::-1] * height + place[::-1]).astype(int)
        is_hidden = np.zeros(len(pixels), bool)
        contours = [part.contour * height + place for part in body.parts]
        window = scene.window([contours])
        if window[0] >= window[2] or window[1] >= window[3]:
            return pixels, is_hidden
        coverage, _ = rasterise([[contour] for contour in contours], window)
        scene.cast_shadow(coverage, window, height / 3)
        wardrobe = _Wardrobe(self.rng, window, height)
        for part, contour in zip(body.parts, contours):
            window = scene.window([[contour]])
            if window[0] >= window[2] or window[1] >= window[3]:
                continue
            coverage, _ = rasterise([[contour]], window)
            surface = wardrobe.surface(part.garment, window)
            if part.garment not in ('eye', 'shade'):
                surface = lit(self.rng, surface, coverage, scene.light, 0.06 * height)
            scene.lay(surface, coverage, window, owner)
            is_hidden |= _hides(part, coverage, window, pixels, body.keypoints[:, 2])
        return pixels, is_hidden


class _Wardrobe:
    """The surfaces of one person's skin, hair and clothes."""

    def __init__(self, rng: np.random.Generator, window: tuple[int, int, int, int], height: float) -> None:
        self._top, self._left, bottom, right = window
        shape = bottom - self._top, right - self._left
        skin = _skin_colour(rng)
        self._surfaces = {
            'skin': _nearly_plain(rng, shape, skin, height), 'shade': _plain(shape, skin * 0.72),
            'eye': _plain(shape, random_colour(rng) * 0.25),
            'hair': _nearly_plain(rng, shape, random_colour(rng) * 0.6, height)}
        for garment in ('shirt', 'trousers', 'shoe'):
            scale = max(3.0, height * np.exp(rng.uniform(-3.5, -1.5)))
            self._surfaces[garment] = (
                paint_texture(rng, *shape, scale) if rng.random() < 0.7
                else _nearly_plain(rng, shape, random_colour(rng), height))

    def surface(self, garment: str, window: tuple[int, int, int, int]) -> npt.NDArray:
        """(h, w, 3) float32 for a window inside that of the person."""
        top, left, bottom, right = window
        whole = self._surfaces[garment]
        return np.ascontiguousarray(
            whole[top - self._top:bottom - self._top, left - self._left:right - self._left])


def _skin_colour(rng: np.random.Generator) -> npt.NDArray:
    light, dark = np.array([245, 205, 175]), np.array([70, 42, 28])
    share = rng.random()
    return np.clip(light * (1 - share) + dark * share + rng.normal(0, 8, 3), 5, 255)


def _plain(shape: tuple[int, int], colour: npt.ArrayLike) -> npt.NDArray:
    return np.broadcast_to(np.asarray(colour, np.float32), (*shape, 3))


def _nearly_plain(rng: np.random.Generator, shape: tuple[int, int], colour: npt.NDArray,
                  height: float) -> npt.NDArray:
    noise = value_noise(rng, *shape, max(2.0, 0.1 * height), 3)
    return cv2.merge([noise * np.float32(0.3 * c) + np.float32(0.85 * c) for c in colour])


def _hides(part: BodyPart, coverage: npt.NDArray, window: tuple[int, int, int, int],
           pixels: npt.NDArray[np.int64], nearness: npt.NDArray) -> npt.NDArray[np.bool_]:
    """(17,) bool: the keypoints that this part of their own body hides."""
    top, left, bottom, right = window
    inside = np.all((pixels >= (top, left)) & (pixels < (bottom, right)), axis=1)
    rows, columns = np.where(inside[:, None], pixels - (top, left), 0).T
    behind = nearness < part.nearness - part.flesh
    own = np.isin(PERSON_KEYPOINTS, part.joints)
    return inside & behind & ~own & (coverage[rows, columns] >= 0.5)
