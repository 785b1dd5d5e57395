"""Print a script that completes the command and its options in bash or zsh."""

import dataclasses
import shlex
from collections.abc import Iterator
from typing import Literal

from tyro.conf import Positional

from chainer_seg.cli import PROGRAM, SUBCOMMANDS, Subcommand, train
from chainer_seg.cli.parsing import Command, words_of
from chainer_seg.recipes import SYSTEMS

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


@dataclasses.dataclass(frozen=True)
class Completion(Command):
    """Print a script that completes the command and its options in bash or zsh.

    For bash: chainer-seg completion bash > ~/.local/share/bash-completion/completions/chainer-seg; for zsh:
    chainer-seg completion zsh > a file named _chainer-seg in a folder of $fpath.

    Attributes:
        shell: Shell that the script is for.
    """

    shell: Positional[Literal['bash', 'zsh']]

    def run(self) -> None:
        print(script(self.shell), end='')


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
        yield f'"train {system}"', train.words(system)
    for name, each in SUBCOMMANDS.items():
        if name == 'train':
            continue
        if isinstance(each, Subcommand):
            yield f'{name}|"{name} "*', _words(each)
            continue
        yield name, [*each, '--help']
        for part, subcommand in each.items():
            yield f'"{name} {part}"', _words(subcommand)


def _words(subcommand: Subcommand) -> list[str]:
    return [*words_of(subcommand.load()), '--help'] if subcommand.form else subcommand.load().words()
