"""Short texts that tell whether two runs have the same model and the same data."""

import hashlib

from chainer_seg import command_line  # noqa: F401  before Chainer, which it makes work

import chainer  # isort: skip


def fingerprint_of_model(model):
    """The same text for models of the same class, sizes, weights and names of classes."""
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(model)
    content = hashlib.sha256(repr((type(model).__name__, model.config)).encode())
    content.update(repr(tuple(getattr(model, 'class_names', ()))).encode())
    for name in sorted(serializer.target):
        content.update(name.encode() + serializer.target[name].tobytes())
    return content.hexdigest()[:16]


def digest(content):
    """A text for these bytes."""
    return hashlib.sha256(content).hexdigest()[:16]


def fingerprint_of_file(path):
    """A text for the content of a file."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()[:16]


def fingerprint_of_dataset(dataset):
    """The same text for data sets of the same file, or drawn alike; images are not looked into."""
    path = dataset.path
    if path is None:
        described = repr((type(dataset).__name__, sorted(vars(dataset).items())))
    elif path.is_dir():
        described = repr(sorted((file.name, file.stat().st_size) for file in path.iterdir()))
    else:
        described = fingerprint_of_file(path)
    return digest((described + repr(dataset.ids if dataset.has_files else None)).encode())
