"""Configuration files: what the weights of a network do not tell."""

import json
import pathlib
import tomllib

from chainer_seg.errors import UserError


def arguments_of(config):
    """What is given as configuration, as a dict of arguments.

    Args:
        config: A mapping, the path of a JSON or TOML file of one, or None. A .prototxt stands for the
            argument ``definition``.
    """
    if isinstance(config, (str, pathlib.Path)):
        is_definition = pathlib.Path(config).suffix == '.prototxt'
        return {'definition': config} if is_definition else read_configuration(config)
    return dict(config or {})


def read_configuration(path):
    """The arguments in a JSON file, or in a TOML file, as a dict.

    Raises:
        chainer_seg.errors.UserError: The file is missing, or is not what its ending says.
    """
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, ValueError) as error:
        raise UserError(f'The configuration {path} cannot be read: {error}.') from error
    return _parse(text, f'The configuration {path}', path.suffix.lower() == '.toml')


def parse_configuration(text):
    """As :func:`read_configuration`, but of text: JSON where it begins with a brace, else TOML."""
    return _parse(text, 'The configuration', not text.lstrip().startswith('{'))


def _parse(text, what, is_toml):
    kind, parse = ('TOML', tomllib.loads) if is_toml else ('JSON', json.loads)
    try:
        config = parse(text)
    except ValueError as error:
        raise UserError(f'{what} cannot be read as {kind}: {error}.') from error
    if not isinstance(config, dict):
        raise UserError(f'{what} must be a JSON object of arguments and values.')
    return config
