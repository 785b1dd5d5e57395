"""Types of recipe fields, which say how a field is written on a command line.

A field of a recipe is declared once: its name, type, default and the sentence in the docstring of its
class. The command line is generated from that by tyro; what a type alone cannot say - the spelling that
an original program has for the option, the form of a size - stands in the field's annotation.
"""

import dataclasses
import functools
import itertools
import tomllib
import typing
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from msgspec import Meta
from tyro.conf import FlagCreatePairsOff, arg
from tyro.conf import OmitArgPrefixes as Flat  # ``Flat[Section]``: options without the section's name
from tyro.constructors import PrimitiveConstructorSpec


__all__ = ['Blocks', 'Count', 'Flat', 'NotNegative', 'Positive', 'Resume', 'Share', 'Size', 'Switch', 'TOML',
           'aliases', 'chosen', 'option', 'value_of_option']

Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Blocks = Annotated[int, Meta(ge=1, le=1000)]  # of a stage of a network
NotNegative = Annotated[float, Meta(ge=0.0, le=1e12)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Switch = FlagCreatePairsOff[bool]  # an option without a value, off by default


def option(*aliases: str, metavar: str | None = None) -> Any:
    """An annotation: further spellings of an option, such as ``'--batchsize'``, and its placeholder."""
    return arg(aliases=aliases, metavar=metavar, help_behavior_hint=_default)


def chosen(names: Iterable[str]) -> PrimitiveConstructorSpec:
    """An annotation of a ``str``, or of a ``str`` that may be None, which is one of these names."""
    names = tuple(names)
    return PrimitiveConstructorSpec(
        nargs=1, metavar=f'{{{",".join(names)}}}', instance_from_str=lambda words: words[0],
        is_instance=lambda value: value is None or isinstance(value, str),
        str_from_instance=lambda value: [str(value)], choices=names)


@functools.cache
def aliases(form: type) -> dict[str, str]:
    """The fields of a dataclass by their further spellings, as these are written in a file."""
    hints = typing.get_type_hints(form, include_extras=True)
    return {alias.lstrip('-').replace('-', '_'): field.name for field in dataclasses.fields(form)
            for note in getattr(hints[field.name], '__metadata__', ())
            for alias in getattr(note, 'aliases', None) or ()}


def value_of_option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option of a command line that is not parsed yet; None where it is not given."""
    value = None
    for word, following in itertools.pairwise([*arguments, '']):
        if word == name:
            value = following
        elif word.startswith(f'{name}='):
            value = word.removeprefix(f'{name}=')
    return value


def _default(value: str) -> str:
    """The default as the help shows it; nothing where the text says what happens without the option."""
    return '' if value in ('None', '') else f'(default: {value})'


def _size(words: Sequence[str]) -> tuple[int, int]:
    sides = words[0].lower().split('x')
    if len(sides) > 2 or not all(side.isdigit() and int(side) > 0 for side in sides):
        raise ValueError(f'{words[0]!r} is not a size such as 256 or 240x320')
    return int(sides[0]), int(sides[-1])


def _toml_value(words: Sequence[str]) -> Any:
    try:
        return _as_tuples(tomllib.loads(f'value = {words[0]}')['value'])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f'{words[0]!r} is not a value in TOML, such as [[24], [48]]') from error


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _toml_text(value: object) -> list[str]:
    return [str(value).replace('(', '[').replace(',)', ']').replace(')', ']')]


# (height, width) in pixels; one number on the command line stands for a square.
Size = Annotated[tuple[int, int], PrimitiveConstructorSpec(
    nargs=1, metavar='HxW', instance_from_str=_size, is_instance=lambda value: isinstance(value, tuple),
    str_from_instance=lambda value: ['x'.join(map(str, value))])]

# For lists of lists.
TOML = PrimitiveConstructorSpec(
    nargs=1, metavar='TOML', instance_from_str=_toml_value,
    is_instance=lambda value: isinstance(value, tuple), str_from_instance=_toml_text)

# What a run resumes from: None, 'auto' for the latest snapshot, or a path.
Resume = Annotated[str | None, PrimitiveConstructorSpec(
    nargs='*', metavar='[SNAPSHOT]', instance_from_str=lambda words: words[0] if words else 'auto',
    is_instance=lambda value: value is None or isinstance(value, str),
    str_from_instance=lambda value: [value or 'not resumed'])]
