"""Fingerprints: short texts that are equal for the same model or the same data."""

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import chainer

    from chainer_seg.datasets.base import Dataset


def fingerprint_of_model(model: 'chainer.Link') -> str:
    """The fingerprint of a model: its class, configuration, weights and class names."""
    import chainer
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(model)
    content = hashlib.sha256(repr((type(model).__name__, model.config)).encode())
    content.update(repr(tuple(getattr(model, 'class_names', ()))).encode())
    for name in sorted(serializer.target):
        content.update(name.encode() + serializer.target[name].tobytes())
    return content.hexdigest()[:16]


def digest(content: bytes) -> str:
    """The fingerprint of bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def fingerprint_of_file(path: str | os.PathLike) -> str:
    """The fingerprint of the content of a file."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()[:16]


def fingerprint_of_files(paths: Iterable[pathlib.Path]) -> str:
    """The fingerprint of the names, sizes and times of files; contents are not read, nor need they exist."""
    found = hashlib.sha256()
    for path in paths:
        state = ''
        with contextlib.suppress(OSError):
            status = os.stat(path)
            state = f' {status.st_size} {status.st_mtime_ns}'
        found.update(f'{path.resolve()}{state}\n'.encode(errors='surrogateescape'))
    return found.hexdigest()


def fingerprint_of_dataset(dataset: 'Dataset') -> str:
    """The fingerprint of a data set: its file or its settings; images are not read."""
    path = dataset.path
    if path is None:
        described = repr((type(dataset).__name__, sorted(vars(dataset).items())))
    elif path.is_dir():
        described = repr(sorted((file.name, file.stat().st_size) for file in path.iterdir()))
    else:
        described = fingerprint_of_file(path)
    return digest((described + repr(dataset.ids if dataset.has_files else None)).encode())
