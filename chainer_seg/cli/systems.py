"""The subcommand ``train SYSTEM``: its systems, and the names of their options."""

import contextlib
import io
import re
import sys
from collections.abc import Sequence

from chainer_seg.cli import PROGRAM, find_name
from chainer_seg.recipes import SYSTEMS

_PROGRAM = f'{PROGRAM} train'
_OPTION_LINE = re.compile(r'^\W*?((?:\[?--?[A-Za-z].*))', re.MULTILINE)
_OPTION = re.compile(r'(?<![\w-])--?[A-Za-z][\w-]*(?:\.[\w-]+)*')


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains the system that comes first in ``arguments``."""
    from chainer_seg.cli import train
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and not arguments[0].startswith('-'):
        find_name(arguments[0], SYSTEMS, _PROGRAM, 'system')
    train.main(arguments, _PROGRAM)


def options_of(system: str) -> list[str]:
    """The options of training a system, in all their spellings, as its help lists them."""
    from chainer_seg.cli import train
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        train.main([system, '--help'], _PROGRAM)
    found = [word for line in _OPTION_LINE.findall(text.getvalue()) for word in _OPTION.findall(line)]
    return list(dict.fromkeys(['--recipe', '--set', *found]))
