"""The subcommand ``train SYSTEM``: finds the system, whose recipe has the options."""

import argparse
import sys
from collections.abc import Sequence

from chainer_seg.cli import PROGRAM, find_name
from chainer_seg.command_line import USER_ERROR_STATUS
from chainer_seg.recipes import SYSTEMS, recipe_class

_PROGRAM = f'{PROGRAM} train'


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the system that comes first in ``arguments``."""
    from chainer_seg.cli.train import train
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ('-h', '--help'):
        print(_help(), file=sys.stdout if arguments else sys.stderr)
        if not arguments:
            sys.exit(USER_ERROR_STATUS)
        return
    system, *rest = arguments
    train(find_name(system, SYSTEMS, _PROGRAM, 'system'), rest, _PROGRAM)


def make_parser(system: str) -> argparse.ArgumentParser:
    """A parser of the options of training a system, for their names."""
    import tyro

    from chainer_seg.cli import train
    form = recipe_class(system)
    return tyro.extras.get_parser(train._command(form, form()))


def _help():
    """The usage and a line for each system."""
    lines = [f'  {system:12}{recipe_class(system).title}' for system in SYSTEMS]
    return '\n'.join([f'usage: {_PROGRAM} SYSTEM ...', '', *lines, '',
                      f'{_PROGRAM} SYSTEM --help lists the options of a system.'])
