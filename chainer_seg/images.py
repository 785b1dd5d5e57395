"""Images in and out: whatever a user has becomes an (H, W, 3) uint8 RGB array."""

import contextlib
import io
import itertools
import os
import pathlib
import re
import stat
import typing
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageSequence, UnidentifiedImageError

from chainer_seg import file_kinds
from chainer_seg.errors import ImageError, UserError, shortened
from chainer_seg.exif import UPRIGHT, orientation
from chainer_seg.files import atomic_write
from chainer_seg.pillow_limit import pillow_limit
from chainer_seg.pixel_values import rgb_of_bytes, rgb_of_pil, to_bytes

# What as_image accepts.
ImageLike = str | pathlib.Path | Image.Image | npt.NDArray

# A decompression bomb is a small file that unpacks to gigabytes; a real photograph stays below this.
MAX_PIXELS = 400_000_000

# Pillow reads EPS by running a program. JPEG includes the files of several images (MPO) of phones.
FORMATS = ('JPEG', 'PNG', 'TIFF', 'BMP', 'GIF', 'WEBP', 'JPEG2000', 'PPM')

IMAGE_SUFFIXES = frozenset(
    ('.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'))


@contextlib.contextmanager
def open_image(file: str | os.PathLike | typing.BinaryIO, name: object = 'image'
               ) -> Iterator[Image.Image]:
    """Opens an image by its header, for a ``with`` block; nothing else in the package opens images.

    What Pillow raises in the block for a damaged file becomes an ImageError, too.

    Args:
        file: A path, or a file that is open for reading.
        name: What to call the image in an error.

    Yields:
        The image as Pillow has it, not decoded yet: its first page, as it is stored.

    Raises:
        chainer_seg.errors.ImageError: The file is none of :data:`FORMATS`, is damaged, or has more
            than :data:`MAX_PIXELS` pixels.
    """
    with _reported(name), pillow_limit(MAX_PIXELS):
        try:
            picture = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise _unknown(file, name) from error
        with picture:
            _check_size(picture.size, name)
            yield picture


def read_image(path: str | os.PathLike, *, rotate: bool = True) -> np.ndarray:
    """Reads an image file.

    Args:
        path: A file in one of :data:`FORMATS`, whatever its name.
        rotate: Turn the image as its EXIF orientation asks, as every viewer does.

    Returns:
        (H, W, 3) uint8 RGB. Grey is repeated, 16 bits are scaled to 8 and transparency is laid
        over white.

    Raises:
        chainer_seg.errors.ImageError: The file is missing, truncated, or not an image.
    """
    return _decode(_checked_file(path), path, rotate)


def read_pages(path: str | os.PathLike, most: int) -> list[Image.Image]:
    """The pages of a file, at most so many, as a list of Pillow images as they are stored.

    Raises:
        chainer_seg.errors.ImageError: The file is missing, truncated, or not an image.
    """
    pages = []
    with open_image(_checked_file(path), path) as picture:
        for page in itertools.islice(ImageSequence.Iterator(picture), most):
            _check_size(page.size, path)
            pages.append(page.copy())
    return pages


def read_image_file(path: str | os.PathLike) -> tuple[bytes, tuple[int, int], tuple[int, int]]:
    """The bytes of an image file, and the sizes of the image by its header.

    Returns:
        tuple: bytes, (height, width) as stored, and (height, width) when turned as its EXIF
        orientation asks.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or not an image.
    """
    with _reported(path):
        data = _checked_file(path).read_bytes()
    return data, *header_sizes(io.BytesIO(data), path)


def header_sizes(file: str | os.PathLike | typing.BinaryIO, name: object = 'image'
                 ) -> tuple[tuple[int, int], tuple[int, int]]:
    """The (height, width) of an image file as stored, and when turned as its EXIF data ask.

    Args:
        file: A path, or a file that is open for reading.
        name: What to call the image in an error.

    Raises:
        chainer_seg.errors.ImageError: As :func:`open_image`.
    """
    with open_image(file, name) as picture:
        stored = picture.size[::-1]
        # Pillow gives the size of a TIFF as it is turned, which it does itself.
        quarter_turned = picture.format != 'TIFF' and orientation(picture) in (5, 6, 7, 8)
    return stored, stored[::-1] if quarter_turned else stored


def decode_image(data: bytes | memoryview, name: object = 'image', *, rotate: bool = True) -> np.ndarray:
    """Reads the bytes of a picture file, such as an upload.

    Args:
        data: Bytes, or anything like them.
        name: What to call the picture in an error.
        rotate: As that of :func:`read_image`.

    Returns:
        (H, W, 3) uint8 RGB, as :func:`read_image` gives it.

    Raises:
        chainer_seg.errors.ImageError: The bytes are not those of a whole picture.
    """
    return _decode(io.BytesIO(data), name, rotate)


def as_image(image: ImageLike) -> npt.NDArray[np.uint8]:
    """Brings a picture in any usual form to (H, W, 3) uint8 RGB.

    Args:
        image: A path; a PIL image; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8,
            bool, other whole numbers, or floats, read by the rules of
            :func:`chainer_seg.pixel_values.to_bytes`; or ChainerCV's (3, H, W) float32 in
            [0, 255].

    Raises:
        chainer_seg.errors.ImageError: It is none of these, or it has no pixels.
    """
    if isinstance(image, (str, pathlib.Path)):
        return read_image(image)
    if isinstance(image, Image.Image):
        with _reported('image'), pillow_limit(MAX_PIXELS):
            return rgb_of_pil(image)
    array = np.asarray(image)
    given = array.shape
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(f'An array of shape {given} is not an image; '
                         f'give (H, W), (H, W, 3), (H, W, 4) or (3, H, W).')
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ImageError(f'An image of {array.shape[0]}x{array.shape[1]} pixels has nothing in it.')
    return rgb_of_bytes(to_bytes(array))


def write_image(path: str | os.PathLike, image: np.ndarray, **options: object) -> None:
    """Writes an (H, W) or (H, W, 3 or 4) uint8 array to ``path``; the ending chooses the format.

    ``options`` are Pillow's for this format, such as ``quality``.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise ImageError(f'{path} does not end in an image format; try {path}.png.')
    # Encoded in memory first: Pillow ends a JPEG early and silently where the disk is full.
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(
        encoded, Image.registered_extensions()[suffix], **options)
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes (H, W) or (H, W, C) to ``size`` = (height, width): by area if smaller, else bilinear."""
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=method)
    return resized.reshape(size + image.shape[2:])


def fit_within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The (height, width) of a picture shrunk so that its longer side is at most ``longest`` pixels."""
    height, width = size
    scale = min(1.0, longest / max(size))
    return max(1, round(height * scale)), max(1, round(width * scale))


def find_images(path: str | os.PathLike) -> list[pathlib.Path]:
    """The image files that ``path`` names: a file itself, or all pictures of a folder, sorted."""
    path = pathlib.Path(path)
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir()
                   if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.'))
    if not found:
        raise ImageError(f'The folder {path} holds no images.')
    return found


def _decode(file, name, rotate):
    """The image in a path or an open file."""
    with open_image(file, name) as picture:
        picture.load()
        if rotate:
            method = UPRIGHT.get(orientation(picture))
            picture = picture if method is None else picture.transpose(method)
        return rgb_of_pil(picture)


@contextlib.contextmanager
def _reported(name):
    """Turns whatever Pillow raises for a bad file into an ImageError that names it."""
    try:
        yield
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        pixels = re.search(r'\d+', str(error))[0]
        raise ImageError(f'The image {name} claims {pixels} pixels, more than the {MAX_PIXELS // 10**6} '
                         f'megapixels that are read; shrink it first.') from error
    except MemoryError as error:
        raise ImageError(f'The image {name} does not fit into memory; shrink it first.') from error
    except Exception as error:
        raise _unreadable(name, error) from error


def _checked_file(path):
    path = pathlib.Path(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a NUL in the name
        raise ImageError(f'There is no image {shortened(str(path))}; check the path.') from None
    except OSError as error:
        raise _unreadable(shortened(str(path)), error) from error
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f'{path} is a folder; name an image file.')
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f'{path} is a device or a pipe; name an image file.')
    if status.st_size == 0:
        raise ImageError(f'The image {path} is an empty file; fetch or save it again.')
    return path


def _unknown(file, name):
    """What to say of a file that is in none of our formats."""
    if isinstance(file, (str, os.PathLike)):
        with open(file, 'rb') as opened:
            start = opened.read(file_kinds.SIZE)
    else:
        file.seek(0)
        start = file.read(file_kinds.SIZE)
    kind = file_kinds.kind_of(start)
    if kind is None:
        return _unreadable(name, 'its format is unknown')
    return ImageError(f'The image {name} cannot be read: it is {kind.name}; {kind.remedy}.')


def _unreadable(name, error):
    if isinstance(error, OSError) and error.errno is not None:
        return ImageError(f'The image {name} cannot be read: {error.strerror}.')
    if 'MAX_TEXT' in str(error):
        return ImageError(f'The image {name} cannot be read: the text beside its pixels unpacks to more '
                          f'than an image file needs; save it again without metadata.')
    reason = shortened(str(error) or type(error).__name__, 120).rstrip('.')
    return ImageError(f'The image {name} cannot be read ({reason}); it is damaged or not an image file.')


def _check_size(size, name):
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(f'The image {name} claims {width}x{height} pixels, more than the '
                         f'{MAX_PIXELS // 1_000_000} megapixels that are read; shrink it first.')
