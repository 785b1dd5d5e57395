"""Pipeline stages that overlap: threads with bounded queues before and after the caller."""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar('T')

_END = object()


def prefetch(items: Iterable[T], ahead: int = 4) -> Generator[T, None, None]:
    """Yields ``items``, an iterable, while a thread computes up to ``ahead`` items in advance.

    An exception of the iterable is raised here, after the items before it. A caller that stops early
    stops the thread.
    """
    waiting: queue.Queue = queue.Queue(ahead)
    is_over = threading.Event()

    def work() -> None:
        try:
            for item in items:
                if not _put(waiting, (item, None), is_over):
                    return
            _put(waiting, (_END, None), is_over)
        except BaseException as error:  # noqa: BLE001 - reraised in the caller's thread
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
    """A thread that applies a function to items in order; a context manager.

    Args:
        function: Called with each item.
        ahead: Maximum number of queued items; :meth:`put` blocks while the queue is full.

    An exception of the function is raised by the next :meth:`put`, or at the end of the block, which
    waits for all items. If the block ends with an exception other than KeyboardInterrupt, queued items
    are dropped.
    """

    def __init__(self, function: Callable[[Any], object], ahead: int = 4) -> None:
        self._function = function
        self._error: BaseException | None = None
        self._waiting: queue.Queue = queue.Queue(ahead)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def put(self, item: Any) -> None:
        """Queues an item; blocks while the queue is full."""
        if not _put(self._waiting, item, self._is_over) and self._error is not None:
            raise self._error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            self._is_over.set()
        _put(self._waiting, _END, self._is_over)
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def _work(self) -> None:
        while not self._is_over.is_set():
            try:
                item = self._waiting.get(timeout=_POLL_INTERVAL)
            except queue.Empty:
                continue
            if item is _END:
                return
            try:
                self._function(item)
            except BaseException as error:  # noqa: BLE001 - reraised in the caller's thread
                self._error = error
                self._is_over.set()


_POLL_INTERVAL = 0.1  # seconds between checks whether the other side has ended


def _put(waiting: queue.Queue, item: Any, is_over: threading.Event) -> bool:
    """Puts an item into a queue, waiting for room; returns False once the other side has ended."""
    while not is_over.is_set():
        with contextlib.suppress(queue.Full):
            waiting.put(item, timeout=_POLL_INTERVAL)
            return True
    return False
