"""The benchmarks of growth and of memory, on work that takes no time."""

import functools
import json
import os

import numpy as np
import pytest
from PIL import Image

from chainer_seg.cli import benchmark_growth, benchmark_memory
from chainer_seg.cli.benchmark_memory import measure_memory
from chainer_seg.errors import UserError


def adding(size, device, seed):
    numbers = np.random.default_rng(seed).random(size)
    return numbers.sum


def allocating(megabytes, device, seed):
    return lambda: np.ones(megabytes * 2 ** 20, np.uint8).sum()


def dying(device, seed):
    return lambda: os._exit(1)


def test_the_exponent_is_that_of_the_larger_sizes():
    assert benchmark_growth.exponent((1, 10, 100, 1000), [9, 1, 10, 100]) == pytest.approx(1)
    assert benchmark_growth.exponent((10, 20, 40), [1, 4, 16]) == pytest.approx(2)


def test_growth_is_printed_written_and_drawn(call_here, monkeypatch, tmp_path):
    stages = [benchmark_growth.Stage(f'adding {unit}', unit, (10, 100, 1000), adding)
              for unit in ('numbers', 'figures', 'digits')]
    monkeypatch.setattr(benchmark_growth, 'STAGES', stages)
    monkeypatch.setattr('chainer_seg.cli.benchmark_plots.STAGES', stages)
    monkeypatch.setattr(benchmark_growth, 'BENCHMARKS', {
        name: prepare for stage in stages for name, prepare in stage.benchmarks().items()})
    status, printed, _ = call_here(
        'benchmark.py', 'growth', '--repeat', '2', '--device', 'cpu', '--out', str(tmp_path / 'o.json'),
        '--plot', str(tmp_path / 'o.png'))
    assert status == 0 and 'adding figures: 1,000 figures' in printed
    seconds = json.loads((tmp_path / 'o.json').read_text())['seconds']
    assert len(seconds) == 9 and all(value > 0 for value in seconds.values())
    assert Image.open(tmp_path / 'o.png').width > 600


@pytest.mark.parametrize('systems', [(), ('yolact',), ('growth', 'memory')])
def test_only_growth_or_memory_can_be_drawn(call_here, systems):
    status, _, errors = call_here('benchmark.py', *systems, '--plot', 'o.png')
    assert status == 2 and errors.startswith('error: --plot draws growth or memory; name one of them alone')


def test_memory_is_that_of_the_work(call_here, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark_memory, 'BENCHMARKS',
                        {f'{size} MB': functools.partial(allocating, size) for size in (1, 400)})
    status, printed, _ = call_here('benchmark.py', 'memory', '--device', 'cpu', '--out',
                                   str(tmp_path / 'o.json'), '--plot', str(tmp_path / 'o.png'))
    assert status == 0 and ' GiB' in printed
    little, much = json.loads((tmp_path / 'o.json').read_text())['gibibytes'].values()
    assert little['peak'] - little['before'] < 0.1
    assert 0.3 < much['peak'] - much['before'] < 0.5
    assert len(much['seconds']) == len(much['over_time']) > 0
    assert Image.open(tmp_path / 'o.png').width > 600


def test_work_that_ends_early_is_one_sentence():
    with pytest.raises(UserError, match='The benchmark "dying" ended early'):
        measure_memory('dying', dying, 'cpu', 0)
