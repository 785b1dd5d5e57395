"""A PEP 517 build backend that turns a pinned source archive into a pure-Python wheel.

Chainer and ChainerCV are published as source archives only, and their build scripts fail with the
current setuptools, Python and NumPy. Nothing in them needs to be built, though: this backend has pip fetch
the archive from the user's configured index and verify its checksum, and packs the Python files unchanged.
The wheel's metadata comes from ``[project]`` in the folder's pyproject.toml, the archive's checksum from
``[tool.pure-wheel]``.
"""

import base64
import hashlib
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile

# Sources of compiled extensions: the wheel is for any Python on any machine.
OMITTED = ('.c', '.cc', '.h', '.pyx', '.so', '.pyc')

# A zip archive cannot carry an earlier date; a fixed one makes equal wheels of equal archives.
EPOCH = (1980, 1, 1, 0, 0, 0)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Writes the wheel and returns its file name (PEP 517)."""
    description = tomllib.loads(pathlib.Path('pyproject.toml').read_text(encoding='utf-8'))
    project, options = description['project'], description['tool']['pure-wheel']
    with tempfile.TemporaryDirectory() as folder:
        archive = _fetch(project, options['sha256'], folder)
        files = dict(_packed_files(archive, options['packages']))
    stem = f'{project["name"]}-{project["version"]}'
    files[f'{stem}.dist-info/METADATA'] = _metadata(project)
    files[f'{stem}.dist-info/WHEEL'] = (
        'Wheel-Version: 1.0\nGenerator: pure_wheel\nRoot-Is-Purelib: true\n'
        'Tag: py3-none-any\n').encode('ascii')
    name = f'{stem}-py3-none-any.whl'
    write_wheel(pathlib.Path(wheel_directory, name), files, f'{stem}.dist-info/RECORD')
    return name


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """There is nothing here to edit: the same wheel (PEP 660)."""
    return build_wheel(wheel_directory)


def _fetch(project, sha256, folder):
    """Downloads the source archive with pip, which uses the user's index, proxy and cache."""
    pin = pathlib.Path(folder, 'pin.txt')
    pin.write_text(f'{project["name"]}=={project["version"]} --hash=sha256:{sha256}\n')
    # The hooks of the build in progress must not be applied to the archive.
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(('_PYPROJECT_HOOKS', 'PEP517_'))}
    for theirs in ('UV_DEFAULT_INDEX', 'UV_INDEX_URL'):
        if theirs in environment:
            environment.setdefault('PIP_INDEX_URL', environment[theirs])
    # pip runs the archive's setup.py only to read its name; the build environment has what that needs.
    subprocess.run(
        [sys.executable, '-m', 'pip', 'download', '--quiet', '--disable-pip-version-check',
         '--no-deps', '--no-binary', ':all:', '--no-build-isolation', '--require-hashes',
         '--requirement', str(pin), '--dest', folder], check=True, env=environment)
    return next(pathlib.Path(folder).glob('*.tar.gz'))


def _packed_files(archive, packages):
    """(path in the wheel, bytes) of each file of the packages, and of the licence."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = pathlib.PurePosixPath(*pathlib.PurePosixPath(member.name).parts[1:])
            if not member.isfile() or not path.parts or path.suffix in OMITTED:
                continue
            if path.parts[0] in packages:
                yield str(path), tar.extractfile(member).read()
            elif str(path) == 'LICENSE':
                stem = archive.name[:-len('.tar.gz')]
                yield f'{stem}.dist-info/licenses/LICENSE', tar.extractfile(member).read()


def _metadata(project):
    lines = ['Metadata-Version: 2.1', f'Name: {project["name"]}', f'Version: {project["version"]}',
             f'Summary: {project["description"]}', 'License: MIT',
             f'Requires-Python: {project["requires-python"]}']
    lines += [f'Requires-Dist: {dependency}' for dependency in project['dependencies']]
    return ('\n'.join(lines) + '\n').encode()


def write_wheel(path, files, record):
    """Writes {name: bytes} as a wheel, with `record` as the list of their checksums."""
    rows = []
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as wheel:
        for name, content in sorted(files.items()):
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=')
            rows.append(f'{name},sha256={digest.decode()},{len(content)}\n')
            _add(wheel, name, content)
        _add(wheel, record, ''.join(rows + [f'{record},,\n']).encode())


def _add(wheel, name, content):
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    wheel.writestr(entry, content)
