"""Measure speed on this machine; nothing here passes or fails.

Prints a table and, with --out, writes the figures as JSON together with what they were measured on.
"""

import os
import platform
import time

import numpy as np

from chainer_seg import __version__, command_line  # before Chainer, which it makes work
from chainer_seg.datasets import ShapesDataset
from chainer_seg.devices import get_device
from chainer_seg.files import write_json
from chainer_seg.links import ResNet
from chainer_seg.model_file import load_model
from chainer_seg.models.deeplab import Click, ClickSamples, ClickTrainChain

import chainer  # isort: skip


def main():
    parser = command_line.parser(__doc__)
    parser.add_argument('--repeat', type=int, default=5, help='the median of so many runs')
    parser.add_argument('--out', metavar='JSON', help='also write the figures to this file')
    options = parser.parse_args()
    device = get_device(options.device)
    figures = {}
    for name, prepare in BENCHMARKS.items():
        figures[name] = measure(prepare(device, options.seed), device, options.repeat)
        print(f'{name:55} {figures[name] * 1000:9.1f} ms', flush=True)
    if options.out:
        write_json(options.out, {'seconds': figures, 'on': describe(device)}, indent=2)


def measure(action, device, repeat):
    """Median seconds of ``repeat`` calls after a first one that does not count."""
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
    return {'chainer_seg': __version__, 'chainer': chainer.__version__, 'numpy': np.__version__,
            'python': platform.python_version(), 'device': str(device),
            'processor': platform.processor() or platform.machine(), 'cores': os.cpu_count()}


def drawing(device, seed):
    """One drawn picture of 256x256 with its masks."""
    dataset = ShapesDataset(10 ** 6, seed)
    numbers = iter(range(len(dataset)))
    return lambda: [dataset[next(numbers)] for _ in range(20)]


def one_click(device, seed):
    """One click on a photograph-sized image with the shipped model."""
    model = load_model('click')
    model.to_device(device)
    image = np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8)
    session = model.session(image)

    def click():
        session.reset()
        session.add(Click(240, 320))
    return click


def resnet50(device, seed):
    """ResNet-50 to res5 on one image of 550x550."""
    net = ResNet()
    net.to_device(device)
    x = device.send(np.random.default_rng(seed).normal(size=(1, 3, 550, 550)).astype(np.float32))

    def forward():
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            net(x)
    return forward


def training_step(device, seed):
    """One update of the shipped click model with 8 samples of 192x192."""
    chain = ClickTrainChain(load_model('click'))
    chain.to_device(device)
    optimizer = chainer.optimizers.Adam().setup(chain)
    dataset, transform = ShapesDataset(100, seed), ClickSamples((192, 192))
    samples = (transform(example, np.random.default_rng(seed)) for example in dataset)
    samples = [sample for sample, _ in zip(filter(None, samples), range(8))]
    x, target = (device.send(np.stack(arrays)) for arrays in zip(*samples))
    return lambda: optimizer.update(chain, x, target)


BENCHMARKS = {
    '20 drawn pictures, 256x256, one process': drawing,
    'click model: one click on a 640x480 photograph': one_click,
    'click model: update with 8 samples of 192x192': training_step,
    'ResNet-50, forward, 1 x 550x550': resnet50,
}


if __name__ == '__main__':
    command_line.run(main)
