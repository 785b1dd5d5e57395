"""Random augmentation of images and their objects, as in SSD (arXiv 1512.02325, section 2.2).

Colours are shifted, and the image is placed on a larger canvas, cropped and mirrored with its masks and
boxes.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.boxes import box_iou, clip_boxes
from chainer_seg.instances import Instances
from chainer_seg.models.yolact.settings import Augmentation


# As published, and none.
STANDARD = Augmentation()
NO_AUGMENTATION = Augmentation(photometric=False, expand=False, crop=False, mirror=False)

# Minimum overlap of some object with the crop, chosen at random; None for no crop.
CROP_OVERLAPS = (None, 0.1, 0.3, 0.7, 0.9, 0.0)
CROP_RATIOS = (0.5, 2)  # of height to width
CROP_TRIES = 50


def augment(image: np.ndarray, instances: Instances, rng: np.random.Generator,
            settings: Augmentation = STANDARD) -> tuple[np.ndarray, Instances]:
    """Augments an image and its objects.

    Args:
        image: (H, W, 3) uint8 RGB.
        instances: Its :class:`chainer_seg.instances.Instances`.
        rng: A ``numpy.random.Generator``.
        settings: The :class:`Augmentation`.

    Returns:
        The new image, of another size after expanding or cropping, and its Instances without those whose
        centre is outside the crop.
    """
    if settings.photometric:
        image = shift_colours(image, rng, settings)
    if settings.expand and rng.random() < 0.5:
        image, instances = expand(image, instances, rng, settings)
    if settings.crop:
        image, instances = crop_part(image, instances, rng, settings)
    if settings.mirror and rng.random() < 0.5:
        image, instances = mirror(image, instances)
    return image, instances


def shift_colours(image: np.ndarray, rng: np.random.Generator,
                  settings: Augmentation = STANDARD) -> np.ndarray:
    """Shifts each of brightness, contrast, saturation and hue in half of the images."""
    image = image.astype(np.float32)
    if rng.random() < 0.5:
        image += np.float32(rng.uniform(-settings.brightness, settings.brightness))
    contrast = rng.uniform(*settings.contrast) if rng.random() < 0.5 else 1
    contrast_first = rng.random() < 0.5
    if contrast_first:
        image *= np.float32(contrast)
    image = _shift_hues(np.clip(image, 0, 255), rng, settings)
    if not contrast_first:
        image *= np.float32(contrast)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def expand(image: np.ndarray, instances: Instances, rng: np.random.Generator,
           settings: Augmentation = STANDARD) -> tuple[np.ndarray, Instances]:
    """Places the image at random on a larger canvas."""
    height, width = image.shape[:2]
    ratio = rng.uniform(1, settings.largest_canvas)
    tall, wide = int(height * ratio), int(width * ratio)
    top, left = int(rng.uniform(0, tall - height)), int(rng.uniform(0, wide - width))
    rows, columns = slice(top, top + height), slice(left, left + width)
    canvas = np.empty((tall, wide, 3), np.uint8)
    canvas[...] = np.round(settings.canvas_colour)
    canvas[rows, columns] = image
    masks = np.zeros((len(instances), tall, wide), bool)
    masks[:, rows, columns] = instances.masks
    return canvas, _changed(instances, masks, instances.bboxes + np.array([top, left] * 2, 'f'))


def crop_part(image: np.ndarray, instances: Instances, rng: np.random.Generator,
              settings: Augmentation = STANDARD) -> tuple[np.ndarray, Instances]:
    """Crops a part that overlaps some object enough, or returns the image unchanged."""
    least = CROP_OVERLAPS[rng.integers(len(CROP_OVERLAPS))]
    if least is None or not len(instances):
        return image, instances
    crops = _random_crops(image.shape[:2], rng, settings.least_crop)
    shown = _centres_inside(crops, instances.bboxes) & ~instances.crowds
    fits = shown.any(axis=1) & (box_iou(crops, instances.bboxes).max(axis=1) >= least)
    if not fits.any():
        return image, instances
    return cut(image, instances, crops[fits.argmax()])


def cut(image: np.ndarray, instances: Instances, window: np.ndarray) -> tuple[np.ndarray, Instances]:
    """Crops an image, with the objects whose centre is inside.

    Args:
        image: (H, W, 3) uint8.
        instances: Its :class:`chainer_seg.instances.Instances`.
        window: (y_min, x_min, y_max, x_max), whole numbers.
    """
    kept = instances[np.flatnonzero(_centres_inside(window[None], instances.bboxes)[0])]
    top, left, bottom, right = (int(edge) for edge in window)
    size = (bottom - top, right - left)
    bboxes = clip_boxes(kept.bboxes - np.array([top, left, top, left], np.float32), size)
    return (image[top:bottom, left:right],
            _changed(kept, kept.masks[:, top:bottom, left:right], bboxes))


def mirror(image: np.ndarray, instances: Instances) -> tuple[np.ndarray, Instances]:
    """Mirrors the image and its objects left to right."""
    bboxes = instances.bboxes.copy()
    bboxes[:, 1::2] = image.shape[1] - bboxes[:, 3::-2]
    return image[:, ::-1], _changed(instances, instances.masks[:, :, ::-1], bboxes)


def _changed(instances: Instances, masks: np.ndarray, bboxes: np.ndarray) -> Instances:
    return Instances(masks, bboxes, instances.labels, instances.scores, crowds=instances.crowds,
                     class_names=instances.class_names)


def _shift_hues(image: np.ndarray, rng: np.random.Generator, settings: Augmentation) -> np.ndarray:
    """Shifts saturation and hue of an image (H, W, 3) float32 RGB in 0..255."""
    saturation = rng.uniform(*settings.saturation) if rng.random() < 0.5 else 1
    hue = rng.uniform(-settings.hue, settings.hue) if rng.random() < 0.5 else 0
    if saturation == 1 and hue == 0:
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # degrees, share, value of 0..255
    hsv[:, :, 0] = (hsv[:, :, 0] + np.float32(hue)) % 360
    hsv[:, :, 1] = np.minimum(hsv[:, :, 1] * np.float32(saturation), 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _random_crops(size: Sequence[int], rng: np.random.Generator, least: float) -> npt.NDArray[np.float32]:
    """(CROP_TRIES, 4) float32 crops in whole pixels, with aspect ratios within CROP_RATIOS."""
    extent = np.array(size)
    sides = np.maximum((rng.uniform(least, 1, (CROP_TRIES, 2)) * extent).astype(int), 1)
    ratios = sides[:, 0] / sides[:, 1]
    # A side that is too long for the other one is shortened.
    sides[:, 0] = np.where(ratios > CROP_RATIOS[1], sides[:, 1] * CROP_RATIOS[1], sides[:, 0])
    sides[:, 1] = np.where(ratios < CROP_RATIOS[0], sides[:, 0] / CROP_RATIOS[0], sides[:, 1])
    corners = (rng.random((CROP_TRIES, 2)) * (extent - sides + 1)).astype(int)
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


def _centres_inside(windows: np.ndarray, bboxes: np.ndarray) -> npt.NDArray[np.bool_]:
    """(W, R) bool: whether the centre of each box (R, 4) is inside each crop (W, 4)."""
    centres = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    return ((centres > windows[:, None, :2]) & (centres < windows[:, None, 2:])).all(axis=2)
