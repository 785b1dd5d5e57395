"""Model cards, guides, recipes and tutorials name the installed command, and options that it has."""

import collections
import json
import pathlib
import re
import shlex

import pytest

from chainer_seg.cli import main

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
PATHS = sorted(path for pattern in ('chainer_seg/shipped/*.md', 'chainer_seg/recipes/published/*/*.toml',
                                    'docs/*.md', 'notebooks/*.ipynb', 'benchmarks/*.md')
               for path in REPOSITORY.glob(pattern))

# What stands for a model or a system in a printed command, and one whose options can be shown.
STAND_INS = {'MODEL': 'deepmask', 'MODEL.npz': 'deeplab', 'out/a/model.npz': 'click',
             'out/mine/model_best.npz': 'yolact', 'yolact-base': 'yolact',
             'mask-rcnn-r50-fpn-2x': 'mask-rcnn', 'SYSTEM': 'yolact', 'NAME': 'yolact'}
GROUPS = ('train', 'evaluate', 'predict', 'data')  # subcommands with another word that options depend on


def text_of(path):
    """The text of a document; of a notebook, its Markdown."""
    text = path.read_text(encoding='utf-8')
    if path.suffix != '.ipynb':
        return text
    return '\n'.join(''.join(cell['source']) for cell in json.loads(text)['cells']
                     if cell['cell_type'] == 'markdown')


def commands_of(path):
    """The printed commands: in backquotes, or indented and perhaps continued on more lines."""
    text = text_of(path)
    yield from re.findall(r'`(chainer-seg (?!COMMAND)[^`\n]+)`', text)
    for block in re.findall(r'^(?:#| {3}) +(?:mpiexec -n \d+ )?(chainer-seg (?:.*\\\n)*.*)$', text,
                            re.MULTILINE):
        yield re.sub(r'\\\n#?', ' ', block)


def subcommand(command):
    """The words of a command before its files and options."""
    words = shlex.split(command.replace("'", ''), comments=False)[1:]
    if words[0] not in GROUPS or len(words) == 1:
        return words[:1]
    protocol = re.findall(r'--protocol \w+', command)
    if words[0] == 'predict' and re.search(r'--(pos|neg|clicks)\b', command):
        protocol = ['--protocol clicks']  # which clicks imply
    if words[0] == 'predict' and '--list' in command:
        protocol = ['--protocol maps']
    return [words[0], STAND_INS.get(words[1], words[1]), *' '.join(protocol).split()]


def options_by_subcommand():
    """{words of a subcommand: the options that any document names for it}."""
    found = collections.defaultdict(set)
    for path in PATHS:
        for command in commands_of(path):
            found[tuple(subcommand(command))] |= set(re.findall(r'(?<![\w-])--?([A-Za-z][\w-]+)', command))
    return found


OPTIONS = options_by_subcommand()


def test_commands_are_found():
    assert len(OPTIONS) > 10 and sum(map(len, OPTIONS.values())) > 80


@pytest.mark.parametrize('words', sorted(OPTIONS), ids=' '.join)
def test_every_option_in_a_document_is_in_the_help(words, capsys):
    try:
        main([*words, '--help'])
    except SystemExit as end:
        assert not end.code
    text = capsys.readouterr().out.replace('_', '-')
    lacking = [option for option in sorted(OPTIONS[words])
               if not re.search(rf'(?<![\w-])--?{re.escape(option.replace("_", "-"))}(?![\w-])', text)]
    assert lacking == []


@pytest.mark.parametrize('path', [path for path in PATHS if path.name != 'coming_from.md'],
                         ids=lambda path: path.name)
def test_documents_name_the_installed_command(path):
    scripts = '|'.join(script.stem for script in (REPOSITORY / 'scripts').glob('*.py')
                       if not script.stem.startswith('upstream'))
    assert re.findall(rf'\b(?:{scripts})\.py\b', text_of(path)) == []
