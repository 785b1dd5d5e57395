"""Where options apply: one that is given where it changes nothing is an error, never ignored."""

import typing

from chainer_seg.options import When, where, with_any, without

SYNTHETIC = ('shapes', 'plain-shapes', 'figures')

OF_FILES = When('with a --dataset of files, such as coco', lambda options: options.dataset not in SYNTHETIC)
OF_SYNTHETIC = When('with a --dataset that is synthetic', lambda options: options.dataset in SYNTHETIC)


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

__all__ = ['DATA_RULES', 'MOMENTUM_RULE', 'OF_FILES', 'OF_SYNTHETIC', 'VALIDATION_RULES', 'Rule', 'When',
           'only', 'where', 'with_any', 'without']
