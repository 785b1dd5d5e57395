"""Loads examples ahead of their use: in worker processes, in threads, or in the main thread."""

import concurrent.futures
import contextlib
import multiprocessing
import pickle
import queue
import signal
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from chainer_seg.errors import TrainingError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CAN_BLOCK = hasattr(signal, 'pthread_sigmask')  # not on Windows

Load = Callable[[int, int], Any]  # load(number, index) -> sample


class Workers(Protocol):
    """Something that loads examples."""

    def submit(self, number: int, index: int) -> concurrent.futures.Future:
        """A future of ``load(number, index)``."""

    def close(self) -> None:
        """Stops loading."""


class InPlace:
    """Loads each example when it is requested."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def submit(self, number: int, index: int) -> concurrent.futures.Future:
        """A future that is already done, with ``load(number, index)`` or its error."""
        future: concurrent.futures.Future = concurrent.futures.Future()
        try:
            future.set_result(self._load(number, index))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Does nothing: there is nothing to stop."""


class Threads:
    """Loads examples in ``count`` threads."""

    def __init__(self, load: Load, count: int) -> None:
        self._load = load
        self._executor = concurrent.futures.ThreadPoolExecutor(
            count, thread_name_prefix='example-loader')

    def submit(self, number: int, index: int) -> concurrent.futures.Future:
        """A future of ``load(number, index)``."""
        return self._executor.submit(self._load, number, index)

    def close(self) -> None:
        """Stops the threads; pending examples are dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class Processes:
    """Loads examples in ``count`` processes, each served by one thread of this process.

    The thread sends the number of an example and waits for the sample, so a large sample is
    received while the main thread computes. Processes are forked if the operating system supports it,
    so that a data set or transform defined in a notebook need not be pickled.

    Not a concurrent.futures.ProcessPoolExecutor, whose workers outlive a parent that is killed, whose
    shutdown waits for the examples that are being loaded, and which breaks at an error that cannot be
    unpickled; nor a multiprocessing.Pool, which waits forever for the sample of a worker that was killed.

    Args:
        load: ``load(number, index) -> sample``.
        count: Number of processes.
        start_method: ``'fork'``, ``'spawn'`` or ``'forkserver'``; None to fork if possible.
    """

    def __init__(self, load: Load, count: int, start_method: str | None = None) -> None:
        if start_method is None:
            methods = multiprocessing.get_all_start_methods()
            start_method = 'fork' if 'fork' in methods else 'spawn'
        context: Any = multiprocessing.get_context(start_method)
        self._closing = False
        self._processes: list[Any] = []
        self._idle: queue.SimpleQueue = queue.SimpleQueue()
        self._connections: list[Any] = []
        try:
            for _ in range(count):
                self._start(context, load)
        except BaseException:
            self.close()
            raise
        self._threads = Threads(self._load_remotely, count)

    _threads: Threads | None = None

    def _start(self, context: Any, load: Load) -> None:
        ours, theirs = context.Pipe()
        # A fork inherits our ends of the pipes; if they stayed open there, it would not notice our exit.
        inherited = [*self._connections, ours] if context.get_start_method() == 'fork' else []
        process = context.Process(
            target=_serve, args=(load, theirs, inherited), daemon=True, name='example-loader')
        with warnings.catch_warnings(), _signals_blocked():
            # Python 3.12 warns of forks in multithreaded processes; the workers do not use those threads.
            warnings.filterwarnings('ignore', category=DeprecationWarning, message='.*fork')
            try:
                process.start()
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise TrainingError(
                    'The data set or the transform cannot be pickled for worker processes '
                    f'({error}); define them in a module, or use workers=0.') from error
        # Left open in the worker only, so that its exit closes the pipe.
        theirs.close()
        self._processes.append(process)
        self._connections.append(ours)
        self._idle.put(ours)

    def submit(self, number: int, index: int) -> concurrent.futures.Future:
        """A future of ``load(number, index)``, computed by one of the processes."""
        assert self._threads is not None
        return self._threads.submit(number, index)

    def _load_remotely(self, number: int, index: int) -> Any:
        connection = self._idle.get()
        try:
            connection.send((number, index))
            succeeded, result = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError) as error:
            if self._closing:
                raise concurrent.futures.CancelledError from None
            raise TrainingError(
                'A worker process that loads examples was killed, usually because memory ran out; '
                'use fewer workers, or workers=0.') from error
        finally:
            self._idle.put(connection)
        if not succeeded:
            raise result
        return result

    def close(self) -> None:
        """Stops processes and threads immediately."""
        self._closing = True
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
            process.close()
        if self._threads is not None:
            self._threads.close()
        for connection in self._connections:
            connection.close()
        self._processes, self._connections = [], []


def make_workers(load: Load, count: int, kind: str = 'process', start_method: str | None = None
                 ) -> Workers:
    """Starts ``count`` workers.

    Args:
        load: ``load(number, index) -> sample``, called for each example.
        count: The number of workers; 0 to load in the main thread.
        kind: ``'process'`` or ``'thread'``.
        start_method: How processes start; see :class:`Processes`.
    """
    if kind not in ('process', 'thread'):
        raise ValueError(f'worker_kind must be "process" or "thread", got {kind!r}')
    if count == 0:
        return InPlace(load)
    if kind == 'thread':
        return Threads(load, count)
    return Processes(load, count, start_method)


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Blocks signals while a process starts: until it ignores them, it has its parent's handlers."""
    if not _CAN_BLOCK:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(load: Load, connection: Any, inherited: Iterable[Any]) -> None:
    """The main loop of a worker process: loads what is requested until the trainer exits."""
    # Ctrl-C reaches every process of the terminal, and a batch system sends SIGTERM to every process
    # of a job; the trainer decides how training ends.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if _CAN_BLOCK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    for other in inherited:
        other.close()
    _use_one_opencv_thread()
    while True:
        try:
            number, index = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = pickle.dumps((True, load(number, index)), protocol=5)
        except Exception as error:
            answer = _pickle_error(error, index)
        try:
            connection.send_bytes(answer)
        except OSError:
            return


def _use_one_opencv_thread() -> None:
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(0)


def _pickle_error(error: Exception, index: int) -> bytes:
    where = ''.join(traceback.format_exception(error))
    error.add_note(f'Raised in a worker process while loading example {index}:\n{where}')
    try:
        answer = pickle.dumps((False, error), protocol=5)
        pickle.loads(answer)
    except Exception:
        answer = pickle.dumps(
            (False, RuntimeError(f'Loading example {index} failed:\n{where}')), protocol=5)
    return answer
