"""Configuration files: what the weights of a network do not tell."""

import json
import pathlib
import tomllib

from chainer_seg.errors import UserError


def read_configuration(path):
    """The arguments in a JSON file, or in a TOML file, as a dict.

    Raises:
        chainer_seg.errors.UserError: The file is missing, or is not what its ending says.
    """
    path = pathlib.Path(path)
    kind, parse = ('TOML', tomllib.loads) if path.suffix.lower() == '.toml' else ('JSON', json.loads)
    try:
        config = parse(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'The configuration {path} cannot be read as {kind}: {error}.') from error
    if not isinstance(config, dict):
        raise UserError(f'The configuration {path} must be a JSON object of arguments and values.')
    return config
