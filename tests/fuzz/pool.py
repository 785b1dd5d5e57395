"""Runs readers on damaged files in processes of their own, which may hang or die.

A worker is a fork of a process that has everything imported, so that a new one costs milliseconds. It
tells in shared memory which input it is at; if it dies or takes too long, the input is known and the
next worker goes on behind it.
"""

import collections
import contextlib
import dataclasses
import json
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import shutil
import signal
import tempfile
import time


from tests.fuzz.worker import Shared, make_input, work

SECONDS = 10  # Of the processor's time for an input; a busy machine makes no failure.
PATIENCE = 120  # Seconds of the clock, for readers that wait and do not compute.

_BATCH = 0.5  # Seconds for which a worker stays with a reader, about.
_KEPT = 3  # Examples of each failure that are kept.
# Where files take no time, on Linux.
_MEMORY_DISK = next((path for path in ('/dev/shm',) if os.access(path, os.W_OK)), None)
_CONTEXT = multiprocessing.get_context('fork')


@dataclasses.dataclass
class Figures:
    """What came of the inputs of a reader."""

    inputs: int = 0
    values: int = 0
    errors: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    memory: int = 0
    failures: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    examples: dict = dataclasses.field(default_factory=dict)

    @property
    def others(self):
        return sum(self.failures.values())


def run(readers, *, seconds=None, inputs=None, jobs=1, seed=0, folder=None, tell=lambda figures: None):
    """Gives each reader its share of the time.

    Args:
        readers: A list of :class:`tests.fuzz.readers.Reader`.
        seconds: For how long; or
        inputs: how many inputs, all readers together.
        jobs: Number of processes.
        seed: Of all random numbers. The n-th input of a reader is always the same.
        folder: Where inputs go that fail.
        tell: Called with the figures now and then.

    Returns:
        dict of :class:`Figures` by the names of the readers.
    """
    figures = {reader.name: Figures() for reader in readers}
    state = _Run(readers, figures, jobs, seed, folder, inputs or float('inf'))
    end = time.monotonic() + (seconds or float('inf'))
    told = time.monotonic()
    try:
        while time.monotonic() < end and sum(each.inputs for each in figures.values()) < (
            inputs or float('inf')
        ):
            state.step()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                tell(figures)
    finally:
        state.close()
    return figures


class _Run:
    def __init__(self, readers, figures, jobs, seed, folder, most):
        self._readers, self._figures, self._seed = readers, figures, seed
        self._folder = None if folder is None else pathlib.Path(folder)
        self._next = [0] * len(readers)
        self._left = [[] for _ in readers]  # Parts of batches: (first number, count).
        self._most, self._given = most, 0
        self._busy = [0] * len(readers)  # So that all workers are not at one reader.
        self._workers = [_Worker(readers, seed) for _ in range(jobs)]

    def step(self):
        for place, worker in enumerate(self._workers):
            if worker.task is None:
                self._give(worker)
            elif not worker.is_alive() or worker.is_late():
                self._workers[place] = self._replace(worker)
        ready = multiprocessing.connection.wait([worker.pipe for worker in self._workers], timeout=0.2)
        for worker in self._workers:
            if worker.pipe in ready:
                with contextlib.suppress(EOFError, OSError):
                    self._take(worker, worker.pipe.recv())

    def close(self):
        for worker in self._workers:
            with contextlib.suppress(EOFError, OSError):
                while worker.pipe.poll():
                    self._take(worker, worker.pipe.recv())
            worker.close()
            if worker.task is not None:  # What is done of its batch counts.
                self._count(worker, worker.shared.number - 1)

    def _give(self, worker):
        # The reader that had the least time; a batch in progress counts as one.
        number = min(
            range(len(self._readers)),
            key=lambda i: (self._figures[self._readers[i].name].seconds + _BATCH * self._busy[i], i),
        )
        self._busy[number] += 1
        # Batches of several workers for one reader do not overlap: each has a range of its own.
        if self._left[number]:
            worker.give(number, *self._left[number].pop())
            return
        figures, count = self._figures[self._readers[number].name], 1
        if figures.seconds:
            count = min(max(int(_BATCH * figures.inputs / figures.seconds), 1), 2000)
        count = max(1, min(count, self._most - self._given))
        self._given += count
        self._next[number] += count
        worker.give(number, self._next[number] - count, count)

    def _take(self, worker, message):
        reader = self._readers[worker.task[0]]
        if message[0] == 'failure':
            self._fail(reader, *message[1:])
            return
        index, start, count = worker.task
        done = message[1]
        self._count(worker, start + done - 1)
        if done < count:  # They took longer than expected.
            self._left[index].append((start + done, count - done))
        worker.task = None

    def _replace(self, worker):
        """Notes at which input a worker died, and gives the rest of its batch to a new one."""
        with contextlib.suppress(EOFError, OSError):
            while worker.pipe.poll():
                self._take(worker, worker.pipe.recv())
        if worker.task is None and worker.is_alive():
            return worker
        late = worker.is_alive()
        worker.close()
        if worker.task is not None:
            index, start, count = worker.task
            number = worker.shared.number
            reason = f'took more than {SECONDS} s' if late else f'the process died ({worker.ending})'
            self._fail(self._readers[index], number, reason, reason)
            self._count(worker, number)
            if number + 1 < start + count:
                self._left[index].append((number + 1, start + count - number - 1))
        return _Worker(self._readers, self._seed)

    def _count(self, worker, last):
        index, start, _ = worker.task
        figures, shared = self._figures[self._readers[index].name], worker.shared
        figures.inputs += last + 1 - start
        figures.values += shared.values
        figures.errors += shared.errors
        figures.slowest = max(figures.slowest, shared.slowest)
        figures.memory = max(figures.memory, shared.memory)
        figures.seconds += time.monotonic() - worker.begun
        self._busy[index] -= 1

    def _fail(self, reader, number, key, text):
        figures = self._figures[reader.name]
        figures.failures[key] += 1
        examples = figures.examples.setdefault(key, [])
        if len(examples) >= _KEPT:
            return
        examples.append(number)
        if self._folder is not None:
            path, data = make_input(reader, number, self._seed)
            name = f'{reader.name.replace(" ", "_")}-{number}'
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / (name + pathlib.PurePath(path).suffix)).write_bytes(data)
            about = {'reader': reader.name, 'input': number, 'seed': self._seed, 'file': path}
            (self._folder / f'{name}.about').write_text(
                f'{json.dumps(about)}\n{text}\n', encoding='utf-8', errors='backslashreplace')


class _Worker:
    def __init__(self, readers, seed):
        self.shared = _CONTEXT.RawValue(Shared)
        self.pipe, theirs = _CONTEXT.Pipe()
        self.task, self.begun = None, 0.0
        self._folder = tempfile.mkdtemp(prefix='fuzz-', dir=_MEMORY_DISK)
        self._process = _CONTEXT.Process(
            target=work, args=(theirs, self.shared, readers, seed, self._folder))
        self._process.start()
        with contextlib.suppress(OSError):  # It does the same; whoever is first.
            os.setpgid(self._process.pid, self._process.pid)
        theirs.close()

    def give(self, index, start, count):
        self.task, self.begun = (index, start, count), time.monotonic()
        self.shared.number, self.shared.begun = start, 0.0
        self.shared.values = self.shared.errors = self.shared.memory = 0
        self.shared.slowest = 0.0
        self.pipe.send(self.task)

    def is_alive(self):
        return self._process.is_alive()

    def is_late(self):
        number, begun, processor = self.shared.number, self.shared.begun, self.shared.processor
        if not begun:  # Between two inputs.
            return self.task is not None and time.monotonic() - self.begun > 10 * PATIENCE
        late = (
            _processor_time(self._process.pid) - processor > SECONDS
            or time.monotonic() - begun > PATIENCE
        )
        return late and number == self.shared.number and bool(self.shared.begun)

    @property
    def ending(self):
        code = self._process.exitcode
        return signal.Signals(-code).name if code is not None and code < 0 else f'status {code}'

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # With what a reader started.
        self._process.join()
        self.pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _processor_time(pid):
    """Seconds that a process has computed so far."""
    try:
        fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
