"""README.md and docs/coming_from.md: their Python runs and prints what they say; options and links exist.

The commands are run by test_readme_commands.py.
"""

import contextlib
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from chainer_seg.cli import main
from chainer_seg.images import write_image
from chainer_seg.zoo import published_models

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
README = (REPOSITORY / 'README.md').read_text(encoding='utf-8')
BLOCKS = re.findall(r'^```python\n(.*?)^```', README, re.DOTALL | re.MULTILINE)
GUIDE = (REPOSITORY / 'docs' / 'coming_from.md').read_text(encoding='utf-8')
COMMANDS = sorted(set(re.findall(r'`(chainer-seg (?!train \.)[a-z][^`]*)`', README + GUIDE)))

# What makes the training of the README short enough for a test.
SHORTER = {'iterations=1000': 'iterations=2', '(40, seed=2)': '(4, seed=2)'}


def run(*command, cwd):
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get('PYTHONPATH')]))
    return subprocess.run(list(map(str, command)), cwd=cwd, text=True, capture_output=True,
                          env={**os.environ, 'PYTHONPATH': path, 'COLUMNS': '100', 'MPLBACKEND': 'Agg'})


@pytest.mark.slow
def test_python_blocks_run_from_the_first_to_the_last(tmp_path):
    data = pytest.importorskip('skimage.data')
    write_image(tmp_path / 'photograph.jpg', data.coffee()[::2, ::2])
    (tmp_path / 'sharpmask').mkdir()
    exported = run(sys.executable, REPOSITORY / 'scripts' / 'export.py', 'sharpmask', 'sharpmask/model.t7',
                   cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    program = '\n'.join(BLOCKS)
    for published, short in SHORTER.items():
        assert published in program
        program = program.replace(published, short)
    program += ('\nassert session.mask.shape == session.image.shape[:2] and labels.shape == image.shape[:2]'
                '\nassert len(proposals) == 100 and type(model).__name__ == "SharpMask"'
                '\nassert type(chainer_seg.load_model(result.best_model)).__name__ == "Yolact"\n')
    done = run(sys.executable, '-c', program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    printed = re.findall(r'^print\(.*\) +# (.*)$', program, re.MULTILINE)
    assert len(printed) > 3
    assert [line for line in done.stdout.splitlines() if line in printed] == printed


# What chooses among the forms of a subcommand, each of which has a help of its own.
FORM = re.compile(r'--protocol(?= )|(?<=--protocol )\w+|--list(?= )|(?<=--list )\S+')


def subcommand(command):
    """The words of a command before its files and options; of a MODEL, the one that most options suit."""
    words = []
    for word in shlex.split(command)[1:]:
        if word == 'MODEL':
            word = 'mask-rcnn'
        if not re.fullmatch('[a-z][a-z-]*', word) and word not in published_models():
            break
        words.append(word)
    return words


@pytest.mark.parametrize('command', COMMANDS)
def test_every_printed_command_and_its_options_are_in_the_help(command, capsys):
    with contextlib.suppress(SystemExit):
        main([*subcommand(command), *FORM.findall(command), '--help'])
    text = capsys.readouterr().out.replace('_', '-')
    assert text.startswith('usage: chainer-seg')
    for option in re.findall(r' -{1,2}([a-z][\w-]*)', command):
        assert re.search(rf'-{option.replace("_", "-")}\b', text)


@pytest.mark.parametrize('target', sorted(set(re.findall(r'\]\(([^):]+)\)', README))))
def test_every_link_leads_to_a_file(target):
    assert (REPOSITORY / target).exists()


@pytest.mark.parametrize('script', sorted(set(re.findall(r'(?:^    bash scripts/|\| `)(\w+\.(?:sh|py))',
                                                         README, re.MULTILINE))))
def test_every_script_exists(script):
    assert (REPOSITORY / 'scripts' / script).exists()
