"""Stages of work that overlap: threads with bounded queues before and after the caller."""

import contextlib
import queue
import threading

_END = object()


def prefetch(items, ahead=4):
    """Yields ``items``, an iterable, which a thread is up to ``ahead`` items in front of.

    What the iterable raises is raised here, after the items before it. A caller that stops early
    stops the thread.
    """
    waiting, is_over = queue.Queue(ahead), threading.Event()

    def work():
        try:
            for item in items:
                if not _put(waiting, (item, None), is_over):
                    return
            _put(waiting, (_END, None), is_over)
        except BaseException as error:  # noqa: BLE001 - raised again where it can be caught
            _put(waiting, (_END, error), is_over)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        is_over.set()
        thread.join()


class Background(contextlib.AbstractContextManager):
    """A thread that does something with each item it is given, in order; to be used by ``with``.

    Args:
        function: Is called with each item.
        ahead: The most items that wait; :meth:`put` waits for room.

    What the function raises is raised by the next :meth:`put`, or at the end of the block, which
    waits for all items. Where the block ends by an exception other than an interruption, items that
    still wait are dropped.
    """

    def __init__(self, function, ahead=4):
        self._function, self._error = function, None
        self._waiting, self._is_over = queue.Queue(ahead), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def put(self, item):
        if not _put(self._waiting, item, self._is_over):
            raise self._error

    def __exit__(self, kind, error, trace):
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            self._is_over.set()
        _put(self._waiting, _END, self._is_over)
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def _work(self):
        while not self._is_over.is_set():
            try:
                item = self._waiting.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            if item is _END:
                return
            try:
                self._function(item)
            except BaseException as error:  # noqa: BLE001 - raised again where it can be caught
                self._error = error
                self._is_over.set()


_PATIENCE = 0.1  # seconds between looks at whether the other side is still there


def _put(waiting, item, is_over):
    """Puts an item where there is room; False once the other side is over."""
    while not is_over.is_set():
        with contextlib.suppress(queue.Full):
            waiting.put(item, timeout=_PATIENCE)
            return True
    return False
