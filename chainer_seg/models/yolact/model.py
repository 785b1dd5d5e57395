"""YOLACT (arXiv 1904.02689) and YOLACT++ (arXiv 1912.06218): instance segmentation from prototypes."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import chainer
import cv2
import numpy as np
import numpy.typing as npt
from chainer import functions as F
from msgspec import Meta

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.errors import UserError
from chainer_seg.functions.arguments import as_array
from chainer_seg.instances import Instances
from chainer_seg.links import FeaturePyramid
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.class_transfer import ClassRows
from chainer_seg.models.detector import InstanceDetector
from chainer_seg.models.inference import network
from chainer_seg.models.yolact.anchors import STRIDES, anchor_boxes
from chainer_seg.models.yolact.backbones import Width, find_backbone
from chainer_seg.models.yolact.candidates import click_candidates
from chainer_seg.models.yolact.detection import (
    SUPPRESSIONS, ImageDetections, find_detections, pixel_boxes)
from chainer_seg.models.yolact.heads import MaskRescoring, PredictionHead, ProtoNet, convolution
from chainer_seg.models.yolact.masks import assemble_masks, enlarged_runs
from chainer_seg.schema import (
    Channels, Count, Detections, InputSide, Lengths, Overlap, Share, Stages, Text)

_ADDED_LEVELS = 2  # P6 and P7 of the pyramid.

Deformable = Annotated[Sequence[Annotated[int, Meta(ge=0, le=1000)]], Meta(max_length=8)]


class Yolact(InstanceDetector):
    """Prototype masks of an image, combined by the coefficients of every detection.

    Args:
        backbone: A name in :data:`chainer_seg.models.yolact.backbones.BACKBONES`.
        classes: Number of object classes, without the background.
        image_size: Side to which images are resized; their aspect ratio is not kept.
        width: Width of the backbone; None for the published one.
        blocks: Blocks of each stage of the backbone; None for the published number.
        deformable: For each stage of a ResNet, 0, or n to make every n-th 3x3 convolution a
            deformable one; None for none. YOLACT++ has (0, 1, 1, 1) in ResNet-50 and (0, 3, 3, 3) in
            ResNet-101.
        fpn_channels: Channels of the pyramid and of the layers after it.
        prototypes: Number of prototype masks and coefficients K.
        prototype_scale: Side of the prototypes over that of the finest map of the pyramid.
        anchor_scales: For each of the five levels the sides of its anchors, in pixels of an image of
            ``image_size``.
        anchor_ratios: Width over height of the anchors of each scale.
        square_anchors: Whether the heights equal the widths, as in the published models
            for COCO other than YOLACT++.
        rescoring: Channels of the strided convolutions of the mask re-scoring network; empty for none;
            (8, 16, 32, 64, 128) is YOLACT++'s.
        anchor_threshold, score_threshold, nms_threshold, max_detections, suppression, top_k, rescore:
            Defaults of :meth:`detect`.
        seed: Seed of the initial weights.

    ``forward`` takes (B, 3, S, S) float32, as of :meth:`prepare`, and returns box codes
    (B, N, 4), class logits (B, N, classes + 1) with the background first, mask coefficients (B, N, K)
    and prototypes (B, h, w, K), all float32. N is the number of :meth:`anchors`. A model that is
    built while ``chainer.config.dtype`` is ``chainer.mixed16`` computes them in half precision.

    :meth:`detect` accepts these options in addition to those of
    :class:`~chainer_seg.models.detector.InstanceDetector`: ``anchor_threshold``, the minimum score of
    an anchor's best class, exclusive; ``suppression``, one of ``'fast'``, ``'cross_class'`` and
    ``'traditional'``; ``top_k``, the maximum number of candidates of a class for the first two; and
    ``rescore``, whether a model with mask re-scoring multiplies the scores by its predictions.
    ``score_threshold`` applies before that.
    """

    option_names = (*InstanceDetector.option_names, 'anchor_threshold', 'suppression', 'top_k',
                    'rescore')

    def __init__(self, backbone: Text = 'resnet50', classes: Channels = 80, image_size: InputSide = 550,
                 width: Width | None = None, blocks: Stages | None = None,
                 deformable: Deformable | None = None, fpn_channels: Channels = 256,
                 prototypes: Channels = 32, prototype_scale: Annotated[int, Meta(ge=1, le=8)] = 2,
                 anchor_scales: Sequence[Lengths] = ((24,), (48,), (96,), (192,), (384,)),
                 anchor_ratios: Lengths = (1, 0.5, 2), square_anchors: bool = True,
                 rescoring: Annotated[Sequence[Channels], Meta(max_length=12)] = (),
                 anchor_threshold: Share = 0.05, score_threshold: Share = 0.05, nms_threshold: Overlap = 0.5,
                 max_detections: Detections = 100,
                 suppression: Literal['fast', 'cross_class', 'traditional'] = 'fast',
                 top_k: Annotated[int, Meta(ge=1, le=2000)] = 200, rescore: bool = True,
                 seed: Count = 0) -> None:
        super().__init__()
        _check_anchors(anchor_scales)
        _check_rescoring(rescoring, prototype_scale * _map_side(image_size, STRIDES[0]))
        self.classes, self.image_size = classes, image_size
        self.anchor_scales, self.anchor_ratios = anchor_scales, anchor_ratios
        self.square_anchors = square_anchors
        for name in self.option_names:
            setattr(self, name, self.config[name])
        self._backbone = find_backbone(backbone)
        options = {name: self.config[name] for name in ('blocks', 'deformable')
                   if self.config[name] is not None}
        rng = np.random.default_rng((seed, 2))
        with self.init_scope():
            self.backbone = self._backbone.build(width=width or self._backbone.width, seed=seed,
                                                 **options)
            self.pyramid = FeaturePyramid(self.backbone.out_channels[-3:], fpn_channels, 'bilinear',
                                          activation='relu', extra=_ADDED_LEVELS, seed=seed)
            self.protonet = ProtoNet(fpn_channels, prototypes, prototype_scale, rng)
            self.head = PredictionHead(fpn_channels, len(anchor_scales[0]) * len(anchor_ratios),
                                       classes + 1, prototypes, rng)
            self.semantic = convolution(fpn_channels, classes, 1, rng)
            if rescoring:
                self.rescoring = MaskRescoring(rescoring, classes, rng)

    @property
    def rescores(self) -> bool:
        """Whether the model has a mask re-scoring network."""
        return bool(self.config['rescoring'])

    @network
    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        return self._predict(self.features(x))

    def forward_train(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        """As ``forward``, with one more output for training.

        Returns:
            The outputs of ``forward``, and the semantic logits (B, classes, h, w) at the size of the
            finest map.
        """
        maps = self.features(x)
        return (*self._predict(maps), F.cast(self.semantic(maps[0]), np.float32))

    def features(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        """The maps P3 to P7 (B, fpn_channels, h, w) of the pyramid."""
        x = F.cast(x, self.semantic.W.dtype)
        return self.pyramid(self.backbone(x)[-3:])

    def anchors(self, size: int | Sequence[int] | None = None) -> npt.NDArray[np.float32]:
        """The anchors of an input.

        Args:
            size: Side of the input, or (height, width); ``image_size`` by default. The anchors keep
                their sides as fractions of the image.

        Returns:
            (N, 4) float32, centre x, centre y, width and height as fractions of the image.
        """
        height, width = np.broadcast_to(self.image_size if size is None else size, 2).tolist()
        map_sizes = [(_map_side(height, stride), _map_side(width, stride)) for stride in STRIDES]
        return anchor_boxes(map_sizes, self.anchor_scales, self.anchor_ratios, self.image_size,
                            self.square_anchors)

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., 3) in 0..255, red, green, blue, as the backbone expects them, float32."""
        return self._backbone.normalise(pixels)

    def prepare(self, images: Sequence[np.ndarray]) -> tuple[Array, list[tuple[int, int]]]:
        side = (self.image_size, self.image_size)
        resized = [cv2.resize(image.astype(np.float32), side, interpolation=cv2.INTER_LINEAR)
                   for image in images]
        x = self.normalise(np.stack(resized)).transpose(0, 3, 1, 2)
        return self.device.send(np.ascontiguousarray(x)), [image.shape[:2] for image in images]

    def decode(self, outputs: Sequence[ArrayOrVariable], sizes: Sequence[tuple[int, int]], *, rescore: bool,
               **options: Any) -> list[Instances]:
        _check_options(**options)
        anchors = self.device.send(self.anchors())
        found = []
        for codes, logits, coefficients, prototypes, size in zip(*map(as_array, outputs), sizes):
            detections = find_detections(codes, logits, coefficients, anchors, self.image_size,
                                         **options)
            found.append(self._instances(detections, prototypes, size, rescore))
        return found

    def candidates(self, image: npt.NDArray[np.uint8]) -> CandidateMasks:
        return click_candidates(self, image)

    def class_rows(self) -> list[ClassRows]:
        """The parameters with rows for each class, as :class:`ClassRows`."""
        count = self.classes + 1
        logits = [ClassRows(parameter, count, groups=len(parameter.array) // count, background=True)
                  for parameter in (self.head.logits.W, self.head.logits.b)]
        layers = [self.semantic, *([self.rescoring.layers[-1]] if self.rescores else [])]
        return logits + [ClassRows(parameter, self.classes)
                         for layer in layers for parameter in (layer.W, layer.b)]

    def _predict(self, maps: Sequence[chainer.Variable]) -> tuple[chainer.Variable, ...]:
        prototypes = F.transpose(self.protonet(maps[0]), (0, 2, 3, 1))
        return tuple(F.cast(output, np.float32) for output in (*self.head(maps), prototypes))

    def _instances(self, detections: ImageDetections, prototypes: Array, size: tuple[int, int],
                   rescore: bool) -> Instances:
        """The :class:`Instances` of an image of ``size``."""
        masks = assemble_masks(prototypes, detections.coefficients, detections.boxes)
        if rescore and self.rescores and len(detections):
            detections, masks = self._rescore(detections, masks)
        masks, boxes, labels, scores = map(
            _to_cpu, (masks, detections.boxes, detections.labels, detections.scores))
        return Instances(enlarged_runs(masks, boxes, size), pixel_boxes(boxes, size), labels, scores,
                         class_names=self.class_names)

    def _rescore(self, detections: ImageDetections, masks: Array) -> tuple[ImageDetections, Array]:
        """The detections and their masks (R, h, w) in the order of their new scores."""
        quality = self.rescoring(masks[:, None]).array
        self.check_finite(quality)
        scores = detections.scores * quality[self.xp.arange(len(masks)), detections.labels]
        order = self.xp.argsort(-scores, kind='stable')
        rescored = dataclasses.replace(detections, scores=scores)
        return rescored[order], masks[order]


def _check_anchors(scales: Sequence[Sequence[float]]) -> None:
    if len(scales) != len(STRIDES) or len({len(sides) for sides in scales}) != 1 or not scales[0]:
        raise ValueError(f'anchor_scales must have {len(STRIDES)} levels with the same number of sides, '
                         f'got {scales}')


def _check_rescoring(channels: Sequence[int], side: int) -> None:
    """Checks that the prototypes are large enough; each convolution more than halves the masks."""
    smallest = 2 ** (len(channels) + 1) - 1 if channels else 0
    if side < smallest:
        raise ValueError(f'prototypes of {side} pixels are too small for a rescoring of '
                         f'{len(channels)} layers, which needs at least {smallest}')


def _map_side(side: int, stride: int) -> int:
    """The side of a map of an image of ``side`` pixels, rounded up."""
    return -(-side // stride)


def _check_options(suppression: str, anchor_threshold: float, top_k: int, **others: object) -> None:
    if suppression not in SUPPRESSIONS:
        raise UserError(f'Unknown suppression {suppression!r}; choose from '
                        f'{", ".join(SUPPRESSIONS)}.')
    if not 0 <= anchor_threshold <= 1:
        raise UserError(f'anchor_threshold must be between 0 and 1, '
                        f'got {anchor_threshold:g}.')
    if top_k < 1:
        raise UserError(f'top_k must be at least 1, got {top_k}.')


def _to_cpu(array: Array) -> np.ndarray:
    return chainer.get_device('@numpy').send(array)
