"""scripts/environment.sh and scripts/quickstart.sh without a network."""

import os
import shlex
import shutil
import socket
import subprocess
import sys

import pytest


@pytest.fixture
def checkout(repository, tmp_path):
    """A folder with what the installation reads, and an environment whose Python is the present one."""
    for name in ('scripts', 'packaging'):
        shutil.copytree(repository / name, tmp_path / name)
    for name in ('pyproject.toml', 'requirements-hashed.lock'):
        shutil.copy(repository / name, tmp_path)
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize('option', [(), ('--app',)])
def test_without_an_index_it_ends_in_one_sentence(checkout, option):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith('PIP_') and not name.lower().endswith('_proxy')}
    with socket.create_server(('127.0.0.1', 0)) as silent:  # It accepts connections, but never answers.
        environment |= {'PIP_CONFIG_FILE': os.devnull, 'PYTHON': sys.executable,
                        'PIP_INDEX_URL': f'http://127.0.0.1:{silent.getsockname()[1]}/'}
        done = subprocess.run(['bash', 'scripts/quickstart.sh', *option], text=True, capture_output=True,
                              cwd=checkout, env=environment)
    assert done.returncode == 2
    assert done.stderr == ('error: The package index does not answer; connect to the network and run this '
                           'again (what pip says is in .venv/install.log).\n')
    assert '127.0.0.1' in (checkout / '.venv' / 'install.log').read_text()


def test_an_unknown_option_of_quickstart_is_exit_status_2(repository):
    done = subprocess.run(['bash', repository / 'scripts' / 'quickstart.sh', '--web'], text=True,
                          capture_output=True)
    assert done.returncode == 2 and done.stderr.endswith('error: --web is not an option\n')
