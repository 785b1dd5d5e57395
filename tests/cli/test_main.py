"""The command ``chainer-seg``: its subcommands, their help, and one real call of each."""

import os
import subprocess
import sys
import tomllib

import numpy as np
import pytest

from chainer_seg import __version__, command_line, load_model, save_model
from chainer_seg.cli import DATA, SUBCOMMANDS, main
from chainer_seg.datasets import CocoDataset, PackedDataset
from chainer_seg.errors import UserError
from chainer_seg.images import read_image
from chainer_seg.models.deeplab import ClickSegmenter
from chainer_seg.models.deepmask import DeepMask
from chainer_seg.recipes import SYSTEMS
from chainer_seg.zoo import SHIPPED, public_files

HELP = [*(name for name in SUBCOMMANDS if name != 'data'), *(f'data {name}' for name in DATA),
        *(f'train {system}' for system in SYSTEMS),
        *(f'{name} {model}' for name in ('evaluate', 'predict') for model in SHIPPED)]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """``run('data draw out') -> output`` of the command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(words):
        main(words.split())
        return capsys.readouterr().out
    return call


@pytest.fixture
def data(run, tmp_path):
    """Options that name a tiny data set."""
    run('data draw set --n 2 --size 64 --png -q')
    return '--annotations set/annotations.json --images set/images'


@pytest.fixture
def click_model(tmp_path):
    save_model(tmp_path / 'click.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2, longest_side=64))


@pytest.fixture
def deepmask(tmp_path):
    save_model(tmp_path / 'deepmask.npz',
               DeepMask(48, 10, 24, (1, 1, 1), 3, bottleneck=4, features=10, hidden=7))


@pytest.mark.parametrize('words', HELP)
def test_help_of_a_subcommand_names_the_command(capsys, words):
    try:
        main([*words.split(), '--help'])
    except SystemExit as end:
        assert not end.code
    text = ' '.join(capsys.readouterr().out.split())
    assert text.startswith('usage: chainer-seg ' + ' '.join(words.split()[:1 if 'data' not in words else 2]))


def test_help_lists_every_subcommand(run):
    text = run('--help')
    for name in (*SUBCOMMANDS, *(f'data {part}' for part in DATA)):
        assert name == 'data' or f'\n  {name} ' in text


def test_help_comes_without_loading_chainer_or_scipy():
    code = ('import sys\nfrom chainer_seg.cli import main\n'
            'try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n'
            'loaded = {"chainer", "scipy.special"} & set(sys.modules)\n'
            'assert not loaded, loaded')
    commands = [['--help'], ['propose', '--help'], ['evaluate', 'click', '--help'],
                ['predict', 'click', '--help'], ['train', 'yolact', '--help'],
                *(['data', name, '--help'] for name in DATA)]
    for words in commands:
        result = subprocess.run([sys.executable, '-c', code, *words], text=True, capture_output=True)
        assert result.returncode == 0, (words, result.stderr)


def test_version(run):
    assert run('--version') == f'chainer-seg {__version__}\n'


@pytest.mark.parametrize('words, sentence', [
    ('trian yolact', "chainer-seg has no subcommand 'trian'; did you mean train?"),
    ('data drew', "chainer-seg data has no subcommand 'drew'; did you mean draw?"),
    ('train mask-rcn', "chainer-seg train has no system 'mask-rcn'; did you mean mask-rcnn?")])
def test_an_unknown_name_is_one_sentence_with_the_nearest(words, sentence):
    with pytest.raises(UserError) as error:
        main(words.split())
    assert str(error.value) == sentence


@pytest.mark.parametrize('words', [(), ('data',), ('train',)])
def test_a_missing_subcommand_is_exit_status_2_with_the_usage(capsys, words):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == command_line.USER_ERROR_STATUS
    assert capsys.readouterr().err.startswith('usage: chainer-seg')


def test_python_m_chainer_seg_is_the_command(repository, tmp_path):
    result = subprocess.run([sys.executable, '-m', 'chainer_seg', 'nothing'], text=True, cwd=tmp_path,
                            capture_output=True, env={**os.environ, 'PYTHONPATH': str(repository)})
    assert result.returncode == 2
    assert result.stderr.startswith("error: chainer-seg has no subcommand 'nothing'; choose one of train")


def test_the_console_script_is_installed_from_the_package(repository):
    project = tomllib.loads((repository / 'pyproject.toml').read_text())['project']
    assert project['scripts'] == {'chainer-seg': 'chainer_seg.cli:console'}


def test_data_draw(run, data):
    dataset = CocoDataset('set/annotations.json', 'set/images')
    assert len(dataset) == 2 and dataset[0][0].shape == (64, 64, 3)


def test_data_check(run, data):
    assert 'no problems' in run(f'data check {data}')


def test_data_prepare(run, data):
    split = ' '.join(f'--{name}_annotations_file set/annotations.json --{name}_image_dir set/images'
                     for name in ('train', 'val'))
    assert 'chainer-seg train SYSTEM --annotations packed/train.packed' in run(
        f'data prepare {split} --output_dir packed')
    assert len(PackedDataset('packed/train.packed')) == 2


def test_data_view(run, data):
    run(f'data view {data} --out pages --side 64')
    assert read_image('pages/page_01.png').ndim == 3


def test_data_clicks(run, data, tmp_path):
    text = run(f'data clicks samples {data} --least-area 20 --max-objects 1 --n-pairs 1')
    assert 'chainer-seg train click --recipe tensorflow' in text
    assert len(list((tmp_path / 'samples' / 'labels').iterdir())) == 1


def test_evaluate(run, data, click_model):
    assert '| click.npz |' in run(f'evaluate click.npz {data} --least-area 20 --max-objects 1 --cap 2 '
                                  f'--clicks 1 -q')


def test_predict(run, data, click_model, tmp_path):
    image = next((tmp_path / 'set' / 'images').iterdir())
    run(f'predict click.npz {image} --pos 10,12 --out found -q')
    assert read_image(f'found/{image.stem}_overlay.png').shape == (64, 64, 3)


def test_propose(run, data, deepmask, tmp_path):
    run(f'propose deepmask.npz {data} --np 3 --out proposals -q')
    assert sorted(path.name for path in (tmp_path / 'proposals').glob('*.json')) == [
        'bbox-000001-000002.json', 'segm-000001-000002.json', 'settings.json']


def test_export_and_convert(run, deepmask):
    run('export deepmask.npz mask.t7')
    run('convert mask.t7 -o again.npz')
    first, again = load_model('deepmask.npz'), load_model('again.npz')
    for (path, value), (_, copy) in zip(first.namedparams(), again.namedparams()):
        np.testing.assert_allclose(copy.array, value.array, rtol=1e-6, err_msg=path)


def test_download_lists_what_there_is(run):
    text = run('download weights')
    assert all(name in text for name in public_files()['weights'])


@pytest.mark.slow
def test_benchmark(run):
    assert ' ms\n' in run('benchmark common --repeat 1 --device cpu')


@pytest.mark.slow
def test_train(run):
    text = run('train deeplab --blocks 1 1 1 1 --width 2 --crop 33 --size 48 --val-n 1 --batch-size 1 '
               '--iterations 1 --workers 0 --device cpu --out out')
    assert '1 iterations in' in text and load_model('out/model.npz').config['width'] == 2


def test_the_wheel_has_the_command_its_recipes_and_the_shipped_models(repository):
    wheel = pytest.importorskip('hatchling.builders.wheel', reason='hatchling is not installed')
    files = {file.distribution_path.replace(os.sep, '/')
             for file in wheel.WheelBuilder(str(repository)).recurse_included_files()}
    package = repository / 'chainer_seg'
    wanted = [*package.glob('cli/*.py'), *package.glob('recipes/**/*.toml'), *package.glob('shipped/*.npz'),
              package / '__main__.py', package / 'public_files.toml', package / 'widgets/demo.ipynb',
              *repository.glob('converters/*.py')]
    assert len(wanted) > 60
    assert {path.relative_to(repository).as_posix() for path in wanted} <= files
