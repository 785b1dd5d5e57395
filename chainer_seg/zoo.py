"""The models that come with the package, by name."""

import pathlib

SHIPPED_FOLDER = pathlib.Path(__file__).parent / 'shipped'

SHIPPED = {
    'click-shapes': 'a small click model trained on drawn shapes only (see shipped/click-shapes.md)',
}


def shipped_path(name):
    """The file of the shipped model ``name``; None where no model has that name."""
    if name not in SHIPPED:
        return None
    return SHIPPED_FOLDER / f'{name}.npz'
