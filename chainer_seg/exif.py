"""How a camera was held, by the EXIF data of an image."""

from PIL import ExifTags, Image

# What brings an image of each EXIF orientation (TIFF 6.0, tag 274) upright; 1 is upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation; 1 where the EXIF data are damaged, as every viewer takes it."""
    try:
        return picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - Pillow raises anything; the pixels are not concerned
        return 1
