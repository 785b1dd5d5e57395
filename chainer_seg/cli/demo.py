"""Serve a page that labels and detects objects."""

import contextlib
import dataclasses
import importlib.util
import json
import logging
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta

from chainer_seg.cli.common import Output
from chainer_seg.cli.parsing import Command
from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Flat, Switch, option

log = logging.getLogger(__name__)

Port = Annotated[int, Meta(ge=1, le=65535)]

# A message of a widget holds a whole upload; chainer_seg.widgets.demo_page has the limit of a file.
_MAX_MESSAGE = 32_000_000  # bytes
_IDLE = 1800  # seconds after which an unused page loses its kernel
_PATIENCE = 10  # seconds for the server to end
# Browsers load nothing from other hosts, such as the fonts that Voilà's template names.
_POLICY = ("default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' data: blob:; "
           "frame-ancestors 'self'")


@dataclasses.dataclass(frozen=True)
class Demo(Command):
    """Serve a page on which objects of uploaded images are labelled by clicks and detected.

    Needs no network. Everything is kept in a temporary folder, which vanishes when the command ends. The
    printed address has a token, without which the page does not open.

    Attributes:
        port: Port to serve the page at.
        host: Address to serve it at; with 0.0.0.0 other machines can open the page, too.
        no_browser: Do not open the page in a browser.
        output: Messages.
    """

    port: Annotated[Port, option(metavar='N')] = 8866
    host: Annotated[str, option(metavar='ADDRESS')] = '127.0.0.1'
    no_browser: Switch = False
    output: Flat[Output] = Output()

    def run(self) -> None:
        self.output.set_up()
        if importlib.util.find_spec('voila') is None:
            raise UserError('The page needs Voilà; install it with pip install "chainer-seg[demo]".')
        check_address(self.host, self.port)
        with tempfile.TemporaryDirectory(prefix='chainer_seg_demo_') as folder:
            token = secrets.token_urlsafe(24)
            configure(pathlib.Path(folder), self.host, self.port, token)
            with served(pathlib.Path(folder), self.output.verbose) as server:
                wait_until_open(server, self.host, self.port)
                address = f'http://{self.host}:{self.port}/?token={token}'
                print(f'The page is at {address}; stop it with Ctrl-C.', flush=True)
                if not self.no_browser:
                    webbrowser.open(address)
                server.wait()
        raise UserError(f'The server of the page ended with status {server.returncode}; -v prints its log.')


def check_address(host: str, port: int) -> None:
    """Refuses an address that cannot be served at.

    Raises:
        chainer_seg.errors.UserError: The port is taken, or the host is none of this machine's addresses.
    """
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise UserError(f'The page cannot be served at {host}:{port} ({error.strerror or error}); '
                        f'choose another --port or --host.') from error


def configure(folder: pathlib.Path, host: str, port: int, token: str) -> None:
    """Puts the notebook and the settings of Voilà into a folder."""
    notebook = pathlib.Path(__file__).parents[1] / 'widgets' / 'demo.ipynb'
    for name in ('config', 'page', 'runtime'):
        (folder / name).mkdir()
    shutil.copy(notebook, folder / 'page')
    settings: dict[str, dict[str, Any]] = {
        'Voila': {
            'ip': host, 'port': port, 'port_retries': 0, 'open_browser': False, 'token': token,
            'connection_dir_root': str(folder / 'runtime'),
            'tornado_settings': {'headers': {'Content-Security-Policy': _POLICY},
                                 'websocket_max_message_size': _MAX_MESSAGE}},
        'VoilaConfiguration': {
            'file_allowlist': [], 'show_tracebacks': False, 'theme': 'light',
            'extension_allowlist': ['@jupyter-widgets/jupyterlab-manager',
                                    '@voila-dashboards/widgets-manager8', 'anywidget']},
        'MappingKernelManager': {'cull_idle_timeout': _IDLE, 'cull_interval': 60}}
    settings_file = folder / 'config' / 'voila.json'  # Options would be visible to other users.
    settings_file.write_text(json.dumps(settings), encoding='utf-8')


@contextlib.contextmanager
def served(folder: pathlib.Path, verbose: bool) -> Iterator[subprocess.Popen]:
    """Runs Voilà on a folder that :func:`configure` prepared; ends it and its kernels at last."""
    environment = {**os.environ, 'IPYTHONDIR': str(folder / 'ipython'),
                   'JUPYTER_CONFIG_DIR': str(folder / 'config'), 'JUPYTER_DATA_DIR': str(folder / 'data'),
                   'JUPYTER_RUNTIME_DIR': str(folder / 'runtime')}
    server = subprocess.Popen([sys.executable, '-m', 'voila', 'demo.ipynb'], cwd=folder / 'page',
                              env=environment, stdin=subprocess.DEVNULL,
                              stdout=None if verbose else subprocess.DEVNULL,
                              stderr=None if verbose else subprocess.DEVNULL)
    try:
        yield server
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_until_open(server: subprocess.Popen, host: str, port: int) -> None:
    """Returns when the server accepts connections, or has ended."""
    local = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host)
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((local, port), timeout=1):
            return
        time.sleep(0.1)
