"""How commands end: with the exit statuses 0, 2, 130 and 143, and in one sentence."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from chainer_seg import signals
from chainer_seg.errors import UserError

USER_ERROR_STATUS = 2


def run(main: Callable[[], object]) -> None:
    """Calls ``main()`` and ends the process.

    The exit status is 0, 2 for a user error, 130 if interrupted and 143 if terminated by SIGTERM.
    """
    received: list[int] = []

    def terminate(number: int, frame: object) -> None:
        received.append(number)
        raise signals.Terminated

    with signals.handled(terminate, (signal.SIGTERM,)):
        _run(main, received)


def _run(main: Callable[[], object], received: list[int]) -> None:
    try:
        main()
        sys.stdout.flush()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(USER_ERROR_STATUS)
    except KeyboardInterrupt as interrupt:
        # A library may have turned Terminated into a KeyboardInterrupt.
        _stop(bool(received) or isinstance(interrupt, signals.Terminated), str(interrupt))
    except SystemError:
        # Python 3.11's own parser, which reads the help texts, turns Terminated into this.
        if not received:
            raise
        _stop(terminated=True)
    except BrokenPipeError:
        # The reader of a pipe (head, less) exited, which is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(terminated: bool, message: str = '') -> NoReturn:
    print(f'{"terminated" if terminated else "interrupted"}{f": {message}" if message else ""}',
          file=sys.stderr)
    sys.exit(signals.TERMINATED_STATUS if terminated else signals.INTERRUPTED_STATUS)
