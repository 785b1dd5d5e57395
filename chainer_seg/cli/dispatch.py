"""Subcommands whose first argument is MODEL: its class decides which options follow."""

import importlib
import sys
from collections.abc import Mapping, Sequence

from chainer_seg import command_line
from chainer_seg.errors import UserError
from chainer_seg.options import Parser
from chainer_seg.zoo import SHIPPED

# {class of the model: {protocol: module of this package}}
Modules = Mapping[str, Mapping[str, str]]


def run(name: str, description: str | None, modules: Modules,
        arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, loads the model, and runs the module for its class.

    Args:
        name: The name of the subcommand.
        description: What the subcommand does.
        modules: ``{class of the model: {protocol: module of this package}}``; the first protocol
            is the default. A module has ``add_options(parser)`` and ``run(model, options)``, and
            its docstring says what it does.
        arguments: Those of the subcommand; the arguments of the process by default.
    """
    from chainer_seg.model_file import class_of, load_model
    prog = f'chainer-seg {name}'
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0].startswith('-'):
        _explain(prog, description, modules, arguments)
    kind = class_of(arguments[0])
    if kind not in modules:
        raise UserError(f'{arguments[0]} holds a {kind}, which {prog} does not support; give one '
                        f'of {", ".join(modules)}.')
    protocols = modules[kind]
    module = importlib.import_module(f'chainer_seg.cli.{protocols[_protocol(protocols, arguments)]}')
    parser = command_line.parser(module.__doc__, prog=prog)
    _add_model(parser)
    if len(protocols) > 1:
        _add_protocol(parser, protocols)
    module.add_options(parser)
    options = parser.parse_args(arguments)
    command_line.set_up_messages(options)
    module.run(load_model(options.model, options.device), options)


def joint_parser(modules: Modules) -> Parser:
    """A parser that has the options for all models."""
    parser = Parser(conflict_handler='resolve')
    command_line.add_common_options(parser)
    _add_model(parser)
    names = {protocol: module for protocols in modules.values() for protocol, module in protocols.items()}
    if any(len(protocols) > 1 for protocols in modules.values()):
        _add_protocol(parser, names)
    for name in dict.fromkeys(names.values()):
        importlib.import_module(f'chainer_seg.cli.{name}').add_options(parser)
    return parser


def _explain(prog, description, modules, arguments):
    """Prints the general help or a usage error, and ends the process."""
    parser = command_line.parser(description, prog=prog, epilog='MODEL --help lists the options for a model.')
    _add_model(parser)
    _add_protocol(parser, dict.fromkeys(
        name for each in modules.values() if len(each) > 1 for name in each))
    parser.parse_known_args(arguments)
    parser.error('MODEL comes first')


def _protocol(protocols, arguments):
    first = next(iter(protocols))
    if len(protocols) == 1:
        return first
    parser = command_line.parser(None, add_help=False)
    _add_model(parser)
    _add_protocol(parser, protocols)
    return parser.parse_known_args(arguments)[0].protocol or first


def _add_model(parser):
    parser.add_argument('model', metavar='MODEL',
                        help=f'a model file, the name of a shipped model ({", ".join(SHIPPED)}), or the name '
                             'of published weights, which are downloaded at first use: "chainer-seg '
                             'download weights" lists them')


def _add_protocol(parser, protocols):
    if len(protocols) > 1:
        parser.add_argument('--protocol', choices=tuple(protocols),
                            help='evaluation protocol; depends on the kind of model if omitted')
