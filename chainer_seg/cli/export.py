"""Write a model as another framework's file."""

import dataclasses
import logging
import pathlib
from typing import Annotated, Any

from tyro.conf import Positional

import chainer_seg  # noqa: F401  before Chainer
from chainer_seg.cli.common import Common
from chainer_seg.cli.parsing import Command
from chainer_seg.errors import UserError
from chainer_seg.recipes.options import Flat, Size, option

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Export(Command):
    """Write a model as another framework's file.

    Attributes:
        model: Model file, or the name of a shipped model or of published weights.
        out: File to write; its suffix selects the format: .onnx (all models but ResNets; the heads of a
            Mask R-CNN go to files next to it), .caffemodel (DeepLab, click segmentation, ResNets; with a
            .prototxt next to it) or .t7 (DeepMask, SharpMask).
        size: Input size in a .prototxt or .onnx file, in pixels; the model's own if omitted.
        common: Common options.
    """

    model: Positional[Annotated[str, option(metavar='MODEL')]]
    out: Positional[Annotated[pathlib.Path, option(metavar='OUT')]]
    size: Annotated[Size | None, option(metavar='HxW')] = None
    common: Flat[Common] = Common()

    def run(self) -> None:
        self.common.set_up()
        from chainer_seg.model_file import load_model
        if self.out.suffix not in EXPORTERS:
            raise UserError(f'{self.out} has an unknown suffix; the known ones are {", ".join(EXPORTERS)}.')
        for path in EXPORTERS[self.out.suffix](self.out, load_model(self.model), self.size):
            log.info('wrote %s, %.1f MB', path, path.stat().st_size / 1e6)


def _write_caffe(out: pathlib.Path, model: Any, size: tuple[int, int] | None) -> tuple[pathlib.Path, ...]:
    from converters import caffe_export
    return out, caffe_export.export(out, model, size)


def _write_torch(out: pathlib.Path, model: Any, size: tuple[int, int] | None) -> tuple[pathlib.Path, ...]:
    from converters.formats import torch7_writer
    from converters.torch_export import torch_tree
    if size is not None:
        raise UserError('--size is the size in a .prototxt or .onnx file; omit it for a .t7 file.')
    torch7_writer.write(out, torch_tree(model))
    return out,


def _write_onnx(out: pathlib.Path, model: Any, size: tuple[int, int] | None) -> tuple[pathlib.Path, ...]:
    from chainer_seg.engines.onnx_files import export_onnx
    return tuple(export_onnx(out, model, size))


EXPORTERS = {'.onnx': _write_onnx, '.caffemodel': _write_caffe, '.t7': _write_torch}
