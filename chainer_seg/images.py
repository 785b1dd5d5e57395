"""Pictures in and out: whatever a user has becomes an (H, W, 3) uint8 RGB array."""

import contextlib
import io
import itertools
import pathlib
import warnings

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, ImageSequence, UnidentifiedImageError

from chainer_seg.errors import ImageError
from chainer_seg.files import atomic_write

# A decompression bomb is a small file that unpacks to gigabytes; a real photograph stays below this.
MAX_PIXELS = 400_000_000

IMAGE_SUFFIXES = frozenset(
    ('.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'))


@contextlib.contextmanager
def open_image(file, name='image'):
    """Opens an image, a path or an open file that errors call ``name``, for a ``with`` block."""
    with _told_by(name), Image.open(file) as picture:
        _check_size(picture.size, name)
        yield picture


def read_image(path, *, rotate=True):
    """Reads a picture file.

    Args:
        path: A file in any format that Pillow reads: JPEG, PNG, TIFF, WebP, ...
        rotate: Turn the picture as its EXIF orientation asks, as every viewer does.

    Returns:
        (H, W, 3) uint8 RGB. Grey is repeated, 16 bits are scaled to 8 and transparency is laid
        over white.

    Raises:
        chainer_seg.errors.ImageError: The file is missing, truncated, or not a picture.
    """
    return _decode(_checked_file(path), path, rotate)


def read_picture(path):
    """The Pillow picture of a file as it is stored: with its palette, transparency and depth.

    Raises:
        chainer_seg.errors.ImageError: The file is missing, truncated, or not a picture.
    """
    return read_pages(path, 1)[0]


def read_pages(path, most):
    """The pages of a file, at most so many, as a list of Pillow pictures as they are stored.

    Raises:
        chainer_seg.errors.ImageError: The file is missing, truncated, or not a picture.
    """
    pages = []
    with _told_by(path), Image.open(_checked_file(path)) as picture:
        for page in itertools.islice(ImageSequence.Iterator(picture), most):
            _check_size(page.size, path)
            pages.append(page.copy())
    return pages


def read_image_file(path):
    """The bytes of a picture file, and the sizes of the picture by its header.

    Returns:
        tuple: bytes, (height, width) as stored, and (height, width) when turned as its EXIF
        orientation asks.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or not a picture.
    """
    try:
        data = _checked_file(path).read_bytes()
        return data, *header_sizes(io.BytesIO(data))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def header_sizes(file):
    """The (height, width) of a picture file as stored, and when turned as its EXIF data ask.

    Args:
        file: A path, or a file that is open for reading.
    """
    with Image.open(file) as picture:
        stored = picture.size[::-1]
        quarter_turned = picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return stored, stored[::-1] if quarter_turned else stored


def decode_image(data, name='image', *, rotate=True):
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


def as_image(image):
    """Brings a picture in any usual form to (H, W, 3) uint8 RGB.

    Args:
        image: A path; a PIL image; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8,
            uint16, bool, or float in [0, 1] or [0, 255]; or ChainerCV's (3, H, W) float32 in
            [0, 255].

    Raises:
        chainer_seg.errors.ImageError: It is none of these, or it has no pixels.
    """
    if isinstance(image, (str, pathlib.Path)):
        return read_image(image)
    if isinstance(image, Image.Image):
        return _rgb_of_pil(image)
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(f'An array of shape {np.shape(image)} is not an image; '
                         f'give (H, W), (H, W, 3), (H, W, 4) or (3, H, W).')
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ImageError(f'An image of {array.shape[0]}x{array.shape[1]} pixels has nothing in it.')
    return _rgb_of_bytes(_to_bytes(array))


def write_image(path, image, **options):
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


def resize(image, size):
    """Resizes (H, W) or (H, W, C) to ``size`` = (height, width): by area if smaller, else bilinear."""
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(image, (width, height), interpolation=method)
    return resized.reshape(size + image.shape[2:])


def fit_within(size, longest):
    """The (height, width) of a picture shrunk so that its longer side is at most ``longest`` pixels."""
    scale = min(1.0, longest / max(size))
    return tuple(max(1, round(side * scale)) for side in size)


def find_images(path):
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
    """The picture in a path or an open file."""
    with _told_by(name), Image.open(file) as picture:
        _check_size(picture.size, name)
        picture.load()
        if rotate:
            picture = ImageOps.exif_transpose(picture)
        return _rgb_of_pil(picture)


@contextlib.contextmanager
def _told_by(name):
    """Turns what Pillow raises for a bad file into an ImageError that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # Pillow's own hints mean nothing to the user.
            yield
    except ImageError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError,
            KeyError, TypeError) as error:  # the last two for pages of a damaged TIFF after its first
        raise _unreadable(name, error) from error


def _checked_file(path):
    path = pathlib.Path(path)
    if not path.exists():
        raise ImageError(f'There is no image {path}; check the path.')
    if path.is_dir():
        raise ImageError(f'{path} is a folder; name an image file.')
    if path.stat().st_size == 0:
        raise ImageError(f'The image {path} is an empty file; fetch or save it again.')
    return path


def _unreadable(name, error):
    return ImageError(f'The image {name} cannot be read ({_short(error)}); '
                      f'it is damaged or not an image file.')


def _check_size(size, path):
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(f'The image {path} claims {width}x{height} pixels, more than the '
                         f'{MAX_PIXELS // 1_000_000} megapixels that are read; shrink it first.')


def _rgb_of_pil(picture):
    if 0 in picture.size:
        raise ImageError('An image without pixels has nothing in it.')
    if picture.mode.startswith('I') or picture.mode == 'F':
        return _rgb_of_bytes(_to_bytes(_wide_grey(picture)[:, :, None]))
    if picture.mode in ('LA', 'PA', 'RGBA', 'RGBa', 'La') or 'transparency' in picture.info:
        return _rgb_of_bytes(np.asarray(picture.convert('RGBA')))
    # A copy: the array that Pillow hands out is read-only.
    return np.array(picture.convert('RGB'))


def _wide_grey(picture):
    """(H, W) of a 16-bit, 32-bit or float grey picture, as uint16 where it fits."""
    array = np.asarray(picture)
    if array.dtype.kind in 'iu' and array.min() >= 0 and array.max() <= 65535:
        return array.astype(np.uint16)
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    # No scale is known for such a picture, so its own range is spread over the whole of it.
    scaled = (array - low) / max(high - low, np.finfo(np.float32).tiny)
    return np.nan_to_num(scaled * 65535).astype(np.uint16)


def _to_bytes(array):
    """Any numeric image array as uint8 on 0..255."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        return np.round(array / 257.0).astype(np.uint8)
    if array.dtype.kind not in 'fiu':
        raise ImageError(f'An image cannot have values of type {array.dtype}.')
    if array.dtype.kind == 'f':
        if not np.isfinite(array).all():
            raise ImageError('The image holds NaN or infinite values; mend them first.')
        if array.size and array.max() <= 1.0:
            array = array * 255.0
    return np.clip(np.round(array), 0, 255).astype(np.uint8)


def _rgb_of_bytes(array):
    """(H, W, 1), (H, W, 3) or (H, W, 4) uint8 as RGB; transparency is laid over white."""
    channels = array.shape[2]
    if channels == 3:
        return np.ascontiguousarray(array)
    if channels == 1:
        return np.repeat(array, 3, axis=2)
    alpha = array[:, :, 3:].astype(np.uint16)
    blended = array[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((blended + 127) // 255).astype(np.uint8)


def _short(error):
    if isinstance(error, UnidentifiedImageError):
        return 'its format is unknown'  # Pillow names an object in memory here
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:120].rstrip('.')
