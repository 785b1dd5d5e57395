"""Convert published weights into a model file."""

import collections
import dataclasses
import itertools
import json
import logging
import os
import pathlib
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, UseAppendAction
from tyro.constructors import PrimitiveConstructorSpec

import chainer_seg  # noqa: F401  before Chainer
from chainer_seg.cli.common import Common
from chainer_seg.cli.parsing import Command
from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Flat, Switch, option
from chainer_seg.recipes.rules import only, without

if TYPE_CHECKING:
    from converters import Conversion

log = logging.getLogger(__name__)

_LISTED = 4  # Names of skipped arrays that are shown for each reason.


def _setting(words: list[str]) -> tuple[str, Any]:
    """NAME=VALUE as both; a value that is not JSON is text."""
    name, separator, value = words[0].partition('=')
    if not name.isidentifier() or not separator:
        raise ValueError(f'{words[0]!r} is not of the form NAME=VALUE, such as click=true')
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


_Setting = Annotated[tuple[str, Any], PrimitiveConstructorSpec(
    nargs=1, metavar='NAME=VALUE', instance_from_str=_setting, str_from_instance=lambda value: list(value),
    is_instance=lambda value: isinstance(value, tuple))]


@dataclasses.dataclass(frozen=True)
class Convert(Command):
    """Convert published weights into a model file.

    Attributes:
        file: Weight file; the format is found from its bytes.
        out: Model file to write; named after FILE, in the current folder, if omitted.
        inspect: Only print what FILE holds.
        config: JSON or TOML file of model arguments that override those in FILE; for a Caffe network also
            its .prototxt; for a YOLACT also the name of a published configuration, such as yolact_im700.
        set: Model arguments that override those of --config, such as click=true click_scale=6
            click_mean=131, which turn a DeepLab into a click model.
        skip: Names of arrays in FILE to skip, such as 'classifier.*'; * matches any characters.
        class_names: Names of the classes in order, or a text file with one name per line.
        half: Store the weights as float16, which halves the file.
        common: Common options.
    """

    file: Positional[Annotated[str, option(metavar='FILE')]]
    out: Annotated[str | None, option('-o', metavar='OUT')] = None
    inspect: Switch = False
    config: Annotated[str | None, option(metavar='C')] = None
    set: Annotated[UseAppendAction[tuple[tuple[_Setting, ...], ...]], option(metavar='NAME=VALUE ...')] = ()
    skip: Annotated[UseAppendAction[tuple[tuple[str, ...], ...]], option(metavar='PATTERN ...')] = ()
    class_names: Annotated[tuple[str, ...], option(metavar='NAME ...')] = ()
    half: Switch = False
    common: Flat[Common] = Common()

    rules: ClassVar = (
        only(without('--inspect'), '-o', '--config', '--set', '--skip', '--class-names', '--half'),)

    def run(self) -> None:
        self.common.set_up()
        import converters
        from converters.inspection import tree_lines
        if not self.inspect:
            self.convert()
            return
        for line in tree_lines(converters.read(self.file)):
            print(line)

    def convert(self) -> None:
        """Converts the file and saves the model."""
        import converters
        from chainer_seg.model_file import save_model
        out = self.output_path()
        settings = dict(itertools.chain(*self.set))
        if self.class_names:
            settings['class_names'] = _names_of(list(self.class_names))
        conversion = converters.conversion(self.file, self.config, settings=settings,
                                           skip=list(itertools.chain(*self.skip)))
        _report(conversion)
        save_model(out, conversion.model, dtype='float16' if self.half else None)
        log.info('wrote %s: %s with %d parameters, %.1f MB', out, type(conversion.model).__name__,
                 conversion.model.count_params(), out.stat().st_size / 1e6)

    def output_path(self) -> pathlib.Path:
        """The model file to write.

        Raises:
            chainer_seg.errors.UserError: It is a folder, or the file to be converted.
        """
        out = pathlib.Path(self.out or pathlib.Path(self.file).stem + '.npz')
        if out.is_dir():
            raise UserError(f'{out} is a folder; name a file in it with -o.')
        # A TensorFlow checkpoint is named by a prefix, which need not be a file.
        if out.exists() and os.path.exists(self.file) and out.samefile(self.file):
            raise UserError(f'{out} is the file to be converted; name another one with -o.')
        return out


def _names_of(words: list[str]) -> list[str] | str:
    """The names, or the text file that a single word names."""
    return words[0] if len(words) == 1 and pathlib.Path(words[0]).is_file() else words


def _report(conversion: 'Conversion') -> None:
    from converters.inspection import mapping_lines
    log.info('%s: %d arrays used', conversion.model.origin['network'], len(set(conversion.used)))
    for line in mapping_lines(conversion.mapping):
        log.debug('  %s', line)
    if conversion.model.config.get('n_class', 0) is None:
        log.info('it has no classification layer: a ResNet to start from, for --backbone or --pretrained')
    reasons = collections.defaultdict(list)
    for name, reason in conversion.skipped.items():
        reasons[reason].append(name)
    for reason, names in reasons.items():
        shown = ', '.join(names[:_LISTED]) + (', ...' if len(names) > _LISTED else '')
        log.info('skipped %d array%s: %s (%s)', len(names), 's' * (len(names) > 1), reason, shown)
        log.debug('  %s', ', '.join(names))
