"""The orientation of an image in its EXIF data."""

from PIL import ExifTags, Image

# The transposition that makes an image of each EXIF orientation (TIFF 6.0, tag 274) upright; 1 is upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}


def orientation(pil_image: Image.Image) -> int:
    """The EXIF orientation; 1 if the EXIF data are damaged, as in image viewers."""
    try:
        return pil_image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - Pillow raises anything, but the pixels are not affected.
        return 1
