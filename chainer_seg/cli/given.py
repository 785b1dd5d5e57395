"""Which options stand on a command line, and whether they apply there."""

import argparse
import dataclasses
import functools
import typing
from collections.abc import Collection, Iterable, Iterator, Sequence

from chainer_seg.errors import UserError
from chainer_seg.recipes.base import Recipe
from chainer_seg.recipes.options import Flat
from chainer_seg.recipes.rules import Rule


@functools.cache
def spellings(section: type) -> dict[str, str]:
    """The fields of a dataclass of options by every way in which they can be written."""
    hints = typing.get_type_hints(section, include_extras=True)
    found = {}
    for field in dataclasses.fields(section):
        notes = getattr(hints[field.name], '__metadata__', ())
        names = [each.name for each in notes if getattr(each, 'name', None)] or [field.name]
        names += [alias for each in notes for alias in getattr(each, 'aliases', None) or ()]
        for name in names:
            plain = _plain(name)
            found[plain] = found[f'no-{plain}'] = field.name
    return found


def is_switch(section: type, field: str) -> bool:
    """Whether a field of options is switched on and off, and so can be written with "no-"."""
    return typing.get_type_hints(section)[field] is bool


def given_fields(sections: Iterable[type], arguments: Sequence[str]) -> set[str]:
    """The names of the fields that the options of a command line set."""
    known: dict[str, str] = {}
    for section in sections:
        known.update(spellings(section))
    words = (_plain(word.partition('=')[0]) for word in arguments if word.startswith('-'))
    return {known[word] for word in words if word in known}


def flat_sections(form: type[Recipe]) -> Iterator[type]:
    """The sections of a recipe whose options are named without the section."""
    hints = typing.get_type_hints(form, include_extras=True)
    for name, section in form.sections().items():
        if Flat in getattr(hints[name], '__metadata__', ()):
            yield section


def check_rules(rules: Collection[Rule], given: Collection[str], options: argparse.Namespace) -> None:
    """Refuses an option that is given where it changes nothing.

    Raises:
        chainer_seg.errors.UserError: There is one; the sentence says where it applies.
    """
    for when, flags in rules:
        for flag in flags:
            field = _plain(flag).removeprefix('no-').replace('-', '_')
            if field in given and not when.holds(options):
                raise UserError(f'{flag} applies only {when.words}, and changes nothing here; omit it.')


def _plain(word):
    return word.lstrip('-').replace('_', '-')
