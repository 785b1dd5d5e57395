"""What tests look at in a folder."""

import pathlib


def names_in(folder):
    """The sorted names of its files and folders."""
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


def contents(folder):
    """The bytes of its files, in folders inside it too, by their paths within it."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}
