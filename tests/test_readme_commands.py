"""Every command of README.md runs as it is printed, on small files; options that shorten it are appended."""

import shlex
import shutil

import numpy as np
import pytest
from PIL import Image

from chainer_seg import zoo
from chainer_seg.cli import main
from chainer_seg.datasets import MovingPlainShapes
from chainer_seg.images import write_image
from chainer_seg.video import write_video
from converters.formats import torch7_writer
from converters.torch_export import torch_tree
from tests.datasets.voc_files import write_voc
from tests.test_readme import COMMANDS, README
from tests.test_zoo import Handler, cache, serve, site  # noqa: F401  fixtures

# The page runs until it is stopped; tests/notebooks/test_demo.py opens it.
PRINTED = [command for command in COMMANDS if f'`{command}`' in README and command != 'chainer-seg demo']

# The model that MODEL stands for, by the beginning of a command.
MODELS = {'propose': 'deepmask', 'export': 'deeplab', 'evaluate': 'mask-rcnn'}

_TRAIN = '--iterations 1 --batch-size 2 --workers 0 --device cpu'
# What makes a command short enough for a test, by its beginning.
SHORTER = {
    'benchmark': 'common --repeat 1 --device cpu',
    'data draw': '--size 32',
    'data clicks': '--least-area 20 --max-objects 1 --n-pairs 1',
    'evaluate click': '--device cpu --cap 2 --clicks 1',
    'evaluate MODEL': '--device cpu',
    'predict': '--device cpu',
    'propose': '--device cpu',
    'train click': f'--blocks 1 1 1 1 --width 2 --crop 33 --size 48 --val-n 1 {_TRAIN}',
    'train deeplab --dataset voc': f'--blocks 1 1 1 1 --width 2 --crop 33 {_TRAIN}',
    'train yolact': ('--set width=2 blocks=[1,1,1,1] fpn_channels=4 prototypes=3 image_size=64 '
                     f'anchor_scales=[[8],[16],[24],[40],[60]] {_TRAIN}'),
}


def by_beginning(table, command):
    """The value for the longest beginning of a command in a table; None if there is none."""
    words = command.removeprefix('chainer-seg ')
    fitting = [key for key in table if words.startswith(key)]
    return table[max(fitting, key=len)] if fitting else None


@pytest.fixture
def folder(tmp_path, monkeypatch, rng):
    """A folder in which the names of the README are files: J, D, IMAGE.jpg, VIDEO.mp4 and so on."""
    monkeypatch.chdir(tmp_path)
    main(['data', 'draw', 'set', '--n', '2', '--size', '64', '--plain', '-q'])
    shutil.move('set/images', 'D')
    shutil.move('set/annotations.json', 'J')
    shutil.copytree('D', 'FOLDER')
    write_image('IMAGE.jpg', rng.integers(0, 256, (64, 80, 3), np.uint8))
    frames = MovingPlainShapes(length=3, seed=1, size=(64, 64))
    write_video('VIDEO.mp4', (image for image, _ in frames), fps=5)
    write_voc(tmp_path / 'VOC2012')
    for part, pixels in (('data_GT', rng.integers(0, 256, (24, 30, 3), np.uint8)),
                         ('boundary_GT', np.pad(np.full((8, 8), 255, np.uint8), 8))):
        (tmp_path / 'GrabCut' / part).mkdir(parents=True)
        Image.fromarray(pixels).resize((30, 24), Image.Resampling.NEAREST).save(f'GrabCut/{part}/a.bmp')
    return tmp_path


def prepare(command):
    """Puts the model or the weights in place that MODEL and FILE stand for."""
    name = by_beginning(MODELS, command)
    if name:
        shutil.copyfile(zoo.shipped_path(name), 'MODEL')
    if 'click=true' in command:
        main(['export', 'deeplab', 'FILE.caffemodel', '-q'])
        shutil.move('FILE.caffemodel', 'FILE')
    elif 'convert FILE' in command:
        from chainer_seg import load_model
        torch7_writer.write('FILE', torch_tree(load_model('deepmask')))


@pytest.mark.slow
@pytest.mark.parametrize('command', PRINTED)
def test_command_runs_as_printed(command, folder, serve, capsys):  # noqa: F811
    if ' NAME' in command:
        (folder / 'weights').write_bytes(b'weights')
        serve('sharpmask-coco', folder / 'weights')
        command = command.replace('NAME', 'sharpmask-coco')
    prepare(command)
    before = {path.name for path in folder.iterdir()}
    words = [*shlex.split(command)[1:], *shlex.split(by_beginning(SHORTER, command) or '')]
    # One position for all clicks would be contradictory.
    positions = iter(('20,24', '70,5'))
    main([next(positions) if word == 'X,Y' else word for word in words])
    written = {path.name for path in folder.iterdir()} - before
    output = capsys.readouterr().out
    assert output or written
    for name in {'DIR', 'OUT', 'O', 'OUT.caffemodel', 'model.npz'} & {*words}:
        assert name in written


def test_there_are_commands_and_each_shortening_applies():
    assert len(PRINTED) > 15
    for table in (MODELS, SHORTER):
        for key in table:
            assert any(command.startswith(f'chainer-seg {key}') for command in PRINTED)
