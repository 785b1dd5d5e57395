"""scripts/wheels.sh and packaging/portable_wheel.py: wheels that install on another machine."""

import os
import pathlib
import subprocess
import sys
import tomllib
import zipfile

import cv2
import numpy as np
import pytest

from tests.packaging.commands import run
from tests.packaging.test_pure_wheel import pure_wheel

import portable_wheel  # isort: skip  on the path since pure_wheel is


REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def write_wheel(folder, name, version, *lines):
    path = folder / f'{name}-{version}-py3-none-any.whl'
    stem = f'{name}-{version}.dist-info'
    pure_wheel.write_wheel(path, {f'{stem}/METADATA': '\n'.join(lines).encode(), f'{name}/data.bin': b'\xff'},
                           f'{stem}/RECORD')
    return path


def test_addresses_of_this_machine_become_versions(tmp_path):
    write_wheel(tmp_path, 'chainer', '7.8.1')
    wheel = write_wheel(tmp_path, 'chainer_seg', '0.1.0', 'Name: chainer-seg',
                        'Requires-Dist: chainer @ file:///home/me/packaging/chainer',
                        'Requires-Dist: numpy>=1.26')
    portable_wheel.rewrite(wheel, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read('chainer_seg-0.1.0.dist-info/METADATA').decode()
        assert archive.read('chainer_seg/data.bin') == b'\xff'
        assert archive.read('chainer_seg-0.1.0.dist-info/RECORD').count(b'sha256=') == 2
    assert metadata.splitlines() == ['Name: chainer-seg', 'Requires-Dist: chainer==7.8.1',
                                     'Requires-Dist: numpy>=1.26']


def test_missing_framework_is_named(tmp_path):
    wheel = write_wheel(tmp_path, 'chainer_seg', '0.1.0', 'Requires-Dist: chainer @ file:///packaging/chainer')
    with pytest.raises(SystemExit, match='expected one wheel of chainer in .*, found 0'):
        portable_wheel.rewrite(wheel, tmp_path)


@pytest.mark.parametrize('arguments, message', [
    (['--fast'], 'unknown option --fast'),
    (['--out'], '--out needs a value'),
])
def test_wrong_options_end_with_status_2(repository, arguments, message):
    done = subprocess.run(['bash', repository / 'scripts' / 'wheels.sh', *arguments], text=True,
                          capture_output=True)
    assert done.returncode == 2 and message in done.stderr


@pytest.fixture(scope='module')
def dist(tmp_path_factory, network):
    """A folder with the three wheels and their dependencies."""
    folder = tmp_path_factory.mktemp('wheels') / 'dist'
    run('bash', REPOSITORY / 'scripts' / 'wheels.sh', '--out', folder, '--with-dependencies', 'base',
        env={**os.environ, 'PYTHON': sys.executable})
    return folder


@pytest.mark.slow
def test_wheel_names_no_address_and_holds_every_part(dist):
    with zipfile.ZipFile(next(dist.glob('chainer_seg-*.whl'))) as wheel:
        metadata = wheel.read(next(name for name in wheel.namelist() if name.endswith('/METADATA'))).decode()
        names = set(wheel.namelist())
    requirements = [line for line in metadata.splitlines() if line.startswith('Requires-Dist:')]
    assert {'Requires-Dist: chainer==7.8.1', 'Requires-Dist: chainercv==0.13.1'} <= set(requirements)
    assert not any('://' in line for line in requirements)
    checkout = {str(path.relative_to(REPOSITORY)) for room in ('chainer_seg', 'converters')
                for path in (REPOSITORY / room).rglob('*')
                if path.is_file() and path.suffix != '.pyc'}
    assert checkout <= names
    assert {'chainer_seg/py.typed', 'chainer_seg/shipped/click-collages.npz'} <= names
    for part in ('chainer_seg/recipes/published/', 'chainer_seg/cli/', 'chainer_seg/widgets/', 'converters/'):
        assert any(name.startswith(part) for name in names)


@pytest.mark.slow
def test_wheels_install_without_index_and_checkout(dist, tmp_path):
    run(sys.executable, '-m', 'venv', tmp_path / 'venv')
    python = tmp_path / 'venv' / 'bin' / 'python'
    environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    run(python, '-m', 'pip', 'install', '--quiet', '--no-index', '--find-links', dist, 'chainer-seg',
        cwd=tmp_path, env=environment)
    image = np.full((120, 160, 3), 40, np.uint8)
    image[40:80, 50:110] = 220
    cv2.imwrite(str(tmp_path / 'square.png'), image)
    area = run(python, '-c', """
import chainer_seg, converters
from chainer_seg.models.deeplab import Click
from chainer_seg.recipes import YolactRecipe
assert YolactRecipe.published()
model = chainer_seg.load_model('click')
print((model.segment(chainer_seg.read_image('square.png'), [Click(60, 80)]) > 0.5)[40:80, 50:110].mean())
""", cwd=tmp_path, env=environment)
    assert float(area) > 0.8  # most of the square
    run(python, '-c', 'import chainer, chainer_seg; chainer_seg.load_model("click")', cwd=tmp_path,
        env=environment)
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    for command in project.get('scripts', ()):
        run(tmp_path / 'venv' / 'bin' / command, 'predict', 'click', 'square.png', '--pos', '80,60', '--out',
            'found', cwd=tmp_path, env=environment)
        assert any((tmp_path / 'found').rglob('*.png'))
