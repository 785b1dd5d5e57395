"""The completion scripts, as the shells read them."""

import shutil
import subprocess

import pytest

from chainer_seg.cli.completion import script

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='there is no bash')


@pytest.fixture(scope='module')
def bash_script():
    return script('bash')


def completed(source, *words):
    """The words that bash offers in the place of the last one."""
    quoted = ' '.join(f"'{word}'" for word in ('chainer-seg', *words))
    result = subprocess.run(
        ['bash', '--norc', '-c', f'{source}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words)}\n'
         f'_chainer_seg\nprintf "%s\\n" "${{COMPREPLY[@]}}"'], text=True, capture_output=True, check=True)
    return result.stdout.split()


def test_bash_parses_the_script(bash_script):
    subprocess.run(['bash', '-n'], input=bash_script, text=True, check=True)


@pytest.mark.parametrize('words, expected', [
    (('ev',), ['evaluate']),
    (('data', 'dr'), ['draw']),
    (('train', 'mask'), ['mask-rcnn']),
    (('train', 'yolact', '--out', 'o', '--image-s'), ['--image-size']),
    (('data', 'draw', '--si'), ['--size']),
    (('evaluate', 'sharp'), ['sharpmask', 'sharpmask-coco']),
    (('evaluate', 'my.npz', '--thresholds'), ['--thresholds']),
    (('download', 'wei'), ['weights']),
    (('nothing', '--si'), [])])
def test_bash_completes(bash_script, words, expected):
    assert completed(bash_script, *words) == expected


def test_the_script_for_zsh_uses_that_of_bash(bash_script):
    text = script('zsh')
    assert text.startswith('#compdef chainer-seg\n') and text.endswith(bash_script)
