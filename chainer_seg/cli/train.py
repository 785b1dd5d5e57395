"""Train one of the systems."""

import argparse
import dataclasses
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import tyro
from tyro.conf import OmitArgPrefixes, arg

from chainer_seg.recipes import SYSTEMS, Recipe, Run, recipe_class


@dataclasses.dataclass(frozen=True)
class Output:
    """Messages.

    Attributes:
        verbose: Print more.
        quiet: Only print errors.
    """

    verbose: Annotated[bool, arg(aliases=['-v'])] = False
    quiet: Annotated[bool, arg(aliases=['-q'])] = False


def command_of(recipe: type[Recipe]) -> type:
    """The dataclass whose fields are the options of ``chainer-seg train SYSTEM``."""
    return dataclasses.make_dataclass('Train', [
        ('recipe', recipe), ('data', recipe.data), ('run', Run), ('output', Output)])


def main(arguments: Sequence[str]) -> None:
    """Trains as the options say."""
    recipe = recipe_class('mask-rcnn')
    options = tyro.cli(OmitArgPrefixes[command_of(recipe)], args=arguments,
                       prog='chainer-seg train mask-rcnn', description=recipe.__doc__)
    print(options)


main(sys.argv[1:])
