"""``chainer-seg demo`` without a browser; tests/notebooks/test_demo.py opens the page."""

import importlib.util
import json
import socket
import stat

import pytest

from chainer_seg.cli import demo, main
from chainer_seg.errors import UserError


def test_without_voila_one_sentence_names_the_command(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'voila' else find(name))
    with pytest.raises(UserError) as error:
        main(['demo'])
    assert str(error.value) == 'The page needs Voilà; install it with pip install "chainer-seg[demo]".'


def test_a_port_in_use_is_one_sentence():
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f'cannot be served at 127.0.0.1:{port} .*choose another --port'):
            demo.check_address('127.0.0.1', port)


def test_an_address_of_another_machine_is_one_sentence():
    with pytest.raises(UserError, match='cannot be served at 192.0.2.1:8866'):
        demo.check_address('192.0.2.1', 8866)


@pytest.mark.parametrize('port', ['0', '65536'])
def test_a_port_out_of_range_is_refused(port):
    with pytest.raises(UserError, match='--port must be'):
        main(['demo', '--port', port])


def test_it_is_served_to_this_machine_only_unless_asked(tmp_path):
    assert demo.Demo().host == '127.0.0.1'
    demo.configure(tmp_path, '127.0.0.1', 8866, 'secret')
    settings = json.loads((tmp_path / 'config' / 'voila.json').read_text())
    assert settings['Voila']['ip'] == '127.0.0.1' and settings['Voila']['token'] == 'secret'
    assert settings['VoilaConfiguration']['file_allowlist'] == []
    assert [path.name for path in (tmp_path / 'page').iterdir()] == ['demo.ipynb']
    assert stat.S_ISREG((tmp_path / 'page' / 'demo.ipynb').stat().st_mode)
