"""Changes images and their objects at random for training, as SSD does (arXiv 1512.02325, 2.2).

Colours are shifted, the image is laid on a larger canvas, a part of it is cut out, and it is mirrored;
masks and boxes follow.
"""

import cv2
import numpy as np

from chainer_seg.boxes import box_iou, clip_boxes
from chainer_seg.instances import Instances
from chainer_seg.models.yolact.settings import Augmentation


# As published, and nothing at all.
STANDARD = Augmentation()
NO_AUGMENTATION = Augmentation(photometric=False, expand=False, crop=False, mirror=False)

# Some object must overlap the part that is cut out by one of these; None leaves the image whole.
CROP_OVERLAPS = (None, 0.1, 0.3, 0.7, 0.9, 0.0)
CROP_RATIOS = (0.5, 2)  # of height to width
CROP_TRIES = 50


def augment(image: np.ndarray, instances: Instances, rng: np.random.Generator,
            settings: Augmentation = STANDARD) -> tuple[np.ndarray, Instances]:
    """An image and its objects as they might also have been.

    Args:
        image: (H, W, 3) uint8 RGB.
        instances: Its :class:`chainer_seg.instances.Instances`.
        rng: A ``numpy.random.Generator``.
        settings: The :class:`Augmentation`.

    Returns:
        The new image, of another size where it was laid on a canvas or cut, and its Instances. Those
        whose middle is not in the part that was cut out are gone.
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
    """Each of brightness, contrast, saturation and hue is shifted in half of the images."""
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
    """Lays the image anywhere on a larger canvas."""
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
    """Cuts out a part that shows enough of some object, or leaves the image as it is."""
    least = CROP_OVERLAPS[rng.integers(len(CROP_OVERLAPS))]
    if least is None or not len(instances):
        return image, instances
    windows = _draw_windows(image.shape[:2], rng, settings.least_crop)
    shown = _centres_inside(windows, instances.bboxes) & ~instances.crowds
    fits = shown.any(axis=1) & (box_iou(windows, instances.bboxes).max(axis=1) >= least)
    if not fits.any():
        return image, instances
    return cut(image, instances, windows[fits.argmax()])


def cut(image, instances, window):
    """The part of an image in a window, and the objects whose middle lies there.

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
    """The image and its objects with left and right exchanged."""
    bboxes = instances.bboxes.copy()
    bboxes[:, 1::2] = image.shape[1] - bboxes[:, 3::-2]
    return image[:, ::-1], _changed(instances, instances.masks[:, :, ::-1], bboxes)


def _changed(instances, masks, bboxes):
    return Instances(masks, bboxes, instances.labels, instances.scores, crowds=instances.crowds,
                     class_names=instances.class_names)


def _shift_hues(image, rng, settings):
    """(H, W, 3) float32 RGB of 0..255 with other saturation and hue."""
    saturation = rng.uniform(*settings.saturation) if rng.random() < 0.5 else 1
    hue = rng.uniform(-settings.hue, settings.hue) if rng.random() < 0.5 else 0
    if saturation == 1 and hue == 0:
        return image
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # degrees, share, value of 0..255
    hsv[:, :, 0] = (hsv[:, :, 0] + np.float32(hue)) % 360
    hsv[:, :, 1] = np.minimum(hsv[:, :, 1] * np.float32(saturation), 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _draw_windows(size, rng, least):
    """(CROP_TRIES, 4) float32 windows of whole pixels, none of them flatter than CROP_RATIOS."""
    size = np.array(size)
    sides = np.maximum((rng.uniform(least, 1, (CROP_TRIES, 2)) * size).astype(int), 1)
    ratios = sides[:, 0] / sides[:, 1]
    # A side that is too long for the other one is cut.
    sides[:, 0] = np.where(ratios > CROP_RATIOS[1], sides[:, 1] * CROP_RATIOS[1], sides[:, 0])
    sides[:, 1] = np.where(ratios < CROP_RATIOS[0], sides[:, 0] / CROP_RATIOS[0], sides[:, 1])
    corners = (rng.random((CROP_TRIES, 2)) * (size - sides + 1)).astype(int)
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


def _centres_inside(windows, bboxes):
    """(W, R) bool: whether the middle of each box (R, 4) lies in each window (W, 4)."""
    centres = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    return ((centres > windows[:, None, :2]) & (centres < windows[:, None, 2:])).all(axis=2)
