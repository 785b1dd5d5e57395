"""Loads examples ahead of their use: in worker processes, in threads, or in place."""

import concurrent.futures
import contextlib
import multiprocessing
import pickle
import queue
import signal
import traceback
import warnings

from chainer_seg.errors import TrainingError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CAN_HOLD = hasattr(signal, 'pthread_sigmask')  # not on Windows


class InPlace:
    """Loads each example at the moment it is asked for."""

    def __init__(self, load):
        self._load = load

    def submit(self, number, index):
        """A future that is already done, holding ``load(number, index)`` or its error."""
        future = concurrent.futures.Future()
        try:
            future.set_result(self._load(number, index))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self):
        """Nothing to end."""


class Threads:
    """Loads examples in ``count`` threads."""

    def __init__(self, load, count):
        self._load = load
        self._executor = concurrent.futures.ThreadPoolExecutor(
            count, thread_name_prefix='example-loader')

    def submit(self, number, index):
        """A future of ``load(number, index)``."""
        return self._executor.submit(self._load, number, index)

    def close(self):
        """Ends the threads; examples that nobody waits for are dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)


class Processes:
    """Loads examples in ``count`` processes, each served by one thread of this process.

    The thread sends the number of an example and waits for the sample, so a large sample is
    received while the main thread computes. Where the operating system can fork, the processes
    are forked: a data set or transform defined in a notebook needs no pickling.

    Args:
        load: ``load(number, index) -> sample``.
        count: How many processes.
        start_method: ``'fork'``, ``'spawn'`` or ``'forkserver'``; None forks if it can.
    """

    def __init__(self, load, count, start_method=None):
        if start_method is None:
            methods = multiprocessing.get_all_start_methods()
            start_method = 'fork' if 'fork' in methods else 'spawn'
        context = multiprocessing.get_context(start_method)
        self._closing = False
        self._processes = []
        self._idle = queue.SimpleQueue()
        self._connections = []
        try:
            for _ in range(count):
                self._start(context, load)
        except BaseException:
            self.close()
            raise
        self._threads = Threads(self._load_remotely, count)

    _threads = None

    def _start(self, context, load):
        ours, theirs = context.Pipe()
        # A fork inherits our ends of the pipes; held open there, they would hide our death.
        inherited = [*self._connections, ours] if context.get_start_method() == 'fork' else []
        process = context.Process(
            target=_serve, args=(load, theirs, inherited), daemon=True, name='example-loader')
        with warnings.catch_warnings(), _signals_held():
            # Python 3.12 warns of any fork beside threads; the workers touch none of those threads.
            warnings.filterwarnings('ignore', category=DeprecationWarning, message='.*fork')
            try:
                process.start()
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise TrainingError(
                    'The data set or the transform cannot be sent to worker processes '
                    f'({error}); define them in a module, or use workers=0.') from error
        # Held by the worker alone, so that its end closes the pipe.
        theirs.close()
        self._processes.append(process)
        self._connections.append(ours)
        self._idle.put(ours)

    def submit(self, number, index):
        """A future of ``load(number, index)`` as computed by one of the processes."""
        return self._threads.submit(number, index)

    def _load_remotely(self, number, index):
        connection = self._idle.get()
        try:
            connection.send((number, index))
            succeeded, result = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError) as error:
            if self._closing:
                raise concurrent.futures.CancelledError from None
            raise TrainingError(
                'A worker process that loads examples was killed, usually for want of memory; '
                'use fewer workers or workers=0.') from error
        finally:
            self._idle.put(connection)
        if not succeeded:
            raise result
        return result

    def close(self):
        """Ends processes and threads at once, whatever they are doing."""
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


def make_workers(load, count, kind='process', start_method=None):
    """The workers for ``count``: none in place for 0, else processes or threads.

    Args:
        load: ``load(number, index) -> sample``, called for each example.
        count: The number of workers.
        kind: ``'process'`` or ``'thread'``.
        start_method: How processes start; see :class:`Processes`.
    """
    if kind not in ('process', 'thread'):
        raise ValueError(f'worker_kind must be "process" or "thread", not {kind!r}')
    if count == 0:
        return InPlace(load)
    if kind == 'thread':
        return Threads(load, count)
    return Processes(load, count, start_method)


@contextlib.contextmanager
def _signals_held():
    """Signals wait while a process starts: until it ignores them, it has the handlers of its parent."""
    if not _CAN_HOLD:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(load, connection, inherited):
    """The life of a worker process: load what is asked for until the trainer goes away."""
    # Ctrl-C reaches every process of the terminal, and SIGTERM that of a batch system every process
    # of a job; how training ends is the trainer's decision.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if _CAN_HOLD:
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


def _use_one_opencv_thread():
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(0)


def _pickle_error(error, index):
    where = ''.join(traceback.format_exception(error))
    error.add_note(f'Raised in a worker process while loading example {index}:\n{where}')
    try:
        answer = pickle.dumps((False, error), protocol=5)
        pickle.loads(answer)
    except Exception:
        answer = pickle.dumps(
            (False, RuntimeError(f'Loading example {index} failed:\n{where}')), protocol=5)
    return answer
