"""Shared by all scripts: common options, messages, and the exit statuses 0, 2, 130 and 143."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from chainer_seg import signals
from chainer_seg.errors import UserError
from chainer_seg.options import Parser

USER_ERROR_STATUS = 2


def parser(description: str | None, *, device: bool = True, **options: Any) -> Parser:
    """An argument parser with --seed, --device (unless ``device`` is False), -v and -q."""
    made = Parser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **options)
    add_common_options(made, device=device)
    return made


def add_common_options(made: argparse.ArgumentParser, *, device: bool = True) -> None:
    """Adds the options of every script and subcommand to the parser ``made``."""
    made.add_argument('--seed', type=int, default=0, help='seed of all randomness')
    if device:
        made.add_argument('--device', default=None, metavar='D',
                          help='cpu, or the number of a GPU; by default the first GPU if there is one')
    made.add_argument('-v', '--verbose', action='count', default=0, help='print more')
    made.add_argument('-q', '--quiet', action='store_true', help='only print errors')


def add_strict_option(made: argparse._ActionsContainer) -> None:
    """Adds --strict, the argument of :class:`chainer_seg.bad_images.BadImages`."""
    made.add_argument('--strict', action='store_true',
                      help='stop at the first image that cannot be read; by default such images are '
                           'skipped and listed at the end, with exit status 2')


def size_argument(text: str) -> tuple[int, int]:
    """Parses ``HEIGHTxWIDTH`` or one number for a square into (height, width)."""
    parts = text.lower().split('x')
    if len(parts) not in (1, 2) or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f'{text!r} is not a size such as 256 or 240x320')
    return int(parts[0]), int(parts[-1])


def count_argument(text: str) -> int:
    """Parses a whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number of at least 1')
    return int(text)


def set_up_messages(arguments: argparse.Namespace) -> None:
    """Sends the log to standard output at the level set by -v and -q."""
    level = logging.INFO
    if arguments.quiet:
        level = logging.WARNING
    elif arguments.verbose:
        level = logging.DEBUG
    logging.basicConfig(level=level, format='%(message)s', stream=sys.stdout, force=True)
    # These libraries log details that only their authors need.
    for name in ('matplotlib', 'PIL', 'fontTools', 'h5py'):
        logging.getLogger(name).setLevel(logging.WARNING)


def run(main: Callable[[], object]) -> None:
    """Calls ``main()`` and ends the process.

    The exit status is 0, 2 for a user error, 130 if interrupted and 143 if terminated by SIGTERM.
    """
    received = []

    def terminate(number, frame):
        received.append(number)
        raise signals.Terminated

    with signals.handled(terminate, (signal.SIGTERM,)):
        _run(main, received)


def _run(main, received):
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except KeyboardInterrupt as interrupt:
        # A library may have turned Terminated into a KeyboardInterrupt.
        terminated = received or isinstance(interrupt, signals.Terminated)
        print(f'{"terminated" if terminated else "interrupted"}'
              f'{f": {interrupt}" if str(interrupt) else ""}', file=sys.stderr)
        sys.exit(signals.TERMINATED_STATUS if terminated else signals.INTERRUPTED_STATUS)
    except BrokenPipeError:
        # The reader of a pipe (head, less) exited, which is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
