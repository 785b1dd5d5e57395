"""Ctrl-C and SIGTERM while training: the first asks for a clean end, the second ends at once."""

import contextlib
import signal

from chainer_seg import signals
from chainer_seg.training.progress import in_notebook


class Interruption(contextlib.ExitStack):
    """Listens for SIGINT and SIGTERM while its block runs.

    The first signal sets :attr:`requested` and calls ``say``; whoever runs the loop is to end it
    at the next good moment by raising :attr:`exception`. The second raises it wherever the program is.
    In a thread other than the main one, where Python allows no signal handlers, nothing is done; in a
    Jupyter kernel, which SIGTERM is to end, SIGTERM is left alone.

    Args:
        say: ``say(sentence)``.

    Attributes:
        requested (bool): Whether there was a signal.
        exception: What to raise: KeyboardInterrupt or :class:`chainer_seg.signals.Terminated`.
    """

    def __init__(self, say=print):
        super().__init__()
        self._say = say
        self.requested, self.exception = False, KeyboardInterrupt

    def __enter__(self):
        self.requested, self.exception = False, KeyboardInterrupt
        numbers = (signal.SIGINT,) if in_notebook() else (signal.SIGINT, signal.SIGTERM)
        self.enter_context(signals.handled(self._on_signal, numbers))
        return self

    def _on_signal(self, number, frame):
        self.exception = signals.Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if self.requested:
            raise self.exception
        self.requested = True
        # The signal may come while the main thread is printing, which then cannot print.
        with contextlib.suppress(RuntimeError):
            self._say('Finishing this iteration and saving; press Ctrl-C again to stop at once.'
                      if number == signal.SIGINT else
                      'Finishing this iteration and saving; a second SIGTERM stops at once.')
