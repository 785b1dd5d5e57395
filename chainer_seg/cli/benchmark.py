"""Measure speed on this machine.

Prints a table; --out also writes the figures as JSON, with a description of the machine.
"""

import importlib
import os
import platform
import time
import typing
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from chainer_seg import __version__, command_line  # before Chainer, which it makes work
from chainer_seg.files import write_json
from chainer_seg.options import Parser

if typing.TYPE_CHECKING:
    import chainer
SYSTEMS = ('common', 'click', 'deeplab', 'deepmask', 'mask-rcnn', 'operations', 'yolact')


def benchmarks_of(system: str) -> Mapping[str, Callable[..., Callable[[], object]]]:
    """The benchmarks of a system, ``{name: prepare}``; ``prepare(device, seed)`` returns the call to time."""
    module = importlib.import_module(f'chainer_seg.cli.benchmark_{system.replace("-", "_")}')
    return module.BENCHMARKS


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg benchmark')
    parser.add_argument('systems', metavar='SYSTEM', nargs='*', choices=(*SYSTEMS, []),
                        help=f'what to measure: {", ".join(SYSTEMS)}; all if omitted')
    parser.add_argument('--repeat', type=int, default=5, help='number of runs, of which the median counts')
    parser.add_argument('--out', metavar='JSON', help='also write the figures to this file')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    from chainer_seg.devices import get_device
    device = get_device(options.device)
    figures = {}
    for system in options.systems or SYSTEMS:
        for name, prepare in benchmarks_of(system).items():
            figures[name] = measure(prepare(device, options.seed), device, options.repeat)
            print(f'{name:55} {figures[name] * 1000:9.1f} ms', flush=True)
    if options.out:
        write_json(options.out, {'seconds': figures, 'on': describe(device)}, indent=2)


def measure(action: Callable[[], object], device: 'chainer.backend.Device', repeat: int) -> float:
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
