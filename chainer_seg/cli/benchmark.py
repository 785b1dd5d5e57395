"""Measure speed on this machine; nothing here passes or fails.

Prints a table and, with --out, writes the figures as JSON together with what they were measured on.
"""

import importlib
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from chainer_seg import __version__, command_line  # before Chainer, which it makes work
from chainer_seg.files import write_json
from chainer_seg.options import Parser

SYSTEMS = ('common', 'click', 'deeplab', 'deepmask', 'mask-rcnn', 'operations', 'yolact')


def benchmarks_of(system: str) -> Mapping[str, Callable[..., Callable[[], object]]]:
    """The benchmarks of a system, ``{name: prepare}``; ``prepare(device, seed)`` returns the call to time."""
    module = importlib.import_module(f'chainer_seg.cli.benchmark_{system.replace("-", "_")}')
    return module.BENCHMARKS


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg benchmark')
    parser.add_argument('systems', metavar='SYSTEM', nargs='*', choices=(*SYSTEMS, []),
                        help=f'what to measure: {", ".join(SYSTEMS)}; all if left out')
    parser.add_argument('--repeat', type=int, default=5, help='the median of so many runs')
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


def measure(action, device, repeat):
    """Median seconds of ``repeat`` calls after a first one that does not count."""
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


def describe(device):
    """What the figures were measured on."""
    import chainer
    return {'chainer_seg': __version__, 'chainer': chainer.__version__, 'numpy': np.__version__,
            'python': platform.python_version(), 'device': str(device),
            'processor': platform.processor() or platform.machine(), 'cores': os.cpu_count()}
