"""Where options apply: one that is given where it changes nothing is an error, never ignored."""

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainer_seg.recipes.data import SYNTHETIC


class When(typing.NamedTuple):
    """A condition under which an option applies.

    Attributes:
        words: The condition in words, after 'applies only', such as 'with --crf'.
        holds: Whether the options, ``{name: value}``, meet it.
    """

    words: str
    holds: Callable[[Mapping[str, Any]], bool]


def with_any(*flags: str) -> When:
    """If one of these options is set."""
    return When(f'with {_listed(flags)}', lambda options: any(_is_set(options, flag) for flag in flags))


def without(*flags: str) -> When:
    """If none of these options is set."""
    return When(f'without {_listed(flags)}',
                lambda options: not any(_is_set(options, flag) for flag in flags))


def where(flag: str, *values: str) -> When:
    """If an option has one of these values, or several values of which one is among them."""
    def holds(options: Mapping[str, Any]) -> bool:
        value = options[_name(flag)]
        return any(each in values for each in (value if isinstance(value, tuple) else [value]))
    return When(f'with {flag} {_listed(values)}', holds)


def _is_set(options: Mapping[str, Any], flag: str) -> bool:
    value = options[_name(flag)]
    return value is not None and value is not False and value != ()


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f'{", ".join(first)} or {last}' if first else last


def _name(flag: str) -> str:
    return flag.removeprefix('--').replace('-', '_')


OF_FILES = When('with a --dataset of files, such as coco',
                lambda options: options['dataset'] not in SYNTHETIC)
OF_SYNTHETIC = When('with a --dataset that is synthetic', lambda options: options['dataset'] in SYNTHETIC)


class Rule(typing.NamedTuple):
    """Where some options apply, by all options together."""

    when: When
    flags: tuple[str, ...]


def only(when: When, *flags: str) -> Rule:
    """Options that apply only there."""
    return Rule(when, flags)


# What holds for every system.
DATA_RULES = (
    only(OF_FILES, '--annotations', '--images', '--val-annotations', '--val-images'),
    only(OF_SYNTHETIC, '--size'),
)
VALIDATION_RULES = (
    only(OF_SYNTHETIC, '--val-n'),
    only(with_any('--val-annotations'), '--val-images'),
)
MOMENTUM_RULE = only(where('--optimizer', 'momentum'), '--momentum')
STEP_RULE = only(where('--schedule', 'steps'), '--lr-step')
POWER_RULE = only(where('--schedule', 'poly'), '--power')

RANK_RULE = only(with_any('--communicator'), '--lr-scaling', '--sync-batch-norm')
