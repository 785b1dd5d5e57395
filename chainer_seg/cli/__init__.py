"""The command ``chainer-seg``: one module per subcommand, whose options are the fields of a dataclass."""

import difflib
import importlib
import sys
import typing
from collections.abc import Mapping, Sequence

from chainer_seg import __version__, command_line
from chainer_seg.errors import UserError

PROGRAM = 'chainer-seg'


class Subcommand(typing.NamedTuple):
    """A subcommand.

    Attributes:
        module: Module of this package.
        form: Its :class:`chainer_seg.cli.parsing.Command` there; empty where the first argument decides
            which options follow, and the module has ``main(arguments, prog)`` and ``words()``, what can
            stand behind the subcommand.
        usage: The arguments that it needs.
        summary: What it does, in a line.
    """

    module: str
    form: str
    usage: str
    summary: str

    def load(self) -> typing.Any:
        """The dataclass, or the module where there is none."""
        module = importlib.import_module(f'{__name__}.{self.module}')
        return getattr(module, self.form) if self.form else module


# Subcommands, and groups of them, by name.
Group: typing.TypeAlias = Mapping[str, Subcommand | Mapping[str, Subcommand]]

DATA = {
    'draw': Subcommand('draw', 'Draw', 'OUT', 'create a synthetic data set or video'),
    'check': Subcommand('check', 'Check', '--annotations J', 'list the problems of a COCO data set'),
    'prepare': Subcommand('prepare', 'Prepare', '--output_dir O ...', 'check, measure and pack a data set'),
    'view': Subcommand('view', 'View', '--out DIR', 'draw the images of a data set with their objects'),
    'clicks': Subcommand('clicks', 'Clicks', 'OUT', 'sample clicks once, as files for training'),
}
SUBCOMMANDS: Group = {
    'train': Subcommand('train', '', 'SYSTEM', 'train a system'),
    'evaluate': Subcommand('evaluate', '', 'MODEL', 'measure the accuracy of a model'),
    'predict': Subcommand('predict', '', 'MODEL INPUT...', 'run a model on images or videos'),
    'propose': Subcommand('propose', 'Propose', 'MODEL', 'compute the object proposals of a data set'),
    'convert': Subcommand('convert', 'Convert', 'FILE', 'convert published weights into a model file'),
    'export': Subcommand('export', 'Export', 'MODEL OUT', 'write a model as a Caffe or Torch file'),
    'data': DATA,
    'download': Subcommand('download', 'Download', 'KIND [NAME...]', 'download public weights and data sets'),
    'benchmark': Subcommand('benchmark', 'Benchmark', '[SYSTEM...]', 'measure speed on this machine'),
    'demo': Subcommand('demo', 'Demo', '', 'serve a page that labels and detects objects'),
    'completion': Subcommand('completion', 'Completion', 'bash|zsh',
                             'print a script that completes this command'),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a subcommand.

    Args:
        arguments: Its name and its arguments; those of the process by default.

    Raises:
        chainer_seg.errors.UserError: There is no such subcommand, or it failed.
    """
    _run(SUBCOMMANDS, PROGRAM, list(sys.argv[1:] if arguments is None else arguments))


def console(*words: str) -> None:
    """The installed command: :func:`main`, and then the end of the process with its exit status.

    Args:
        words: What the arguments of the process stand behind, such as ``'data', 'draw'``.
    """
    command_line.run(lambda: main([*words, *sys.argv[1:]]))


def find_name(name: str, known: Sequence[str], program: str, kind: str = 'subcommand') -> str:
    """Returns ``name``.

    Raises:
        chainer_seg.errors.UserError: It is not among the known names; the sentence suggests the nearest.
    """
    if name in known:
        return name
    nearest = difflib.get_close_matches(name, known, 1)
    hint = f'did you mean {nearest[0]}?' if nearest else f'choose one of {", ".join(known)}.'
    raise UserError(f'{program} has no {kind} {name!r}; {hint}')


def _run(subcommands: Group, program: str, arguments: list[str]) -> None:
    if not arguments or arguments[0] in ('-h', '--help'):
        print(_help(subcommands, program), file=sys.stdout if arguments else sys.stderr)
        if not arguments:
            sys.exit(command_line.USER_ERROR_STATUS)
        return
    if arguments[0] == '--version' and program == PROGRAM:
        print(f'{PROGRAM} {__version__}')
        return
    name, *rest = arguments
    chosen = subcommands[find_name(name, tuple(subcommands), program)]
    program = f'{program} {name}'
    if not isinstance(chosen, Subcommand):
        _run(chosen, program, rest)
    elif chosen.form:
        from chainer_seg.cli.parsing import parse_command  # Importing tyro takes a moment.
        parse_command(chosen.load(), rest, program).run()
    else:
        chosen.load().main(rest, program)


def _help(subcommands: Group, program: str) -> str:
    """The usage and a line for each subcommand."""
    lines = []
    for name, each in subcommands.items():
        group = {name: each} if isinstance(each, Subcommand) else {
            f'{name} {part}': subcommand for part, subcommand in each.items()}
        lines += [(f'{words} {subcommand.usage}', subcommand.summary) for words, subcommand in group.items()]
    width = max(len(usage) for usage, _ in lines)
    options = ('', '  --version', '  -h, --help') if program == PROGRAM else ()
    return '\n'.join([
        f'usage: {program} SUBCOMMAND ...', '', *(f'  {usage:{width}}  {text}' for usage, text in lines),
        *options, '', f'{program} SUBCOMMAND --help lists the options of a subcommand.'])
