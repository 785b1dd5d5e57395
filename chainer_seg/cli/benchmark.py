"""Measure speed and memory on this machine."""

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
from chainer_seg.files import atomic_write, write_json
from chainer_seg.recipes.options import Flat, Positive, option

if typing.TYPE_CHECKING:
    import chainer

    from chainer_seg.cli.benchmark_memory import MemoryUse

Action = Callable[[], object]
# ``prepare(device, seed)`` returns the call to time.
Prepare = Callable[['chainer.backend.Device', int], Action]
Speed = Literal['common', 'click', 'deeplab', 'deepmask', 'engines', 'mask-rcnn', 'operations', 'yolact']
System = Literal[Speed, 'growth', 'memory']


def benchmarks_of(system: str) -> Mapping[str, Prepare]:
    """The benchmarks of a system by their names."""
    module = importlib.import_module(f'chainer_seg.cli.benchmark_{system.replace("-", "_")}')
    return module.BENCHMARKS


@dataclasses.dataclass(frozen=True)
class Benchmark(Command):
    """Measure speed and memory on this machine.

    Prints a table; --out also writes the figures as JSON, with a description of the machine.

    Attributes:
        systems: What to measure: the speed of a system; "growth", how the time of each stage grows with the
            size of the image and with the numbers of objects, classes and images; or "memory", in processes
            of their own. All speeds if omitted.
        against: Measure the engines beside PyTorch, in turn and with the same weights; needs torch,
            torchvision and onnx2torch.
        repeat: Number of runs, of which the median counts; memory is measured in one.
        out: File to write the figures to, as JSON.
        plot: File to draw growth, or memory over time, in.
        common: Common options.
    """

    systems: Positional[tuple[System, ...]] = ()
    against: Literal['torch'] | None = None
    repeat: Positive = 5
    out: Annotated[str | None, option(metavar='JSON')] = None
    plot: Annotated[str | None, option(metavar='PNG')] = None
    common: Flat[CommonOnDevice] = CommonOnDevice()

    def run(self) -> None:
        from chainer_seg.devices import get_device
        systems: tuple[str, ...] = self.systems or typing.get_args(Speed)
        if self.plot and systems not in (('growth',), ('memory',)):
            raise UserError('--plot draws growth or memory; name one of them alone, such as '
                            'chainer-seg benchmark growth --plot growth.png.')
        device = get_device(self.common.device)
        if self.against:
            self._compare(device)
            return
        seconds, memory = {}, {}
        for system in systems:
            if system == 'memory':
                memory.update(self._memory())
                continue
            for name, prepare in benchmarks_of(system).items():
                seconds[name] = measure(prepare(device, self.common.seed), device, self.repeat)
                print(f'{name:55} {seconds[name] * 1000:9.1f} ms', flush=True)
        if self.out:
            gibibytes = {name: dataclasses.asdict(use) for name, use in memory.items()}
            write_json(self.out, {'seconds': seconds, **({'gibibytes': gibibytes} if memory else {}),
                                  'on': describe(device)}, indent=2)
        if self.plot:
            from chainer_seg.cli.benchmark_plots import draw_growth, draw_memory
            from chainer_seg.visualization.figures import figure_png
            with atomic_write(self.plot) as path:
                path.write_bytes(figure_png(draw_memory(memory) if memory else draw_growth(seconds)))

    def _memory(self) -> dict[str, 'MemoryUse']:
        from chainer_seg.cli.benchmark_memory import measure_memory
        found = {}
        for name, prepare in benchmarks_of('memory').items():
            found[name] = measure_memory(name, prepare, self.common.device, self.common.seed)
            print(f'{name:55} {found[name]}', flush=True)
        return found

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
