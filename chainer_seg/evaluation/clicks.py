"""How good a click model is after some clicks of a robot user (section 4 of arXiv 1603.04042)."""

import cv2
import numpy as np

from chainer_seg.errors import DatasetError
from chainer_seg.models.deeplab import Click

LEAST_AREA = 32 * 32  # Smaller objects are "small" in COCO's terms and are left out by default.


def next_click(mask, truth):
    """The click that the robot user makes: in the middle of the largest wrong region.

    Args:
        mask: (H, W) bool, what the model found so far; nothing before the first click.
        truth: (H, W) bool, the object.

    Returns:
        A :class:`Click`, positive where the object was missed and negative where something else was
        taken for it; None where ``mask`` is right everywhere.
    """
    missed, excess = _largest_region(truth & ~mask), _largest_region(mask & ~truth)
    positive = missed.sum() >= excess.sum()
    region = missed if positive else excess
    if not region.any():
        return None
    # A border of zeros: the middle is far from the rim of the image, too.
    padded = np.pad(region.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return Click(float(y), float(x), bool(positive))


def click_ious(model, image, truth, count):
    """Lets the robot user click ``count`` times on one object.

    Args:
        model: A :class:`chainer_seg.models.deeplab.ClickSegmenter`.
        image: (H, W, 3) uint8.
        truth: (H, W) bool, the object.
        count: Number of clicks.

    Returns:
        (count,) float64, the intersection over union after each click; once nothing is wrong it
        stays 1.
    """
    session = model.session(image)
    ious = np.ones(count)
    for number in range(count):
        click = next_click(session.mask, truth)
        if click is None:
            break
        session.add(click)
        ious[number] = _iou(session.mask, truth)
    return ious


def evaluate_clicks(model, dataset, clicks=(1, 3, 5), *, least_area=LEAST_AREA, max_objects=None,
                    progress=iter):
    """Mean intersection over union after some clicks of the robot user.

    Args:
        model: A :class:`chainer_seg.models.deeplab.ClickSegmenter`.
        dataset: Any data set of this package.
        clicks: The numbers of clicks to report.
        least_area: Smaller objects (pixels) are left out, and so are crowds.
        max_objects: Stop after so many objects; None for all.
        progress: Wraps the iteration over images, as ``tqdm`` does.

    Returns:
        A dict of ``iou@1``, ``iou@3``, ... for the given ``clicks``, and ``objects``, their number.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no such object.
    """
    results = []
    for number in progress(range(len(dataset))):
        image, instances = dataset[number]
        usable = ~instances.crowds & (instances.masks.sum(axis=(1, 2)) >= least_area)
        for mask in instances.masks[usable]:
            results.append(click_ious(model, image, mask, max(clicks)))
            if len(results) == max_objects:
                return _summary(results, clicks)
    if not results:
        raise DatasetError(f'The data set has no object of at least {least_area} pixels to click '
                           f'on; give a lower least area or another data set.')
    return _summary(results, clicks)


def _summary(results, clicks):
    mean = np.mean(results, axis=0)
    summary = {f'iou@{count}': float(mean[count - 1]) for count in clicks}
    return {**summary, 'objects': len(results)}


def _largest_region(wrong):
    """The largest 4-connected region of (H, W) bool."""
    _, regions, statistics, _ = cv2.connectedComponentsWithStats(
        wrong.astype(np.uint8), connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if len(areas) == 0:
        return np.zeros_like(wrong)
    return regions == 1 + areas.argmax()


def _iou(mask, truth):
    return (mask & truth).sum() / max(1, (mask | truth).sum())
