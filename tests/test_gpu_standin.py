"""The tests marked ``gpu`` pass on the stand-in for CuPy, and NVRTC takes the kernels they ran."""

import concurrent.futures
import os
import pathlib
import pickle
import re
import subprocess
import sys

import pytest

from tests.cuda_host import require_compiler
from tests.nvrtc import ARCHITECTURES, complaints, require_nvrtc

# One process runs them once for all tests of this file.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('gpu_standin')]

TESTS = pathlib.Path(__file__).resolve().parent
VERSIONS = ('14', '13')


def run_on_standin(version, kernels):
    """The tests marked ``gpu`` in a Python of their own that imports the stand-in as ``cupy``."""
    files = [str(path) for path in sorted(TESTS.rglob('test_*.py'))
             if path.name != 'test_gpu_standin.py' and 'mark.gpu' in path.read_text(encoding='utf-8')]
    paths = [str(TESTS / 'cupy_standin'), str(TESTS.parent), os.environ.get('PYTHONPATH', '')]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths)),
                   'STANDIN_CUPY': version, 'STANDIN_KERNELS': str(kernels)}
    for name in ('PYTEST_ADDOPTS', 'PYTEST_XDIST_WORKER', 'CUDA_VISIBLE_DEVICES'):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-m', 'gpu', '-p', 'no:cacheprovider', *files],
        env=environment, cwd=TESTS.parent, capture_output=True, text=True, timeout=540)


@pytest.fixture(scope='module')
def kernels_of(tmp_path_factory):
    """Where the kernels are collected that the tests ran, by the version of CuPy imitated."""
    folder = tmp_path_factory.mktemp('kernels')
    return {version: folder / f'kernels{version}' for version in VERSIONS}


@pytest.mark.timeout(600)
@pytest.mark.parametrize('version', VERSIONS)
def test_gpu_tests_pass_on_the_standin(version, kernels_of):
    require_compiler()
    done = run_on_standin(version, kernels_of[version])
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    counts = dict(reversed(each) for each in re.findall(r'(\d+) (\w+)', done.stdout.splitlines()[-1]))
    assert int(counts['passed']) >= 80 and 'skipped' not in counts, done.stdout[-2000:]


@pytest.mark.parametrize('architecture', ARCHITECTURES)
def test_kernels_that_ran_compile(architecture, kernels_of):
    """Those of Chainer and of CuPy's users in this package, elementwise, reductions and raw ones."""
    require_compiler()
    require_nvrtc()
    if not kernels_of['14'].exists():
        run_on_standin('14', kernels_of['14'])
    kernels = pickle.loads(kernels_of['14'].read_bytes())
    assert len(kernels) > 25
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda kernel: complaints(kernel[1], architecture), kernels)
        faults = {name: text for (name, _), text in zip(kernels, found) if text}
    assert faults == {}
