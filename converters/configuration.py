"""Configuration files: what the weights of a network do not tell."""

import json
import pathlib
import re
import tomllib

from chainer_seg.errors import UserError

ORIGINAL = 'original'

_PUBLISHED = re.compile(r'yolact_([a-z0-9_]+?)(?:_config)?')


def arguments_of(config):
    """What is given as configuration, as a dict of arguments.

    Args:
        config: A mapping, the path of a JSON or TOML file of one, or None. A .prototxt stands for the
            argument ``definition``, and the name of a configuration of YOLACT, such as
            ``yolact_im700`` or ``yolact_im700_config``, for the argument ``published``.
    """
    if isinstance(config, (str, pathlib.Path)):
        named = _PUBLISHED.fullmatch(str(config))
        if named and not pathlib.Path(config).exists():
            return {'published': named[1]}
        is_definition = pathlib.Path(config).suffix == '.prototxt'
        return {'definition': config} if is_definition else read_configuration(config)
    return dict(config or {})


def join(config, settings):
    """Arguments with settings of a command line over them.

    A configuration in the words of YOLACT's original, which has dozens of settings that only its
    training needs, stands as a whole under the name :data:`ORIGINAL`, and the settings beside it.
    """
    if 'max_size' in config:
        config = {ORIGINAL: config}
    # What comes later counts, also where it says the same in other words.
    return {**{name: value for name, value in config.items() if name not in settings}, **settings}


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
