"""SIGTERM, which ends a program like Ctrl-C, but with exit status 143."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

INTERRUPTED_STATUS, TERMINATED_STATUS = 130, 143  # 128 plus the number of the signal, as in shells


class Terminated(KeyboardInterrupt, SystemExit):
    """SIGTERM was received: handled wherever Ctrl-C is; if unhandled, the exit status is 143."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.code = TERMINATED_STATUS


@contextlib.contextmanager
def handled(handler: Callable, numbers: tuple[int, ...]) -> Iterator[None]:
    """Installs ``handler(number, frame)`` for some signals while the block runs.

    Does nothing outside the main thread, where Python does not allow signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            # None means a handler that Python did not install and cannot restore.
            signal.signal(number, signal.SIG_DFL if before is None else before)
