"""What the tests of installing share."""

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope='session')
def network():
    """Skips where no package index answers, and fails where continuous integration needs one."""
    answer = subprocess.run([sys.executable, '-m', 'pip', 'index', 'versions', 'six'], capture_output=True)
    if answer.returncode:
        if os.environ.get('CHAINER_SEG_REQUIRE_NETWORK') == '1':
            pytest.fail('no package index answers, but CHAINER_SEG_REQUIRE_NETWORK is 1')
        pytest.skip('no package index answers')
