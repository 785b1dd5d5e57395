"""Label images: pictures whose pixels are the numbers of classes or objects, as PASCAL VOC has them."""

import io
import pathlib

import numpy as np
from PIL import Image

from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.files import atomic_write
from chainer_seg.images import read_picture

# The number of a pixel for which nothing is given.
VOID = 255


def _voc_colors():
    """The bits of a number, dealt out in turn to red, green and blue from their highest bits down."""
    bits = np.arange(256)[:, None, None] >> np.arange(9).reshape(3, 3) & 1
    return (bits << np.array([[7], [6], [5]])).sum(axis=1).astype(np.uint8)


# The RGB colour (256, 3) uint8 of each number in the palette of VOC's development kit; the last is void.
VOC_COLORS = _voc_colors()


def read_label_image(path):
    """The numbers in a label image.

    Args:
        path: A PNG file or another that keeps each pixel as it is: with a palette, grey, or in colours
            of :data:`VOC_COLORS`. A palette whose colours are all among these is read by its colours,
            for programs that shrink files bring palettes into another order.

    Returns:
        (H, W) uint8; 255 is void by custom.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or not a picture.
        chainer_seg.errors.DatasetError: It is no label image.
    """
    picture = read_picture(path)
    if picture.mode == 'P':
        return _numbers_of_palette(np.array(picture), np.reshape(picture.getpalette('RGB'), (-1, 3)))
    if picture.mode in ('1', 'L', 'LA') or picture.mode.startswith('I'):
        return _numbers_of_grey(np.atleast_3d(np.array(picture))[:, :, 0], path)
    return _numbers_of_colors(np.array(picture.convert('RGB')), path)


def write_label_image(path, labels):
    """Writes labels as a PNG with VOC's palette, as VOC's server takes them, atomically.

    Args:
        path: The file; it ends in ``.png``.
        labels: (H, W) int, from 0 to 254, and -1 or 255 where nothing is given.

    Raises:
        chainer_seg.errors.ImageError: The ending is another one.
        chainer_seg.errors.DatasetError: A label is none of these.
        chainer_seg.errors.DiskFullError: There is no room or no permission.
    """
    if pathlib.Path(path).suffix.lower() != '.png':
        raise ImageError(f'{path} does not end in .png, the only format for label images.')
    labels = np.asarray(labels)
    if labels.size and not -1 <= labels.min() <= labels.max() <= VOID:
        raise DatasetError(f'A label image has no place for labels from {labels.min()} to '
                           f'{labels.max()}; give labels from 0 to {VOID - 1}, or -1.')
    picture = Image.fromarray(labels.astype(np.uint8))  # -1 becomes 255, which is void
    picture.putpalette(VOC_COLORS.tobytes())
    encoded = io.BytesIO()
    picture.save(encoded, 'PNG', optimize=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def _numbers_of_palette(entries, palette):
    used = np.unique(entries)
    meant = np.arange(256)
    meant[:len(palette)] = _find_colors(palette)
    if (meant[used] >= 0).all() and len(np.unique(meant[used])) == len(used):
        return meant.astype(np.uint8)[entries]
    return entries


def _numbers_of_grey(numbers, path):
    if numbers.min() < 0 or numbers.max() > VOID:
        raise DatasetError(f'The label image {path} has numbers from {numbers.min()} to '
                           f'{numbers.max()}; save labels as numbers from 0 to {VOID}.')
    return numbers.astype(np.uint8)


def _numbers_of_colors(image, path):
    numbers = _find_colors(image)
    unknown = numbers < 0
    if unknown.any():
        color = tuple(image[unknown][0].tolist())
        raise DatasetError(f'The label image {path} has the colour {color}, which is not in the palette '
                           f'of VOC; save the numbers of the classes as a PNG, grey or with a palette.')
    return numbers.astype(np.uint8)


def _find_colors(colors):
    """The number of each VOC colour (..., 3), -1 for other colours."""
    codes = _code(VOC_COLORS)
    order = np.argsort(codes)
    wanted = _code(colors)
    found = order[np.searchsorted(codes, wanted, sorter=order).clip(max=len(codes) - 1)]
    return np.where(codes[found] == wanted, found, -1)


def _code(colors):
    """Each RGB colour (..., 3) as one number."""
    return np.asarray(colors, np.int64) @ np.array([1 << 16, 1 << 8, 1])
