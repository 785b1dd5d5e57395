"""The parameters of a dense CRF on the command line."""

import argparse
import dataclasses
import math

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.dense_crf import PRESETS, CrfParameters

_FIELDS = {field.name: field.type for field in dataclasses.fields(CrfParameters)}


def add_crf_option(parser: argparse._ActionsContainer) -> None:
    """Adds --crf-parameters, which becomes :class:`CrfParameters`."""
    parser.add_argument(
        '--crf-parameters', type=crf_parameters, metavar='P', default='deeplab',
        help=f'parameters of the dense CRF: {" or ".join(PRESETS)}, optionally with changes, as in '
             f'tensorflow,steps=5; they are {", ".join(_FIELDS)}')


def crf_parameters(text: str) -> CrfParameters:
    """Parses the name of a preset, parameters such as ``steps=5``, or both, separated by commas."""
    preset, changes = PRESETS['deeplab'], {}
    for part in text.split(','):
        name, given, value = part.partition('=')
        if not given and name in PRESETS:
            preset = PRESETS[name]
        elif given and name in _FIELDS:
            changes[name] = _number(value, _FIELDS[name])
        else:
            raise argparse.ArgumentTypeError(
                f'{part!r} is neither {" nor ".join(PRESETS)}, nor a number such as steps=5; the '
                f'numbers are {", ".join(_FIELDS)}')
    try:
        return dataclasses.replace(preset, **changes)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _number(text, kind):
    try:
        value = kind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'{text!r} is not a number for the dense CRF') from error
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number for the dense CRF')
    return value
