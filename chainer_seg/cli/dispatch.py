"""Subcommands whose first argument is MODEL: its class decides which options follow."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from tyro.conf import Positional, arg

from chainer_seg.cli import find_name
from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.parsing import Command, parse_command, words_of
from chainer_seg.command_line import USER_ERROR_STATUS
from chainer_seg.errors import UserError
from chainer_seg.recipes.options import value_of_option
from chainer_seg.zoo import SHIPPED

# The argument of a command that names a model.
ModelName = Positional[Annotated[str, arg(metavar='MODEL', help=(
    f'Model file, the name of a shipped model ({", ".join(SHIPPED)}), or the name of published weights, '
    'which are downloaded at first use: "chainer-seg download weights" lists them.'))]]

# {protocol: (module of this package, its ModelCommand)}; the first protocol is the default.
Protocols = Mapping[str, tuple[str, str]]
Forms = Mapping[str, Protocols]  # by the class of the model


def forms_by_class(*, clicks: Protocols, semantic: Protocols, detections: Protocols, proposals: Protocols
                   ) -> Forms:
    """The forms for every class of model.

    Args:
        clicks, semantic: For click models, and for semantic segmentation.
        detections, proposals: For detectors, and for DeepMask and SharpMask, which can also be clicked.
    """
    detections, proposals = {**detections, **clicks}, {**proposals, **clicks}
    return {'ClickSegmenter': clicks, 'DeepLab': semantic, 'DeepMask': proposals, 'MaskRCNN': detections,
            'RitmDeepLab': clicks, 'RitmHRNet': clicks, 'SharpMask': proposals, 'Yolact': detections}


class ModelCommand(Command):
    """A subcommand that works with a model.

    Attributes:
        model: Name of the model.
        common: Common options.
    """

    model: ModelName
    common: CommonOfModel

    def run(self) -> None:
        from chainer_seg.engines import compile
        from chainer_seg.model_file import load_model
        self.common.set_up()
        self.work(compile(load_model(self.model, self.common.device), self.common.engine))

    def work(self, model: Any) -> None:
        """Does with the model what the options say."""
        raise NotImplementedError  # every subcommand has its own


def run(forms: Forms, summary: str, arguments: Sequence[str], prog: str) -> None:
    """Runs the form for the class of the model that the first argument names.

    Raises:
        chainer_seg.errors.UserError: There is no such model, or none for its class.
    """
    from chainer_seg.model_file import class_of
    if not arguments or arguments[0] in ('-h', '--help'):
        print(_help(summary, prog), file=sys.stdout if arguments else sys.stderr)
        if not arguments:
            sys.exit(USER_ERROR_STATUS)
        return
    if arguments[0].startswith('-'):
        raise UserError(f'{prog} needs MODEL before its options; {prog} --help explains it.')
    kind = class_of(arguments[0])
    if kind not in forms:
        raise UserError(f'{arguments[0]} holds a {kind}, which {prog} does not support; give one '
                        f'of {", ".join(forms)}.')
    protocols = forms[kind]
    protocol = value_of_option(arguments, '--protocol') or next(iter(protocols))
    chosen = protocols[find_name(protocol, tuple(protocols), prog, 'protocol')]
    parse_command(_load(*chosen), arguments, prog).run()


def words(forms: Forms) -> list[str]:
    """What can be completed: the options for all models, and the names of shipped and published ones."""
    found = [word for protocols in forms.values() for chosen in protocols.values()
             for word in words_of(_load(*chosen))]
    return [*dict.fromkeys(found), '--help']


def _load(module: str, name: str) -> type[ModelCommand]:
    return getattr(importlib.import_module(f'chainer_seg.cli.{module}'), name)


def _help(summary: str, prog: str) -> str:
    return '\n'.join([
        f'usage: {prog} MODEL ...', '', summary, '',
        f'  MODEL  a model file, the name of a shipped model ({", ".join(SHIPPED)}),',
        '         or the name of published weights, which are downloaded at first use:',
        '         "chainer-seg download weights" lists them', '',
        f'{prog} MODEL --help lists the options for a model.'])
