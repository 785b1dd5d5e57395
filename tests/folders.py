"""What tests look at in a folder."""

import json
import pathlib
import sqlite3
import zlib

import msgspec


def names_in(folder):
    """The sorted names of its files and folders."""
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


def contents(folder):
    """The bytes of its files, in folders inside it too, by their paths within it; kept results decoded."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): kept(path) if path.suffix == '.sqlite' else path.read_bytes()
            for path in folder.rglob('*') if path.is_file()}


def kept(path):
    """``(settings, {number: row})`` of a file of results."""
    database = sqlite3.connect(path)
    settings = {name: json.loads(value) for name, value in database.execute('SELECT * FROM settings')}
    rows = {number: msgspec.msgpack.decode(zlib.decompress(value))
            for number, value in database.execute('SELECT * FROM results')}
    database.close()
    return settings, rows
