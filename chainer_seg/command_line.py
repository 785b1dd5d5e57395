"""What every script shares: common options, messages, and the exit statuses 0, 2 and 130."""

import argparse
import logging
import os
import sys

from chainer_seg.errors import UserError
from chainer_seg.options import Parser

USER_ERROR_STATUS = 2
INTERRUPTED_STATUS = 130


def parser(description, *, device=True, **options):
    """An argument parser with --seed, --device (unless ``device`` is False), -v and -q."""
    made = Parser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **options)
    add_common_options(made, device=device)
    return made


def add_common_options(made, *, device=True):
    """Adds the options that every script and sub-command has to the parser ``made``."""
    made.add_argument('--seed', type=int, default=0, help='seed of all randomness')
    if device:
        made.add_argument('--device', default=None, metavar='D',
                          help='cpu, or the number of a GPU; the first GPU when there is one')
    made.add_argument('-v', '--verbose', action='count', default=0, help='say more')
    made.add_argument('-q', '--quiet', action='store_true', help='say only what went wrong')


def size_argument(text):
    """Parses ``HEIGHTxWIDTH`` or one number for a square into (height, width)."""
    parts = text.lower().split('x')
    if len(parts) not in (1, 2) or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f'{text!r} is not a size such as 256 or 240x320')
    return int(parts[0]), int(parts[-1])


def count_argument(text):
    """Parses a whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r} is not a whole number from 1')
    return int(text)


def set_up_messages(arguments):
    """Sends the log to standard output at the level that -v and -q ask for."""
    level = logging.INFO
    if arguments.quiet:
        level = logging.ERROR
    elif arguments.verbose:
        level = logging.DEBUG
    logging.basicConfig(level=level, format='%(message)s', stream=sys.stdout, force=True)
    # Libraries below say things only their authors need.
    for name in ('matplotlib', 'PIL', 'fontTools', 'h5py'):
        logging.getLogger(name).setLevel(logging.WARNING)


def run(main):
    """Calls ``main()`` and ends the process: 0, 2 for a user's error, 130 when interrupted."""
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except KeyboardInterrupt as interrupt:
        print(f'interrupted{f": {interrupt}" if str(interrupt) else ""}', file=sys.stderr)
        sys.exit(INTERRUPTED_STATUS)
    except BrokenPipeError:
        # The reader of a pipe (head, less) left; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
