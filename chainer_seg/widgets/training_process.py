"""A training in a process of its own: ``chainer-seg train``, whose log the kernel reads.

Pausing freezes the processes where they are; stopping lets them finish the iteration and save. When the
kernel ends, the training is stopped in the same way.
"""

import atexit
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import psutil

from chainer_seg.signals import INTERRUPTED_STATUS, TERMINATED_STATUS

_ROOT = pathlib.Path(__file__).resolve().parents[2]


class TrainingProcess:
    """Starts ``chainer-seg train`` with these arguments.

    Attributes:
        is_paused: Whether it has been frozen.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get('PYTHONPATH')]))
        # In a group of its own, which an interrupt of the kernel does not reach.
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'chainer_seg', 'train', *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=self._messages, env={**os.environ, 'PYTHONPATH': path},
            process_group=0)
        self.is_paused = False
        atexit.register(self.stop)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended; a paused one has not."""
        return self._process.poll() is None

    @property
    def was_stopped(self) -> bool:
        """Whether it has ended because it was told to."""
        return self._process.poll() in (INTERRUPTED_STATUS, TERMINATED_STATUS, -signal.SIGTERM)

    @property
    def has_failed(self) -> bool:
        """Whether it has ended by an error."""
        return not self.is_running and self._process.returncode != 0 and not self.was_stopped

    @property
    def message(self) -> str:
        """The last line that it wrote: the reason where it has failed."""
        # By its number, because the process writes at the position of the same file.
        size = os.fstat(self._messages.fileno()).st_size
        text = os.pread(self._messages.fileno(), 10000, max(0, size - 10000)).decode('utf-8', 'replace')
        lines = [line for line in text.splitlines() if line.strip()]
        return lines[-1].removeprefix('error: ') if lines else ''

    @property
    def memory(self) -> int:
        """The memory in bytes that it and its workers occupy; 0 when it has ended."""
        total = 0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            for each in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += each.memory_info().rss
        return total

    def pause(self) -> None:
        """Freezes it."""
        self._signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self) -> None:
        """Lets it continue where it was paused."""
        self._signal(signal.SIGCONT)
        self.is_paused = False

    def stop(self) -> None:
        """Lets it finish its iteration, save and end; returns at once."""
        atexit.unregister(self.stop)
        if self.is_running:
            self.resume()
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        """Waits until it has ended, or for some time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        if not self.is_running:
            atexit.unregister(self.stop)

    def _signal(self, number: int) -> None:
        """Sends a signal to it and its workers."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
