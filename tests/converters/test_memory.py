"""A file of 200 MB is converted and saved in at most two and a half times its size of memory."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from converters.formats import torch7_writer
from tests.converters.torch_networks import resnet

STATUS = pathlib.Path('/proc/self/status')

# Converts and saves, then prints the most memory that the process ever had, in kB.
PROGRAM = '''
import pathlib, sys
import converters
from chainer_seg import save_model
save_model(sys.argv[2], converters.convert(sys.argv[1]), dtype=sys.argv[3] or None)
status = pathlib.Path('/proc/self/status').read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM:')))
'''


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason='the peak of memory is read from /proc')
@pytest.mark.parametrize('dtype', ['', 'float16'])
def test_a_large_file_takes_two_and_a_half_times_its_size(tmp_path, repository, dtype):
    path = tmp_path / 'large.t7'
    torch7_writer.write(path, resnet(np.random.default_rng(0), (3, 4, 28, 3), 64, 1000))
    size = path.stat().st_size
    assert size > 200e6
    result = subprocess.run(
        [sys.executable, '-c', PROGRAM, path, tmp_path / 'large.npz', dtype], cwd=repository, text=True,
        capture_output=True, check=True)
    assert int(result.stdout) * 1024 < 2.5 * size
