"""Print a script that completes the command and its options in bash or zsh.

For bash: chainer-seg completion bash > ~/.local/share/bash-completion/completions/chainer-seg;
for zsh: chainer-seg completion zsh > a file named _chainer-seg in a folder of $fpath.
"""

import argparse
import importlib
import shlex
from collections.abc import Iterator, Sequence

from chainer_seg.cli import PROGRAM, SUBCOMMANDS, Subcommand, train
from chainer_seg.options import Parser
from chainer_seg.recipes import SYSTEMS
from chainer_seg.zoo import SHIPPED, published_models

_FUNCTION = f'_{PROGRAM.replace("-", "_")}'
_BASH = '''\
{function}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before="" words="" number
    for ((number = 1; number < COMP_CWORD && number < 3; number++)); do
        before+="${{before:+ }}${{COMP_WORDS[number]}}"
    done
    case "$before" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o bashdefault -o default -F {function} {program}
'''
_ZSH = '''\
#compdef {program}
autoload -U +X bashcompinit && bashcompinit
{bash}'''


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = Parser(prog=f'{PROGRAM} completion', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('shell', choices=('bash', 'zsh'), help='the shell that the script is for')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    print(script(make_parser().parse_args(arguments).shell), end='')


def script(shell: str) -> str:
    """The completion script for ``'bash'`` or ``'zsh'``."""
    bash = _BASH.format(function=_FUNCTION, program=PROGRAM, cases='\n'.join(
        f'        {pattern}) words={shlex.quote(" ".join(words))} ;;' for pattern, words in _cases()))
    return bash if shell == 'bash' else _ZSH.format(program=PROGRAM, bash=bash)


def _cases() -> Iterator[tuple[str, list[str]]]:
    """A pattern of the words before the current one, and what can stand there; the first match counts."""
    yield '""', [*SUBCOMMANDS, '--help', '--version']
    yield 'train', [*SYSTEMS, '--help']
    for system in SYSTEMS:
        yield f'"train {system}"', train.options_of(system)
    for name, each in SUBCOMMANDS.items():
        if name == 'train':
            continue
        if isinstance(each, Subcommand):
            yield f'{name}|"{name} "*', _words_of(_parser_of(each))
            continue
        yield name, [*each, '--help']
        for part, subcommand in each.items():
            yield f'"{name} {part}"', _words_of(_parser_of(subcommand))


def _parser_of(subcommand):
    return importlib.import_module(f'chainer_seg.cli.{subcommand.module}').make_parser()


def _words_of(parser: argparse.ArgumentParser) -> list[str]:
    """The options of a parser, and the words that can be its positional arguments."""
    words: list[str] = []
    for action in parser._actions:
        words += action.option_strings
        if not action.option_strings:
            words += [*SHIPPED, *published_models()] if action.dest == 'model' else [
                word for word in action.choices or () if isinstance(word, str)]
    return list(dict.fromkeys(words))
