"""Scripts as tests call them: in this process, or as a user does, in a folder of their own."""

import importlib
import runpy
import shlex
import subprocess
import sys

import pytest

from chainer_seg.cli import evaluate as cli_evaluate
from chainer_seg.cli import predict as cli_predict
from chainer_seg.cli import train as cli_train
from chainer_seg.cli.parsing import parse_command
from chainer_seg.datasets import MovingShapes
from chainer_seg.images import write_image
from chainer_seg.video import write_video


@pytest.fixture
def call_here(repository, monkeypatch, capsys):
    """``call_here(name, *options) -> (exit status, output, errors)`` of a script in this process."""
    folder = repository / 'scripts'
    monkeypatch.syspath_prepend(folder)

    def call(name, *options):
        monkeypatch.setattr(sys, 'argv', [str(folder / name), *map(str, options)])
        try:
            runpy.run_path(sys.argv[0], run_name='__main__')
            status = 0
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()
    return call


@pytest.fixture
def command(tmp_path, monkeypatch):
    """``command('predict_semantic', model, *options)``: runs a command for a model that is not in a file.

    It runs in this process, quietly, in a folder of its own.
    """
    monkeypatch.chdir(tmp_path)
    forms = dict(form for table in (cli_evaluate.FORMS, cli_predict.FORMS)
                 for protocols in table.values() for form in protocols.values())

    def run(name, model, *options):
        form = getattr(importlib.import_module(f'chainer_seg.cli.{name}'), forms[name])
        parse_command(form, ['MODEL', *map(str, options), '-q'], name).work(model)
    return run


@pytest.fixture
def predict(request, command, caplog):
    """``predict(model, ...)``: what the command that a module calls ``COMMAND`` logs."""
    def run(model, *arguments):
        with caplog.at_level('INFO'):
            command(request.module.COMMAND, model, *arguments)
        return caplog.text
    return run


@pytest.fixture
def images(tmp_path, shapes):
    """A folder with 0.png, 1.png and 2.png, images of the data set that a module calls ``shapes``."""
    for number in range(3):
        write_image(tmp_path / 'images' / f'{number}.png', shapes[number][0])
    return tmp_path / 'images'


@pytest.fixture
def video(tmp_path):
    """A video of twelve frames of a star."""
    frames = MovingShapes(12, size=(48, 64), objects=1, classes=('star',))
    return write_video(tmp_path / 'in.avi', (frames[number][0] for number in range(12)), fps=10)


@pytest.fixture
def train(repository, tmp_path):
    """Trains as a user does: ``train('mask-rcnn --out run ...') -> CompletedProcess``."""
    def call(arguments):
        return subprocess.run(
            [sys.executable, repository / 'scripts' / 'train.py', *shlex.split(arguments)],
            cwd=tmp_path, text=True, capture_output=True, timeout=900)
    return call


@pytest.fixture
def parse(request, monkeypatch, tmp_path):
    """``parse('--lr 1')``: what the options of the system that a module calls ``SYSTEM`` ask for."""
    monkeypatch.chdir(tmp_path)
    return lambda arguments: cli_train.parse(request.module.SYSTEM, shlex.split(arguments))


@pytest.fixture
def train_here(parse):
    """Trains in this process, in a folder of its own: ``train_here('--out run ...') -> Request``."""
    def call(arguments):
        request = parse(arguments)
        cli_train.train(request)
        return request
    return call
