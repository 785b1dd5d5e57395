"""Networks as .onnx files, for programs that do not know Chainer."""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainer_seg.engines.onnx_runtime import start_session
from chainer_seg.engines.tracing import Graph, Network, is_free_of_size, trace
from chainer_seg.errors import ModelError, UserError
from chainer_seg.files import atomic_write
from chainer_seg.models.base import Model
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.deepmask.trunk import PATCH_MARGIN
from chainer_seg.models.inference import arrays_of, inference
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.ritm import RitmDeepLab, RitmHRNet
from chainer_seg.models.yolact import Yolact

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-3  # of the largest value of an output, by which ONNX Runtime may differ from Chainer


class Part(NamedTuple):
    """A network of a model that becomes a file.

    Attributes:
        suffix: What the file's name has before .onnx.
        network: The method of the model's class.
        shape: The shape of its input.
        about: What goes in and comes out.
    """

    suffix: str
    network: Network
    shape: tuple[int, ...]
    about: str


def export_onnx(path: str | os.PathLike, model: Model,
                size: tuple[int, int] | None = None) -> list[pathlib.Path]:
    """Writes the networks of a model as ONNX files, each checked against Chainer before it is written.

    The batch may have any size, and so may the image where the network allows it. What precedes and follows
    the network is not in the file; its metadata describe it (``input``, ``output``), and hold the ``config``
    and the ``class_names`` of the model as JSON.

    Args:
        path: File of the network that sees the image. The heads of a Mask R-CNN, which see pooled features of
            regions, go to files beside it: OUT.box.onnx, OUT.mask.onnx and OUT.keypoint.onnx.
        model: Any model but a classifier, on the CPU.
        size: (height, width) of the image; the model's own by default.

    Returns:
        The files.

    Raises:
        chainer_seg.errors.UserError: The package onnx is missing, or the model has a part that ONNX lacks.
        chainer_seg.errors.ModelError: ONNX Runtime gives other numbers than Chainer.
    """
    try:
        import onnx  # noqa: F401  may be missing
    except ImportError:
        raise UserError('ONNX files need the package onnx: pip install "chainer-seg[onnx]"') from None
    written = []
    for part in _parts(model, size):
        x = np.random.default_rng(0).normal(size=part.shape).astype(np.float32)
        try:
            graph = trace(model, part.network, (x,))
        except ValueError as error:
            raise UserError(f'This {type(model).__name__} cannot be exported to ONNX: {error}.') from error
        if not is_free_of_size(model, part.network, (x,), graph.digest()):
            _fix_size(graph.proto, part.shape)
        _describe(graph.proto, model, part)
        _check(model, part, graph, x)
        target = pathlib.Path(path)
        target = target.with_name(target.stem + part.suffix + target.suffix)
        with atomic_write(target) as temporary:
            pathlib.Path(temporary).write_bytes(graph.proto.SerializeToString())
        written.append(target)
    return written


def _parts(model: Model, size: tuple[int, int] | None) -> Iterator[Part]:
    kind = type(model)
    if kind not in _INPUTS:
        raise UserError(f'A {kind.__name__} cannot be exported to ONNX.')
    channels, own_size, image, outputs = _INPUTS[kind](model)
    yield Part('', kind.forward, (1, channels, *(size or own_size)),
               f'input0: (B, {channels}, H, W) float32, {image}. {outputs}')
    if not isinstance(model, MaskRCNN):
        return
    side, mask_side, channels = model.roi_size, model.mask_roi_size, model.extractor.channels
    pooled = 'the features of regions, pooled by RoIAlign from the map of their level'
    yield Part('.box', MaskRCNN.box_outputs, (2, channels, side, side),
               f'input0: {pooled}. output0: class logits (R, C + 1), the background first; output1: deltas '
               f'(R, 4 * (C + 1)), dy, dx, dh, dw of each class.')
    if model.with_masks:
        yield Part('.mask', MaskRCNN.mask_outputs, (2, channels, mask_side, mask_side),
                   f'input0: {pooled}. output0: mask logits (R, C + 1, M, M), the background first.')
    if model.keypoints:
        yield Part('.keypoint', MaskRCNN.keypoint_outputs, (2, channels, mask_side, mask_side),
                   f'input0: {pooled}. output0: logits of the heat maps (R, K, S, S).')


def _yolact(model: Any) -> tuple[int, tuple[int, int], str, str]:
    return (3, (model.image_size,) * 2, 'as of Yolact.normalise',
            'output0: box codes (B, N, 4); output1: class logits (B, N, C + 1), the background first; '
            'output2: mask coefficients (B, N, K); output3: prototypes (B, h, w, K).')


def _mask_rcnn(model: Any) -> tuple[int, tuple[int, int], str, str]:
    levels = len(model.extractor.strides)
    return (3, (model.min_side, -(-model.min_side * 4 // 3 // 32) * 32), 'blue, green, red minus their mean',
            f'{levels} maps, fine to coarse, then {levels} times objectness logits (B, A, h, w), then '
            f'{levels} times deltas (B, 4 * A, h, w).')


def _patches(model: Any) -> tuple[int, tuple[int, int], str, str]:
    return (3, (model.patch_size + PATCH_MARGIN,) * 2,
            'red, green, blue in 0..1 minus mean, divided by deviation',
            'output0: mask logits (B, S, S); output1: score logits (B,).')


def _deeplab(model: Any) -> tuple[int, tuple[int, int], str, str]:
    return (model.config['in_channels'], (321, 321), 'blue, green, red minus their mean',
            'output0: logits (B, C, h, w) at an eighth of the size.')


def _clicks(model: Any) -> tuple[int, tuple[int, int], str, str]:
    return (6 if model.mask_input else 5, (384, 384), 'as of the method encode of the model',
            'output0: logits (B, 1, h, w) of the object.')


_INPUTS = {Yolact: _yolact, MaskRCNN: _mask_rcnn, DeepMask: _patches, SharpMask: _patches, DeepLab: _deeplab,
           ClickSegmenter: _clicks, RitmHRNet: _clicks, RitmDeepLab: _clicks}


def _fix_size(proto: 'onnx.ModelProto', shape: tuple[int, ...]) -> None:
    """Declares the size of the image, on which the graph depends."""
    for axis, length in enumerate(shape):
        if axis:
            proto.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = length


def _describe(proto: 'onnx.ModelProto', model: Model, part: Part) -> None:
    before, after = part.about.split('. ', 1)
    about = {'model': type(model).__name__, 'input': before, 'output': after,
             'config': json.dumps(model.config), 'class_names': json.dumps(model.class_names)}
    for key, value in about.items():
        proto.metadata_props.add(key=key, value=value)


def _check(model: Model, part: Part, graph: Graph, x: np.ndarray) -> None:
    """Checks the graph by ONNX's rules, and its numbers where ONNX Runtime is installed."""
    import onnx
    onnx.checker.check_model(graph.proto)
    try:
        session = start_session(graph.proto)
    except ImportError:
        return
    with inference():
        expected = list(arrays_of([part.network(model, x)]))
    for number, (found, array) in enumerate(zip(session.run(None, {'input0': x}), expected)):
        error = float(np.abs(found - array).max() / max(np.abs(array).max(), np.finfo(np.float32).tiny))
        if not error <= TOLERANCE:
            raise ModelError(f'ONNX Runtime differs from Chainer by {error:.1g} of the largest value of '
                             f'output {number} of this {type(model).__name__}, so nothing is written.')
