"""Measure speed on this machine."""

import dataclasses
import importlib
import os
import platform
import time
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import numpy as np
from tyro.conf import Positional

from chainer_seg import __version__  # before Chainer, which it makes work
from chainer_seg.cli.common import CommonOnDevice
from chainer_seg.cli.parsing import Command
from chainer_seg.errors import UserError
from chainer_seg.files import write_json
from chainer_seg.recipes.options import Flat, Positive, option

if typing.TYPE_CHECKING:
    import chainer

Action = Callable[[], object]
# ``prepare(device, seed)`` returns the call to time.
Prepare = Callable[['chainer.backend.Device', int], Action]
System = Literal['common', 'click', 'deeplab', 'deepmask', 'engines', 'mask-rcnn', 'operations', 'yolact']


def benchmarks_of(system: str) -> Mapping[str, Prepare]:
    """The benchmarks of a system by their names."""
    module = importlib.import_module(f'chainer_seg.cli.benchmark_{system.replace("-", "_")}')
    return module.BENCHMARKS


@dataclasses.dataclass(frozen=True)
class Benchmark(Command):
    """Measure speed on this machine.

    Prints a table; --out also writes the figures as JSON, with a description of the machine.

    Attributes:
        systems: What to measure; all if omitted.
        against: Measure the engines beside PyTorch, in turn and with the same weights; needs torch,
            torchvision and onnx2torch.
        repeat: Number of runs, of which the median counts.
        out: File to write the figures to, as JSON.
        common: Common options.
    """

    systems: Positional[tuple[System, ...]] = ()
    against: Literal['torch'] | None = None
    repeat: Positive = 5
    out: Annotated[str | None, option(metavar='JSON')] = None
    common: Flat[CommonOnDevice] = CommonOnDevice()

    def run(self) -> None:
        from chainer_seg.devices import get_device
        device = get_device(self.common.device)
        if self.against:
            self._compare(device)
            return
        figures = {}
        for system in self.systems or typing.get_args(System):
            for name, prepare in benchmarks_of(system).items():
                figures[name] = measure(prepare(device, self.common.seed), device, self.repeat)
                print(f'{name:55} {figures[name] * 1000:9.1f} ms', flush=True)
        if self.out:
            write_json(self.out, {'seconds': figures, 'on': describe(device)}, indent=2)

    def _compare(self, device: 'chainer.backend.Device') -> None:
        from chainer_seg.cli.benchmark_torch import compare, versions
        if set(self.systems) - {'engines'} or device.xp is not np:
            raise UserError('--against torch compares the engines on the CPU; call chainer-seg benchmark '
                            'engines --against torch --device cpu.')
        times = compare(self.common.seed, self.repeat)
        if self.out:
            write_json(self.out, {'seconds': times, 'on': {**describe(device), **versions()}}, indent=2)


def measure(action: Action, device: 'chainer.backend.Device', repeat: int) -> float:
    """Median seconds of ``repeat`` calls, after one warm-up call."""
    import chainer
    action()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        action()
        if device.xp is not np:
            chainer.backends.cuda.Stream.null.synchronize()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def describe(device: 'chainer.backend.Device') -> dict[str, object]:
    """The versions and the hardware that the figures were measured with."""
    import chainer
    return {'chainer_seg': __version__, 'chainer': chainer.__version__, 'numpy': np.__version__,
            'python': platform.python_version(), 'device': str(device),
            'processor': platform.processor() or platform.machine(), 'cores': os.cpu_count()}
