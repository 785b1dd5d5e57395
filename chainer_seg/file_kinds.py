"""Recognises files of other kinds that are mistaken for images, by their first bytes."""

import re
import typing

SIZE = 4096  # bytes at the start of a file that determine its kind


class Kind(typing.NamedTuple):
    """The kind of a file, with its article, and the remedy; both are parts of a sentence."""

    name: str
    remedy: str


_CONVERT = 'save it as PNG or JPEG'
_UNPACK = 'unpack it first'

_KINDS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), Kind(name, remedy)) for pattern, name, remedy in (
    (rb'%!|\xc5\xd0\xd3\xc6|\x04%!', 'an EPS (PostScript) file', _CONVERT),
    (rb'\s*%PDF', 'a PDF file', _CONVERT),
    (rb'\xd7\xcd\xc6\x9a|[\x01\x02]\x00\x09\x00\x00[\x01\x03]', 'a WMF file', _CONVERT),
    (rb'\x01\x00\x00\x00.{36} EMF', 'an EMF file', _CONVERT),
    (rb'8BPS', 'a Photoshop (PSD) file', _CONVERT),
    (rb'gimp xcf', 'a GIMP (XCF) file', _CONVERT),
    (rb'\x00\x00\x01\x00', 'an icon (ICO) file', _CONVERT),
    (rb'\x00\x00\x02\x00..', 'a cursor (CUR) or TGA file', _CONVERT),
    (rb'icns', 'an icon (ICNS) file', _CONVERT),
    (rb'SIMPLE  =', 'a FITS file', _CONVERT),
    (rb'DDS ', 'a DDS file', _CONVERT),
    (rb'\x76\x2f\x31\x01', 'an OpenEXR file', _CONVERT),
    (rb'#\?(RADIANCE|RGBE)', 'a Radiance (HDR) file', _CONVERT),
    (rb'qoif', 'a QOI file', _CONVERT),
    (rb'.{128}DICM', 'a DICOM file', _CONVERT),
    (rb'....ftyp(avif|avis)', 'an AVIF file', _CONVERT),
    (rb'....ftyp(hei[cxms]|hev[cx]|mif1|msf1)', 'a HEIC file', _CONVERT),
    (rb'\xff\x0a|\x00\x00\x00\x0cJXL ', 'a JPEG XL file', _CONVERT),
    (rb'....ftyp|\x1a\x45\xdf\xa3|RIFF....AVI ', 'a video',
     'give images, or run the command for videos'),
    (rb'(\xef\xbb\xbf)?\s*(<\?xml.*?|<!--.*?)?<svg|(\xef\xbb\xbf)?\s*<!DOCTYPE svg', 'an SVG file',
     _CONVERT),
    (rb'(\xef\xbb\xbf)?\s*<(!DOCTYPE html|html|head|body|script)', 'a web page, not an image',
     'download the image itself'),
    (rb'version https://git-lfs', 'a pointer of Git LFS, not an image',
     'fetch the image by git lfs pull'),
    (rb'\x93NUMPY', 'a NumPy file', f'load it and {_CONVERT}'),
    (rb'\x89HDF\r\n', 'an HDF5 file', _UNPACK),
    (rb'PK\x03\x04', 'a zip archive or an .npz file', _UNPACK),
    (rb'\x1f\x8b', 'a gzip archive', _UNPACK),
))


def kind_of(start: bytes) -> Kind | None:
    """The kind of the file that begins with ``start``, up to :data:`SIZE` bytes; None if unknown."""
    return next((kind for pattern, kind in _KINDS if pattern.match(start[:SIZE])), None)
