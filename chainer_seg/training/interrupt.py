"""Ctrl-C and SIGTERM during training: the first one requests a clean stop, the second stops immediately."""

import contextlib
import signal
from collections.abc import Callable
from types import FrameType

from chainer_seg import signals
from chainer_seg.training.progress import in_notebook


class Interruption(contextlib.ExitStack):
    """Handles SIGINT and SIGTERM within a ``with`` block.

    The first signal sets :attr:`requested` and calls ``say``; the training loop must then end at a safe
    point by raising :attr:`exception`. The second signal raises it immediately. Outside the main thread,
    where Python allows no signal handlers, nothing is done; in a Jupyter kernel, which SIGTERM must end,
    SIGTERM is not handled.

    Args:
        say: ``say(message)``.

    Attributes:
        requested (bool): Whether a signal has arrived.
        exception: The class to raise: KeyboardInterrupt or :class:`chainer_seg.signals.Terminated`.
    """

    def __init__(self, say: Callable[[str], object] = print) -> None:
        super().__init__()
        self._say = say
        self.requested = False
        self.exception: type[BaseException] = KeyboardInterrupt

    def __enter__(self) -> 'Interruption':
        self.requested, self.exception = False, KeyboardInterrupt
        numbers = (signal.SIGINT,) if in_notebook() else (signal.SIGINT, signal.SIGTERM)
        self.enter_context(signals.handled(self._on_signal, numbers))
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.exception = signals.Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if self.requested:
            raise self.exception
        self.requested = True
        # The signal may arrive during a print, in which printing again raises an error.
        with contextlib.suppress(RuntimeError):
            self._say('Finishing this iteration and saving; press Ctrl-C again to stop immediately.'
                      if number == signal.SIGINT else
                      'Finishing this iteration and saving; a second SIGTERM stops immediately.')
