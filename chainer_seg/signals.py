"""SIGTERM, which ends a program as Ctrl-C does, but with the exit status 143."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

INTERRUPTED_STATUS, TERMINATED_STATUS = 130, 143  # 128 and the number of the signal, as shells have it


class Terminated(KeyboardInterrupt, SystemExit):
    """SIGTERM was received: handled wherever Ctrl-C is; if by nobody, the program ends with 143."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.code = TERMINATED_STATUS


@contextlib.contextmanager
def handled(handler: Callable, numbers: tuple[int, ...]) -> Iterator[None]:
    """Lets ``handler(number, frame)`` handle some signals while the block runs.

    Nothing is done outside the main thread, where Python allows no signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in previous.items():
            # None stands for a handler that Python did not install and cannot bring back.
            signal.signal(number, signal.SIG_DFL if before is None else before)
