"""The models that come with the package, by name."""

import pathlib

SHIPPED_FOLDER = pathlib.Path(__file__).parent / 'shipped'

# The names that stand for a model file wherever one is asked for; each has a card beside its file.
SHIPPED = {
    'click': 'click-shapes.npz',
    'deepmask': 'deepmask-shapes.npz',
    'sharpmask': 'sharpmask-shapes.npz',
}


def shipped_path(name):
    """The file of the shipped model ``name``; None where no model has that name."""
    return SHIPPED_FOLDER / SHIPPED[name] if name in SHIPPED else None
