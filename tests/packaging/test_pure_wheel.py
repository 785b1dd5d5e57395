"""The in-tree packages of Chainer and ChainerCV, and every way to install the project."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
import yaml

from tests.packaging.commands import run

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'packaging'))
import pure_wheel  # noqa: E402

IMPORTS = ('import warnings; warnings.simplefilter("error"); import chainer_seg; import chainer, '
           'chainercv, chainermn, onnx_chainer; from chainer_seg import load_model; '
           'print(chainer.__version__, type(load_model("click")).__name__)')


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the pyproject.toml of an invented package whose archive is there."""
    source = tmp_path / 'thing-1.0'
    (source / 'thing' / 'data').mkdir(parents=True)
    (source / 'thing' / '__init__.py').write_text('x = 1\n')
    (source / 'thing' / 'data' / 'table.txt').write_text('1 2 3\n')
    (source / 'thing' / 'fast.c').write_text('int x;\n')
    (source / 'setup.py').write_text('raise SystemExit("not to be run")\n')
    (source / 'LICENSE').write_text('MIT\n')
    archive = tmp_path / 'thing-1.0.tar.gz'
    with tarfile.open(archive, 'w:gz') as tar:
        tar.add(source, 'thing-1.0')
    (tmp_path / 'pyproject.toml').write_text(
        '[project]\nname = "thing"\nversion = "1.0"\ndescription = "a thing"\n'
        'requires-python = ">=3.11"\ndependencies = ["numpy>=1"]\n'
        '[tool.pure-wheel]\nsha256 = "0"\npackages = ["thing"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pure_wheel, '_fetch', lambda *_: archive)
    return tmp_path


def test_wheel_holds_the_packages_but_no_sources_of_extensions(project):
    name = pure_wheel.build_wheel(str(project))
    assert name == 'thing-1.0-py3-none-any.whl'
    with zipfile.ZipFile(project / name) as wheel:
        assert set(wheel.namelist()) == {
            'thing/__init__.py', 'thing/data/table.txt', 'thing-1.0.dist-info/METADATA',
            'thing-1.0.dist-info/WHEEL', 'thing-1.0.dist-info/RECORD',
            'thing-1.0.dist-info/licenses/LICENSE'}
        assert 'Requires-Dist: numpy>=1' in wheel.read('thing-1.0.dist-info/METADATA').decode()


def test_pip_installs_the_wheel(project):
    pytest.importorskip('pip', reason='this environment has no pip')
    name = pure_wheel.build_wheel(str(project))
    target = project / 'site'
    run(sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index', '--target',
        target, project / name)
    assert run(sys.executable, '-c', 'import thing; print(thing.x)',
               env={**os.environ, 'PYTHONPATH': str(target)}).strip() == '1'


def test_equal_archives_give_equal_wheels(project):
    first = (project / pure_wheel.build_wheel(str(project))).read_bytes()
    assert (project / pure_wheel.build_wheel(str(project))).read_bytes() == first


@pytest.mark.slow
def test_wrong_checksum_is_refused(repository, tmp_path, network):
    folder = tmp_path / 'packaging' / 'chainercv'
    shutil.copytree(repository / 'packaging', tmp_path / 'packaging')
    text = (folder / 'pyproject.toml').read_text()
    (folder / 'pyproject.toml').write_text(text.replace('84214bd2', '00000000'))
    with pytest.raises(subprocess.CalledProcessError) as error:
        run(sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--wheel-dir', tmp_path, folder)
    assert 'DO NOT MATCH THE HASHES' in error.value.stdout + error.value.stderr


@pytest.mark.slow
@pytest.mark.parametrize('installer', ['pip', 'uv'])
def test_one_plain_command_installs_the_project(repository, tmp_path, network, installer):
    environment = tmp_path / 'venv'
    python = environment / 'bin' / 'python'
    if installer == 'pip':
        run(sys.executable, '-m', 'venv', environment)
        run(python, '-m', 'pip', 'install', '--quiet', '.', cwd=repository)
    else:
        uv = shutil.which('uv') or pathlib.Path(sys.executable).with_name('uv')
        run(uv, 'venv', '--quiet', '--python', sys.executable, environment)
        run(uv, 'pip', 'install', '--quiet', '--python', python, '.', cwd=repository)
    # Outside the checkout: the installed package must be complete.
    assert run(python, '-c', IMPORTS, cwd=tmp_path).split() == ['7.8.1', 'ClickSegmenter']


@pytest.mark.slow
def test_pip_installs_the_section_of_environment_yml(repository, tmp_path, network):
    environment = tmp_path / 'venv'
    run(sys.executable, '-m', 'venv', environment)
    content = yaml.safe_load((repository / 'environment.yml').read_text())
    section = next(part['pip'] for part in content['dependencies'] if isinstance(part, dict))
    # Conda writes the section to a file beside environment.yml and passes it to pip.
    listing = repository / 'condaenv.test.requirements.txt'
    listing.write_text('\n'.join(section) + '\n')
    python = environment / 'bin' / 'python'
    try:
        run(python, '-m', 'pip', 'install', '--quiet', '--upgrade', '--requirement', listing,
            cwd=repository)
    finally:
        listing.unlink()
    assert run(python, '-c', IMPORTS, cwd=tmp_path).split() == ['7.8.1', 'ClickSegmenter']
    assert run(python, '-m', 'jupyter', 'lab', '--version', cwd=tmp_path).startswith('4.')


def test_every_dependency_is_pinned_and_no_host_is_named(repository):
    lock = (repository / 'requirements.lock').read_text()
    lines = [line for line in lock.splitlines() if line and not line.startswith('#')]
    assert len(lines) > 50 and all('==' in line for line in lines)
    assert '://' not in lock


def entries_for(repository, extras):
    """The entries of requirements-hashed.lock that scripts/environment.sh installs for some extras."""
    text = run('bash', '-c', 'source scripts/environment.sh; locked_for "$1"', 'bash', extras,
               cwd=repository)
    return re.findall(r'^([\w.-]+==\S+)(.*(?:\n .*)*)', text, re.MULTILINE)


def test_every_locked_version_has_checksums_and_no_host_is_named(repository):
    lock = (repository / 'requirements.lock').read_text()
    plain = {line.split()[0] for line in lock.splitlines() if not line.startswith('#')}
    entries = entries_for(repository, 'dev,cuda12,cuda13')
    assert plain <= {name for name, _ in entries}
    assert all(re.search(r' \\\n    --hash=sha256:[0-9a-f]{64}', rest) for _, rest in entries)
    assert '://' not in (repository / 'requirements-hashed.lock').read_text()


def test_each_extra_installs_what_it_needs(repository):
    base, notebook, dev, cuda = (
        {name.partition('==')[0] for name, _ in entries_for(repository, extras)}
        for extras in ('', 'notebook', 'dev', 'cuda12'))
    assert {'numpy', 'scipy', 'msgspec', 'six'} <= base < notebook < dev
    assert 'jupyterlab' in notebook - base and 'pytest' in dev - notebook
    assert 'cupy-cuda12x' in cuda and not {'cupy-cuda13x', 'pytest', 'jupyterlab'} & cuda
    assert not {'chainer', 'chainercv', 'chainer-seg'} & dev


def test_no_version_is_installed_twice(repository):
    for extras in ('notebook,tensorboard,cuda12', 'notebook,tensorboard,cuda13', 'dev,cuda12'):
        names = [name for name, rest in entries_for(repository, extras) if ' ; ' not in rest]
        assert len({name.partition('==')[0] for name in names}) == len(names)
