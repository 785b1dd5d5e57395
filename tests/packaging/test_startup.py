"""packaging/startup: `import chainer` works before `import chainer_seg`."""

import pathlib
import subprocess
import sys

import pytest

from chainer_seg.compat.import_hook import PACKAGES

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
STARTUP = REPOSITORY / 'packaging' / 'startup'
HOOK = 'chainer_seg.compat.import_hook'


def run(code):
    """The lines that a new Python prints whose site-packages include packaging/startup."""
    done = subprocess.run([sys.executable, '-c', f'import site; site.addsitedir({str(STARTUP)!r})\n{code}'],
                          capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0 and done.stderr == '', done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize('package', ['chainer', 'chainercv', 'chainer.functions', 'chainermn'])
def test_a_package_imported_first_is_patched(package):
    # Chainer's own as_strided stops at np.sctypes, which NumPy 2 does not have.
    assert run(f'import {package}\n'
               'import chainer, chainer_seg, numpy as np\n'
               'from chainer.functions.array.as_strided import as_strided\n'
               'print(type(chainer.__spec__.loader).__module__)\n'
               'print(as_strided(np.ones(4, "f"), (2,), (1,)).shape)') == [HOOK, '(2,)']


def test_chainer_seg_imported_first_works_as_well():
    assert run('import chainer_seg, chainer\n'
               'print(type(chainer.__spec__.loader).__module__)') == [HOOK]


def test_starting_python_and_other_imports_load_nothing():
    assert run('import json, numpy, sys\n'
               'print(*(name for name in sys.modules if "chainer" in name))') == ['_chainer_seg_startup']


def test_the_packages_are_those_that_chainer_seg_patches():
    listed, = run('import _chainer_seg_startup; print(*_chainer_seg_startup.PACKAGES)')
    assert set(listed.split()) == PACKAGES
