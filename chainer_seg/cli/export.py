"""Write a model as another framework's file: chainer-seg export MODEL OUT.caffemodel|OUT.t7"""

import logging
import pathlib
from collections.abc import Sequence

import chainer_seg  # noqa: F401  before Chainer
from chainer_seg import command_line
from chainer_seg.errors import UserError
from chainer_seg.options import Parser

log = logging.getLogger(__name__)


def make_parser() -> Parser:
    """The parser of this subcommand."""
    parser = command_line.parser(__doc__, prog='chainer-seg export', device=False)
    parser.add_argument('model', metavar='MODEL',
                        help='a model file, or the name of a shipped model or of published weights')
    parser.add_argument('out', metavar='OUT',
                        help='the file to write; its suffix selects the format: .caffemodel (DeepLab, '
                             'click segmentation, ResNets; with a .prototxt next to it) or .t7 (DeepMask, '
                             'SharpMask)')
    parser.add_argument('--size', type=command_line.size_argument, metavar='HxW',
                        help='input size in the .prototxt, in pixels; 321 if omitted, 224 for a ResNet')
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = make_parser().parse_args(arguments)
    command_line.set_up_messages(options)
    from chainer_seg.model_file import load_model
    out = pathlib.Path(options.out)
    if out.suffix not in EXPORTERS:
        raise UserError(f'{out} has an unknown suffix; the known ones are {", ".join(EXPORTERS)}.')
    model = load_model(options.model)
    for path in EXPORTERS[out.suffix](out, model, options):
        log.info('wrote %s, %.1f MB', path, path.stat().st_size / 1e6)


def _write_caffe(out, model, options):
    from converters import caffe_export
    return out, caffe_export.export(out, model, options.size)


def _write_torch(out, model, options):
    from converters.formats import torch7_writer
    from converters.torch_export import torch_tree
    if options.size is not None:
        raise UserError('--size is the size in a .prototxt; omit it for a .t7 file.')
    torch7_writer.write(out, torch_tree(model))
    return out,


EXPORTERS = {'.caffemodel': _write_caffe, '.t7': _write_torch}
