"""Configuration files: settings that the weights of a network do not determine."""

import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from chainer_seg.errors import UserError, quoted
from chainer_seg.files import parse_json, parse_toml, read_json, read_toml
from converters.formats import caffe_text

ORIGINAL = 'original'

_PUBLISHED = re.compile(r'yolact_([a-z0-9_]+?)(?:_config)?')


def arguments_of(config: Mapping[str, Any] | str | pathlib.Path | None) -> dict[str, Any]:
    """A user's configuration as a dict of arguments.

    Args:
        config: A mapping, the path of a JSON or TOML file, or None. The path of a .prototxt, under any
            name, becomes the argument ``definition``; the name of a YOLACT configuration, such as
            ``yolact_im700`` or ``yolact_im700_config``, becomes the argument ``published``.
    """
    if isinstance(config, (str, pathlib.Path)):
        named = _PUBLISHED.fullmatch(str(config))
        if named and not pathlib.Path(config).exists():
            return {'published': named[1]}
        return {'definition': config} if _is_definition(config) else read_configuration(config)
    return dict(config or {})


def join(config: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments overridden by the settings of a command line.

    A configuration with the option names of the original YOLACT, which has dozens of settings for training
    only, is kept as a whole under the key :data:`ORIGINAL`, with the settings beside it.
    """
    if 'max_size' in config:
        config = {ORIGINAL: config}
    # Later entries win, also if they set the same option under another name.
    return {**{name: value for name, value in config.items() if name not in settings}, **settings}


def _is_definition(path: str | os.PathLike) -> bool:
    """Whether a file is a .prototxt, by its suffix or, for unknown suffixes, by its content."""
    ending = pathlib.Path(path).suffix.lower()
    if ending in ('.prototxt', '.json', '.toml'):
        return ending == '.prototxt'
    try:
        with open(path, 'rb') as file:
            return caffe_text.is_text(file.read(1 << 20))
    except (OSError, ValueError):
        return False  # The reader reports the error.


def read_configuration(path: str | pathlib.Path) -> dict[str, Any]:
    """The arguments in a JSON or TOML file.

    Raises:
        chainer_seg.errors.UserError: The file is missing, or does not have the format of its suffix.
    """
    read = read_toml if pathlib.Path(path).suffix.lower() == '.toml' else read_json
    return _checked(read(path, 'configuration'), f'The configuration {path}')


def parse_configuration(text: str) -> dict[str, Any]:
    """As :func:`read_configuration`, for text: JSON if it begins with a brace, otherwise TOML."""
    parse = parse_json if text.lstrip().startswith('{') else parse_toml
    return _checked(parse(text, 'The configuration'), 'The configuration')


def _checked(config: object, name: str) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise UserError(f'{name} must be a JSON object of arguments and values.')
    for key in config:
        if not key.isidentifier():
            raise UserError(f'{name} has the entry {quoted(key)}, which is not a valid argument name.')
    return config
