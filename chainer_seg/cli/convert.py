"""Convert published weights into a model file: chainer-seg convert FILE [-o OUT] [--inspect]."""

import argparse
import collections
import json
import logging
import os
import pathlib
from collections.abc import Sequence

import chainer_seg  # noqa: F401  before Chainer
from chainer_seg import command_line
from chainer_seg.errors import UserError
from chainer_seg.options import Parser, without

log = logging.getLogger(__name__)

_LISTED = 4  # Names of skipped arrays that are shown for each reason.


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg convert', device=False)
    parser.add_argument('file', metavar='FILE', help='a weight file; the format is found from its bytes')
    parser.add_argument('-o', '--out', metavar='OUT',
                        help='the model file to write; named after FILE, in the current folder, if '
                             'omitted')
    parser.add_argument('--inspect', action='store_true',
                        help='only print what FILE holds')
    parser.add_argument('--config', metavar='C',
                        help='a JSON or TOML file of model arguments that override those in FILE; for a '
                             'Caffe network also its .prototxt; for a YOLACT also the name of a '
                             'published configuration, such as yolact_im700')
    parser.add_argument('--set', metavar='NAME=VALUE', type=_setting, nargs='+', action='extend',
                        default=[],
                        help='model arguments that override those of --config, such as click=true '
                             'click_scale=6 click_mean=131, which turn a DeepLab into a click model')
    parser.add_argument('--skip', metavar='PATTERN', nargs='+', action='extend', default=[],
                        help="names of arrays in FILE to skip, such as 'classifier.*'; * matches any "
                             'characters')
    parser.add_argument('--class-names', metavar='NAME', nargs='+',
                        help='the names of the classes in order, or a text file with one name per '
                             'line')
    parser.add_argument('--half', action='store_true',
                        help='store the weights as float16, which halves the file')
    parser.only(without('--inspect'), '-o', '--config', '--set', '--skip', '--class-names', '--half')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    command_line.set_up_messages(options)
    import converters
    from converters.inspection import tree_lines
    if options.inspect:
        for line in tree_lines(converters.read(options.file)):
            print(line)
        return
    convert(options)


def convert(options: argparse.Namespace) -> None:
    """Converts the file and saves the model."""
    import converters
    from chainer_seg.model_file import save_model
    out = _output_path(options)
    settings = dict(options.set)
    if options.class_names:
        settings['class_names'] = _names_of(options.class_names)
    conversion = converters.conversion(options.file, options.config, settings=settings,
                                       skip=options.skip)
    _report(conversion)
    save_model(out, conversion.model, dtype='float16' if options.half else None)
    log.info('wrote %s: %s with %d parameters, %.1f MB', out, type(conversion.model).__name__,
             conversion.model.count_params(), out.stat().st_size / 1e6)


def _names_of(words):
    """The names, or the text file that a single word names."""
    return words[0] if len(words) == 1 and pathlib.Path(words[0]).is_file() else words


def _setting(text):
    """Parses NAME=VALUE; a value that is not JSON is text."""
    name, separator, value = text.partition('=')
    if not name.isidentifier() or not separator:
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form NAME=VALUE, such as click=true')
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _output_path(options):
    out = pathlib.Path(options.out or pathlib.Path(options.file).stem + '.npz')
    if out.is_dir():
        raise UserError(f'{out} is a folder; name a file in it with -o.')
    # A TensorFlow checkpoint is named by a prefix, which need not be a file.
    if out.exists() and os.path.exists(options.file) and out.samefile(options.file):
        raise UserError(f'{out} is the file to be converted; name another one with -o.')
    return out


def _report(conversion):
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
