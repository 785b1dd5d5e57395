"""Scripts that take MODEL first: the class of the model decides which options follow."""

import importlib
import sys

from chainer_seg import command_line
from chainer_seg.errors import UserError
from chainer_seg.model_file import load_model, read_description
from chainer_seg.zoo import SHIPPED


def run(description, modules):
    """Reads the command line, loads the model and lets the module of its class work.

    Args:
        description: What the script is for.
        modules: ``{class of the model: {protocol: module of this package}}``; the first protocol
            is the default. A module has ``add_options(parser)`` and ``run(model, options)``, and
            its docstring says what it does.
    """
    arguments = sys.argv[1:]
    if not arguments or arguments[0].startswith('-'):
        _explain(description, modules)
    kind = read_description(arguments[0])['class']
    if kind not in modules:
        raise UserError(f'{arguments[0]} holds a {kind}, which this script does not take; it takes '
                        f'{", ".join(modules)}.')
    protocols = modules[kind]
    module = importlib.import_module(f'commands.{protocols[_protocol(protocols, arguments)]}')
    parser = command_line.parser(module.__doc__)
    _add_model(parser)
    if len(protocols) > 1:
        _add_protocol(parser, protocols)
    module.add_options(parser)
    options = parser.parse_args(arguments)
    command_line.set_up_messages(options)
    module.run(load_model(options.model, options.device), options)


def _explain(description, modules):
    """Ends the process with the general help, or with what is missing."""
    parser = command_line.parser(description, epilog='MODEL --help tells the options for a model.')
    _add_model(parser)
    _add_protocol(parser, dict.fromkeys(
        name for each in modules.values() if len(each) > 1 for name in each))
    parser.parse_known_args()
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
                        help=f'a model file, or the name of a shipped model: {", ".join(SHIPPED)}')


def _add_protocol(parser, protocols):
    if len(protocols) > 1:
        parser.add_argument('--protocol', choices=tuple(protocols),
                            help='what is measured; by the kind of the model if left out')
