"""Makes the wheel of chainer_seg installable on another machine: python portable_wheel.py DIST

In a checkout, ``dependencies`` of pyproject.toml names Chainer and ChainerCV by the folders under
packaging/, so that one plain ``pip install .`` finds them; a wheel built from it holds file:// addresses of
the machine that built it. Here they become the exact versions whose wheels lie in the same folder.
"""

import pathlib
import re
import sys
import zipfile

import pure_wheel

LOCAL = re.compile(r'^Requires-Dist: ([\w.-]+) @ file://\S+', re.MULTILINE)


def rewrite(wheel, folder):
    """Replaces the local addresses in a wheel's metadata by the versions of the wheels in `folder`."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    metadata = next(name for name in files if name.endswith('.dist-info/METADATA'))
    record = metadata.replace('METADATA', 'RECORD')
    del files[record]
    text = files[metadata].decode('utf-8')
    text = LOCAL.sub(lambda match: f'Requires-Dist: {_pin(match[1], folder)}', text)
    files[metadata] = text.encode('utf-8')
    pure_wheel.write_wheel(wheel, files, record)


def _pin(name, folder):
    """``name==version`` of the only wheel of that name in the folder."""
    wheels = sorted(folder.glob(f'{name.replace("-", "_")}-*.whl'))
    if len(wheels) != 1:
        raise SystemExit(f'error: expected one wheel of {name} in {folder}, found {len(wheels)}')
    return f'{name}=={wheels[0].name.split("-")[1]}'


def main():
    folder = pathlib.Path(sys.argv[1])
    for wheel in folder.glob('chainer_seg-*.whl'):
        rewrite(wheel, folder)


if __name__ == '__main__':
    main()
