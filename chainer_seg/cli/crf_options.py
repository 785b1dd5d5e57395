"""The parameters of a dense CRF on the command line."""

import dataclasses
import math
import typing
from collections.abc import Callable
from typing import Any

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.dense_crf import PRESETS, CrfParameters

_FIELDS = typing.get_type_hints(CrfParameters)


def crf_parameters(text: str) -> CrfParameters:
    """Parses the name of a preset, parameters such as ``steps=5``, or both, separated by commas.

    Raises:
        chainer_seg.errors.UserError: The text is none of these.
    """
    preset, changes = PRESETS['deeplab'], dict[str, Any]()
    for part in text.split(','):
        name, given, value = part.partition('=')
        if not given and name in PRESETS:
            preset = PRESETS[name]
        elif given and name in _FIELDS:
            changes[name] = _number(value, _FIELDS[name])
        else:
            raise UserError(f'{part!r} is neither {" nor ".join(PRESETS)}, nor a number such as steps=5; the '
                            f'numbers are {", ".join(_FIELDS)}.')
    return dataclasses.replace(preset, **changes)


def _number(text: str, kind: Callable[[str], float]) -> float:
    try:
        value = kind(text)
    except ValueError as error:
        raise UserError(f'{text!r} is not a number for the dense CRF.') from error
    if not math.isfinite(value):
        raise UserError(f'{text!r} is not a number for the dense CRF.')
    return value
