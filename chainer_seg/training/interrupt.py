"""Ctrl-C while training: the first asks for a clean end, the second ends at once."""

import contextlib
import signal
import threading


class Interruption:
    """Listens for SIGINT while its block runs.

    The first SIGINT sets :attr:`requested` and calls ``say``; whoever runs the loop is to end it
    at the next good moment. The second raises KeyboardInterrupt wherever the program is. In a
    thread other than the main one, where Python allows no signal handlers, nothing is done.

    Args:
        say: ``say(sentence)``.
    """

    def __init__(self, say=print):
        self._say = say
        self._previous = None
        self.requested = False

    def __enter__(self):
        self.requested = False
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *exception):
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _on_signal(self, number, frame):
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # The signal may come while the main thread is printing, which then cannot print.
        with contextlib.suppress(RuntimeError):
            self._say('Finishing this iteration and saving; press Ctrl-C again to stop at once.')
