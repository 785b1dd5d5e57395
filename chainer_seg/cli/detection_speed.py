"""The speed of a detector on the images of a data set, as YOLACT's eval.py --benchmark measures it."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

_WARM_UP = 2  # images that are not counted, because the first ones take longer


def detection_times(model: Any, dataset: Any, progress: bool = True, **options: Any) -> list[float]:
    """The seconds that each image takes from its pixels to its objects, without the first two images.

    Args:
        model: A detector.
        dataset: The images.
        progress: Show a progress bar.
        options: Of ``model.detect``.
    """
    times = []
    for number in tqdm(range(len(dataset)), desc='detecting', unit='image', disable=not progress):
        image = dataset.read_image(number)
        started = time.perf_counter()
        model.detect(image, **options)
        times.append(time.perf_counter() - started)
    return times[_WARM_UP:] or times


def speed_line(times: Sequence[float]) -> str:
    """The images per second, and the mean and the median time of an image."""
    mean, median = np.mean(times), np.median(times)
    return (f'{len(times)} images: {1 / mean:.2f} images per second, {1000 * mean:.1f} ms per image '
            f'(median {1000 * median:.1f} ms)')


def hashed_choice(ids: Sequence[Any], count: int) -> list[int]:
    """The numbers of the ``count`` images that come first by a hash of their ids, in rising order.

    The hash is YOLACT's, so that the images are the same; ids that are not whole numbers count by their
    place.
    """
    keys = [_hashed(each if isinstance(each, int) else number) for number, each in enumerate(ids)]
    return sorted(sorted(range(len(ids)), key=keys.__getitem__)[:count])


def _hashed(number: int) -> int:
    """An integer hash: two rounds of folding the upper half in and multiplying, modulo 2 ** 32."""
    for factor in (0x045d9f3b, 0x045d9f3b, 1):
        number = ((number >> 16 ^ number) * factor) % 2 ** 32
    return number
