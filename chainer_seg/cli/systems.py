"""The subcommand ``train SYSTEM``: finds the system, whose recipe has the options."""

import contextlib
import io
import re
import sys
from collections.abc import Sequence

from chainer_seg.cli import PROGRAM, find_name
from chainer_seg.command_line import USER_ERROR_STATUS
from chainer_seg.recipes import SYSTEMS, recipe_class

_PROGRAM = f'{PROGRAM} train'
_OPTION = re.compile(r'(?<![\w-])--?[A-Za-z][\w-]*(?:\.[\w-]+)*')
_OPTION_LINE = re.compile(r'^\W*?((?:\[?--?[A-Za-z].*))', re.MULTILINE)


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


def options_of(system: str) -> list[str]:
    """The options of training a system, in all their spellings, as its help lists them."""
    from chainer_seg.cli.train import train
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        train(system, ['--help'], _PROGRAM)
    found = [word for line in _OPTION_LINE.findall(text.getvalue()) for word in _OPTION.findall(line)]
    return list(dict.fromkeys(['--recipe', '--set', *found]))


def _help():
    """The usage and a line for each system."""
    lines = [f'  {system:12}{recipe_class(system).title}' for system in SYSTEMS]
    return '\n'.join([f'usage: {_PROGRAM} SYSTEM ...', '', *lines, '',
                      f'{_PROGRAM} SYSTEM --help lists the options of a system.'])
