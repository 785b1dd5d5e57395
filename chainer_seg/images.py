"""Reads and writes images; any image becomes an (H, W, 3) uint8 RGB array."""

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

# Photographs have fewer pixels; decompression bombs are small files that unpack to gigabytes.
MAX_PIXELS = 400_000_000

# Not EPS, for which Pillow runs a program. JPEG includes MPO, the files of phones with several images.
FORMATS = ('JPEG', 'PNG', 'TIFF', 'BMP', 'GIF', 'WEBP', 'JPEG2000', 'PPM')

IMAGE_SUFFIXES = frozenset(
    ('.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'))


@contextlib.contextmanager
def open_image(file: str | os.PathLike | typing.BinaryIO, name: object = 'image'
               ) -> Iterator[Image.Image]:
    """Opens an image by its header, for a ``with`` block; the only place that opens images with Pillow.

    Errors of Pillow in the block become an ImageError, too.

    Args:
        file: A path, or a file that is open for reading.
        name: The name of the image in errors.

    Yields:
        The first page as a Pillow image, not decoded yet.

    Raises:
        chainer_seg.errors.ImageError: The file has none of :data:`FORMATS`, is damaged, or has more
            than :data:`MAX_PIXELS` pixels.
    """
    with _reported(name), pillow_limit(MAX_PIXELS):
        try:
            pil_image = Image.open(file, formats=FORMATS)
        except UnidentifiedImageError as error:
            raise _unknown(file, name) from error
        with pil_image:
            _check_size(pil_image.size, name)
            yield pil_image


def read_image(path: str | os.PathLike, *, rotate: bool = True) -> npt.NDArray[np.uint8]:
    """Reads an image file.

    Args:
        path: A file in one of :data:`FORMATS`, with any suffix.
        rotate: Rotate the image by its EXIF orientation, as viewers do.

    Returns:
        (H, W, 3) uint8 RGB. Grey is repeated, 16 bits are scaled to 8 and transparency is blended
        with white.

    Raises:
        chainer_seg.errors.ImageError: The file is missing, truncated, or not an image.
    """
    return _decode(_checked_file(path), path, rotate)


def read_pages(path: str | os.PathLike, limit: int) -> list[Image.Image]:
    """The first pages of a file, at most ``limit``, as Pillow images with their stored values.

    Raises:
        chainer_seg.errors.ImageError: The file is missing, truncated, or not an image.
    """
    pages = []
    with open_image(_checked_file(path), path) as pil_image:
        for page in itertools.islice(ImageSequence.Iterator(pil_image), limit):
            _check_size(page.size, path)
            pages.append(page.copy())
    return pages


def read_image_file(path: str | os.PathLike) -> tuple[bytes, tuple[int, int], tuple[int, int]]:
    """The bytes of an image file, and the sizes of the image by its header.

    Returns:
        The bytes, (height, width) as stored, and (height, width) after rotation by the EXIF orientation.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or not an image.
    """
    with _reported(path):
        data = _checked_file(path).read_bytes()
    return data, *header_sizes(io.BytesIO(data), path)


def header_sizes(file: str | os.PathLike | typing.BinaryIO, name: object = 'image'
                 ) -> tuple[tuple[int, int], tuple[int, int]]:
    """The (height, width) of an image file as stored, and after rotation by its EXIF orientation.

    Args:
        file: A path, or a file that is open for reading.
        name: The name of the image in errors.

    Raises:
        chainer_seg.errors.ImageError: As in :func:`open_image`.
    """
    with open_image(file, name) as pil_image:
        width, height = pil_image.size
        # Pillow rotates TIFF files itself and returns their size after rotation.
        quarter_turned = pil_image.format != 'TIFF' and orientation(pil_image) in (5, 6, 7, 8)
    return (height, width), (width, height) if quarter_turned else (height, width)


def decode_image(data: bytes | memoryview, name: object = 'image', *,
                 rotate: bool = True) -> npt.NDArray[np.uint8]:
    """Decodes the bytes of an image file, such as an upload.

    Args:
        data: The bytes.
        name: The name of the image in errors.
        rotate: As in :func:`read_image`.

    Returns:
        (H, W, 3) uint8 RGB, as in :func:`read_image`.

    Raises:
        chainer_seg.errors.ImageError: The bytes are not a complete image file.
    """
    return _decode(io.BytesIO(data), name, rotate)


def as_image(image: ImageLike) -> npt.NDArray[np.uint8]:
    """Converts an image in any common form to (H, W, 3) uint8 RGB.

    Args:
        image: A path; a PIL image; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8,
            bool, other integers, or floats, read by the rules of
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
        raise ImageError(f'The image has no pixels: its size is {array.shape[0]}x{array.shape[1]}.')
    return rgb_of_bytes(to_bytes(array))


def write_image(path: str | os.PathLike, image: npt.NDArray, **options: object) -> None:
    """Writes an (H, W) or (H, W, 3 or 4) uint8 array to ``path``, whose suffix determines the format.

    ``options`` are Pillow's options of the format, such as ``quality``.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        raise ImageError(f'{path} does not have the suffix of an image format; try {path}.png.')
    # Encoded in memory first, because Pillow truncates a JPEG silently if the disk is full.
    encoded = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(
        encoded, Image.registered_extensions()[suffix], **options)
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def resize(image: npt.NDArray, size: tuple[int, int]) -> npt.NDArray:
    """Resizes (H, W) or (H, W, C) to ``size`` = (height, width): area averaging to shrink, else bilinear."""
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=method)
    return resized.reshape(size + image.shape[2:])


def fit_within(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The (height, width) of an image shrunk so that its longer side is at most ``longest`` pixels."""
    height, width = size
    scale = min(1.0, longest / max(size))
    return max(1, round(height * scale)), max(1, round(width * scale))


def find_images(path: str | os.PathLike) -> list[pathlib.Path]:
    """The image files of ``path``: the file itself, or all images of a folder, sorted."""
    path = pathlib.Path(path)
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir()
                   if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith('.'))
    if not found:
        raise ImageError(f'The folder {path} contains no images; check the path.')
    return found


def _decode(file: str | os.PathLike | typing.BinaryIO, name: object, rotate: bool) -> npt.NDArray[np.uint8]:
    """Decodes the image of a path or an open file."""
    with open_image(file, name) as pil_image:
        pil_image.load()
        method = UPRIGHT.get(orientation(pil_image)) if rotate else None
        return rgb_of_pil(pil_image if method is None else pil_image.transpose(method))


@contextlib.contextmanager
def _reported(name: object) -> Iterator[None]:
    """Turns any error of Pillow for a bad file into an ImageError that names it."""
    try:
        yield
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        pixels = ''.join(re.findall(r'\d+', str(error))[:1])
        raise ImageError(f'The image {name} claims {pixels} pixels, more than the limit of '
                         f'{MAX_PIXELS // 10**6} megapixels; shrink it first.') from error
    except MemoryError as error:
        raise ImageError(f'The image {name} does not fit into memory; shrink it first.') from error
    except Exception as error:
        raise _unreadable(name, error) from error


def _checked_file(path: str | os.PathLike) -> pathlib.Path:
    path = pathlib.Path(path)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a NUL in the name
        raise ImageError(f'There is no image {shortened(str(path))}; check the path.') from None
    except OSError as error:
        raise _unreadable(shortened(str(path)), error) from error
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f'{path} is a folder; give an image file.')
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f'{path} is a device or a pipe; give an image file.')
    if status.st_size == 0:
        raise ImageError(f'The image {path} is an empty file; download or save it again.')
    return path


def _unknown(file: str | os.PathLike | typing.BinaryIO, name: object) -> ImageError:
    """The error for a file in an unsupported format."""
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


def _unreadable(name: object, error: object) -> ImageError:
    if isinstance(error, OSError) and error.errno is not None:
        return ImageError(f'The image {name} cannot be read: {error.strerror}.')
    if 'MAX_TEXT' in str(error):
        return ImageError(f'The image {name} cannot be read: its metadata unpack to more text than an '
                          f'image file needs; save it again without metadata.')
    reason = shortened(str(error) or type(error).__name__, 120).rstrip('.')
    return ImageError(f'The image {name} cannot be read ({reason}); it is damaged or not an image file.')


def _check_size(size: tuple[int, int], name: object) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(f'The image {name} claims {width}x{height} pixels, more than the limit of '
                         f'{MAX_PIXELS // 1_000_000} megapixels; shrink it first.')
