"""Mask R-CNN (arXiv 1703.06870): boxes, masks and keypoints of objects, by Detectron's or Detectron2's rules.

Only the interface of :meth:`predict` is ChainerCV's: its own Mask R-CNN has half-open boxes, other
anchors, and the stride on other convolutions, so that published weights give different results.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

import chainer
import numpy as np
import numpy.typing as npt
from chainer import functions as F
from msgspec import Meta

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.functions.arguments import as_array
from chainer_seg.images import ImageLike, as_image
from chainer_seg.instances import Instances
from chainer_seg.links import ResNet
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.class_transfer import ClassRows
from chainer_seg.models.detector import InstanceDetector
from chainer_seg.models.inference import network
from chainer_seg.models.mask_rcnn.anchors import base_anchors, exact_anchors, grid_anchors
from chainer_seg.models.mask_rcnn.arguments import (
    SUPPRESSION_OPTIONS, VIEW_OPTIONS, Scales, check_arguments, or_published)
from chainer_seg.models.mask_rcnn.augmented import detect_in_views
from chainer_seg.models.mask_rcnn.candidates import click_candidates
from chainer_seg.models.mask_rcnn.decode import best_boxes, class_boxes, to_instances
from chainer_seg.models.mask_rcnn.extractors import CANONICAL_SIZE, C4Extractor, FPNExtractor
from chainer_seg.models.mask_rcnn.heads import BoxHead, KeypointHead, MaskHead
from chainer_seg.models.mask_rcnn.preparation import InputSize, pad_to_multiple, shown_image, stack
from chainer_seg.models.mask_rcnn.proposals import ProposalLimits, propose
from chainer_seg.models.mask_rcnn.rpn import RegionProposalNetwork
from chainer_seg.schema import (
    Above, Channels, Count, Detections, InputSide, Lengths, Overlap, Proposals, RegionSide, Share, Stages)

Maps = Sequence[chainer.Variable]  # of all levels, (B, C, h, w) each

# Number of regions that go through a head at once, to bound the memory: with C4 the features of a region
# take 0.8 MB and the output of the last stage 2 MB more.
REGIONS_AT_ONCE = 256


class MaskRCNN(InstanceDetector):
    """A two-stage detector: proposals, then class, box, mask and keypoints of each.

    Args:
        classes: Number of object classes C, without the background.
        neck: ``'fpn'``, a feature pyramid, or ``'c4'``, the last stage of the ResNet on each region.
        blocks, width, out_width, groups, stem_width, norm, norm_groups, stride_on: As those of
            :class:`chainer_seg.links.ResNet`.
        group_heads: Whether group normalisation follows the convolutions of the pyramid, of the box head and
            of the mask head (arXiv 1803.08494, section 5.2); FPN only.
        box_convolutions: Number of 3x3 convolutions of the box head, before one fully connected layer; 0 for
            two fully connected layers. FPN only.
        box_channels: Channels of these convolutions.
        fpn_channels: Channels of the feature pyramid.
        box_features: Units of the two fully connected layers of the box head; FPN only.
        mask_channels: Channels of the mask head.
        with_masks: Whether there is a mask head; without it the mask of an object is its box.
        keypoints: Number of keypoints K of an object; 0 for no keypoint head. FPN only.
        keypoint_channels: Channels of the keypoint head.
        anchor_sizes: Square roots of the anchors' areas in pixels; with FPN one for each level.
        anchor_ratios: Heights of the anchors as multiples of their widths.
        min_side: Shorter side to which images are scaled, in pixels.
        max_side: Maximum longer side, in pixels; it takes precedence.
        roi_size: Side of the features of a region; by default 7 with FPN and 14 with C4.
        mask_roi_size: Side of the features of a region for masks and keypoints; FPN only.
        pooling: ``'align'`` for RoIAlign, ``'pool'`` for RoI pooling.
        sampling_ratio: Samples along each side of a bin, 0 for one for each pixel; by default 2
            with FPN and 0 with C4.
        canonical_size: Side of a region that FPN assigns to the level of stride 16.
        proposals_before_nms: Number of best anchors of a level that are considered; by default 1000
            with FPN and 6000 with C4.
        proposals: Maximum number of regions of an image; by default 1000.
        proposal_nms_threshold: Overlap from which the worse of two proposals is dropped.
        score_threshold, nms_threshold, max_detections: Defaults of :meth:`detect`.
        soft_nms, soft_nms_sigma, vote_threshold: Defaults of :meth:`detect`; see :func:`.decode.best_boxes`.
        scales, flip: Defaults of :meth:`detect`; see :func:`.augmented.detect_in_views`.
        geometry: The rules of images, anchors, boxes, RoIAlign and masks: ``'detectron'``, or
            ``'detectron2'``, where boxes are half-open and nothing is rounded to whole pixels.
        seed: Seed of the initial weights.

    ``forward`` takes (B, 3, H, W) float32, as of :meth:`prepare`, and returns the maps and, for
    each of them, objectness logits (B, A, h, w) and deltas (B, 4 * A, h, w).
    """

    option_names = (*InstanceDetector.option_names, *SUPPRESSION_OPTIONS, *VIEW_OPTIONS)

    def __init__(self, classes: Channels = 80, neck: Literal['fpn', 'c4'] = 'fpn',
                 blocks: Stages = (3, 4, 6, 3), width: Channels = 64,
                 out_width: Channels | None = None, groups: Channels = 1, norm_groups: Channels = 32,
                 group_heads: bool = False, box_convolutions: Annotated[int, Meta(ge=0, le=16)] = 0,
                 box_channels: Channels = 256,
                 stem_width: Channels | None = None, norm: Literal['affine', 'batch', 'group'] = 'affine',
                 stride_on: Literal['1x1', '3x3'] = '1x1', fpn_channels: Channels = 256,
                 box_features: Channels = 1024, mask_channels: Channels = 256, with_masks: bool = True,
                 keypoints: Annotated[int, Meta(ge=0, le=1000)] = 0, keypoint_channels: Channels = 512,
                 anchor_sizes: Lengths = (32, 64, 128, 256, 512),
                 anchor_ratios: Lengths = (0.5, 1, 2), min_side: InputSide = 800,
                 max_side: InputSide = 1333, roi_size: RegionSide | None = None,
                 mask_roi_size: RegionSide = 14, pooling: Literal['align', 'pool'] = 'align',
                 sampling_ratio: Annotated[int, Meta(ge=0, le=8)] | None = None,
                 canonical_size: Above = CANONICAL_SIZE, proposals_before_nms: Proposals | None = None,
                 proposals: Proposals | None = None, proposal_nms_threshold: Overlap = 0.7,
                 score_threshold: Share = 0.05, nms_threshold: Overlap = 0.5,
                 max_detections: Detections = 100, soft_nms: Literal['linear', 'gaussian'] | None = None,
                 soft_nms_sigma: Above = 0.5, vote_threshold: Overlap | None = None,
                 scales: Scales = (), flip: bool = False,
                 geometry: Literal['detectron', 'detectron2'] = 'detectron', seed: Count = 0) -> None:
        super().__init__()
        check_arguments(neck, blocks, keypoints, anchor_sizes, group_heads or box_convolutions > 0)
        head_norm = norm_groups if group_heads else None
        self.classes, self.keypoints, self.with_masks = classes, keypoints, with_masks
        self.min_side, self.max_side = min_side, max_side
        self.half_open = geometry == 'detectron2'
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections, self.scales, self.flip = max_detections, tuple(scales), flip
        self.soft_nms, self.soft_nms_sigma, self.vote_threshold = soft_nms, soft_nms_sigma, vote_threshold
        self.roi_size, ratio, before, after = or_published(
            neck, roi_size=roi_size, sampling_ratio=sampling_ratio,
            proposals_before_nms=proposals_before_nms, proposals=proposals)
        self.limits = ProposalLimits(before, after, proposal_nms_threshold)
        # C4 computes the features of a region once for all heads.
        self.mask_roi_size = self.roi_size if neck == 'c4' else mask_roi_size
        stages = len(blocks)
        resnet = ResNet(blocks, width, stride_on=stride_on, strides=(1,) + (2,) * (stages - 1),
                        dilations=(1,) * stages, norm=norm, stem_width=stem_width, seed=seed,
                        out_width=out_width, groups=groups, norm_groups=norm_groups)
        with self.init_scope():
            if neck == 'c4':
                self.extractor = C4Extractor(resnet, pooling, ratio, self.half_open)
            else:
                self.extractor = FPNExtractor(resnet, fpn_channels, canonical_size, pooling, ratio, seed,
                                              head_norm, self.half_open)
            features = self.extractor.region_channels
            level_sizes = [anchor_sizes] if neck == 'c4' else [[size] for size in anchor_sizes]
            self.rpn = RegionProposalNetwork(
                self.extractor.channels, len(level_sizes[0]) * len(anchor_ratios), seed)
            self.box = BoxHead(features, self.roi_size, None if neck == 'c4' else box_features,
                               classes, seed, box_convolutions, box_channels, head_norm)
            if with_masks:
                self.mask = MaskHead(features, mask_channels, self.extractor.mask_convolutions,
                                     classes, seed, head_norm)
            if keypoints:
                self.keypoint = KeypointHead(features, keypoint_channels, keypoints, seed=seed,
                                             repeats_edges=self.half_open)
        self.cell_anchors = [
            exact_anchors(sizes, anchor_ratios) if self.half_open
            else base_anchors(stride, sizes, anchor_ratios)
            for stride, sizes in zip(self.extractor.strides, level_sizes)]

    @property
    def size_multiple(self) -> int:
        """The sides of the network's input are multiples of this: 1, or the coarsest stage's stride."""
        return self.extractor.strides[-2] if len(self.extractor.strides) > 1 else 1

    def detect_batch(self, images: Sequence[ImageLike], **options: Any) -> list[Instances]:
        options = self._all_options(options)
        views = {name: options.pop(name) for name in VIEW_OPTIONS}
        if any(views.values()):
            return [detect_in_views(self, as_image(image), **views, **options) for image in images]
        return super().detect_batch(images, **options, **dict.fromkeys(VIEW_OPTIONS))

    def prepare(self, images: Sequence[np.ndarray], min_side: int | None = None, max_side: int | None = None
                ) -> tuple[Array, list[InputSize]]:
        """The network's input for a batch.

        Args:
            images: (H, W, 3) uint8 RGB each, of any sizes.
            min_side, max_side: Sides to which they are scaled; those of the model by default.

        Returns:
            (B, 3, h, w) float32 on the model's device, and an
            :class:`~chainer_seg.models.mask_rcnn.preparation.InputSize` for each image.
        """
        sides = min_side or self.min_side, max_side or self.max_side
        shown = [shown_image(image, *sides, self.half_open) for image in images]
        sizes = [size if self.half_open else size._replace(
            inner=pad_to_multiple(size.inner, self.size_multiple)) for _, size in shown]
        return self.device.send(stack([x for x, _ in shown], self.size_multiple)), sizes

    @network
    def forward(self, x: ArrayOrVariable) -> tuple[Maps, Maps, Maps]:
        features = self.extract(x)
        return (features, *self.rpn(features))

    def extract(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        """The maps of a batch, a tuple from fine to coarse; one map with C4."""
        return self.extractor(x)

    def anchors(self, sizes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """The anchors of maps.

        Args:
            sizes: (h, w) of each map.

        Returns:
            For each map, (h * w * A, 4) float32 with inclusive maxima, ordered by row, column and
            anchor, on the model's device.
        """
        return [self.device.send(grid_anchors(base, stride, size)) for base, stride, size
                in zip(self.cell_anchors, self.extractor.strides, sizes)]

    def propose(self, objectness: Sequence[ArrayOrVariable], deltas: Sequence[ArrayOrVariable],
                sizes: Sequence[tuple[int, int]],
                limits: ProposalLimits | None = None) -> tuple[Array, Array]:
        """The regions of interest of a batch.

        Args:
            objectness, deltas: The outputs of ``rpn``; no gradient flows through the regions.
            sizes: (height, width) of each image in the network's input.
            limits: :class:`~chainer_seg.models.mask_rcnn.proposals.ProposalLimits`; those of the
                model by default, which are for inference.

        Returns:
            rois (R, 4) float32 with inclusive maxima and their images' numbers (R,) int32.
        """
        logits, changes = (list(map(as_array, maps)) for maps in (objectness, deltas))
        return propose(logits, changes, self.anchors([x.shape[2:] for x in logits]),
                       self.extractor.strides, sizes, limits or self.limits, self.half_open,
                       self.size_multiple if self.half_open else 1)

    def box_head(self, features: Sequence[chainer.Variable], rois: np.ndarray,
                 roi_indices: np.ndarray) -> tuple[chainer.Variable, chainer.Variable]:
        """Class logits (R, C + 1) and deltas (R, 4 * (C + 1)) of regions."""
        return self.box_outputs(self._pooled(features, rois, roi_indices, self.roi_size))

    def mask_head(self, features: Sequence[chainer.Variable], rois: np.ndarray,
                  roi_indices: np.ndarray) -> chainer.Variable:
        """Mask logits (R, C + 1, M, M) of regions; M is 28 with FPN and 14 with C4, as published."""
        return self.mask_outputs(self._pooled(features, rois, roi_indices, self.mask_roi_size))

    def keypoint_head(self, features: Sequence[chainer.Variable], rois: np.ndarray,
                      roi_indices: np.ndarray) -> chainer.Variable:
        """Heat maps (R, K, 56, 56), logits, of regions, with the published size of features."""
        return self.keypoint_outputs(self._pooled(features, rois, roi_indices, self.mask_roi_size))

    @network
    def box_outputs(self, pooled: ArrayOrVariable) -> tuple[chainer.Variable, chainer.Variable]:
        """The results of :meth:`box_head` from the pooled features (R, channels, S, S) of regions."""
        return self.box(self.extractor.region_features(pooled))

    @network
    def mask_outputs(self, pooled: ArrayOrVariable) -> chainer.Variable:
        """The result of :meth:`mask_head` from the pooled features of regions."""
        return self.mask(self.extractor.region_features(pooled))

    @network
    def keypoint_outputs(self, pooled: ArrayOrVariable) -> chainer.Variable:
        """The result of :meth:`keypoint_head` from the pooled features of regions."""
        return self.keypoint(self.extractor.region_features(pooled))

    def class_rows(self) -> list[ClassRows]:
        """The parameters with rows for each class, as :class:`ClassRows`."""
        layers = [self.box.logits, self.box.deltas, *([self.mask.logits] if self.with_masks else [])]
        return [ClassRows(parameter, self.classes + 1, background=True)
                for layer in layers for parameter in (layer.W, layer.b)]

    def decode(self, outputs: tuple[Maps, Maps, Maps], sizes: Sequence[InputSize],
               **options: Any) -> list[Instances]:
        """The objects of a batch, from the outputs of ``forward`` and the sizes of ``prepare``."""
        features, objectness, deltas = outputs
        rois, roi_indices = self.propose(objectness, deltas, [size.inner for size in sizes])
        return [self._decode_image(features, rois[roi_indices == number], number, size, options)
                for number, size in enumerate(sizes)]

    def _decode_image(self, features: Maps, rois: Array, number: int, size: InputSize,
                      options: dict[str, Any]) -> Instances:
        """The objects of image ``number`` of the batch among its RoIs (R, 4)."""
        chosen = {name: value for name, value in options.items() if name not in VIEW_OPTIONS}
        boxes, labels, scores = best_boxes(*self.classify(features, rois, number, size), **chosen)
        if self.half_open:  # Detectron2 drops objects whose boxes are beyond the image.
            seen = self.xp.flatnonzero((boxes[:, 2:] - boxes[:, :2] > -1).all(axis=1))
            boxes, labels, scores = boxes[seen], labels[seen], scores[seen]
        # Masks and keypoints are predicted in the final boxes.
        regions = size.to_input(boxes)
        heatmaps = self.heatmaps(features, regions, number) if self.keypoints else None
        masks = self.mask_probabilities(features, regions, number, labels) if self.with_masks else None
        return to_instances(boxes, labels, scores, masks, heatmaps, size, self.class_names)

    def candidates(self, image: npt.NDArray[np.uint8]) -> CandidateMasks:
        return click_candidates(self, image)

    def classify(self, features: Maps, rois: Array, number: int, size: InputSize) -> tuple[Array, Array]:
        """The boxes and classes of the RoIs (R, 4) of image ``number`` of the batch.

        Returns:
            (R, C + 1, 4) float32, the box of each RoI for each class, in pixels of the image; and (R, C + 1)
            float32, the probabilities of the classes, the background first.
        """
        probabilities = self.xp.zeros((len(rois), self.classes + 1), np.float32)
        deltas = self.xp.zeros((len(rois), 4 * (self.classes + 1)), np.float32)
        for part, (logits, changes) in self._outputs(self.box_head, features, rois, number):
            probabilities[part], deltas[part] = F.softmax(logits).array, changes.array
        self.check_finite(probabilities, deltas)
        return class_boxes(rois, deltas, size), probabilities

    def mask_probabilities(self, features: Maps, rois: Array, number: int, labels: Array) -> Array:
        """The mask (R, M, M) of each RoI's class; the background's channel comes first."""
        parts = [logits.array[self.xp.arange(len(logits)), labels[part] + 1]
                 for part, logits in self._outputs(self.mask_head, features, rois, number)]
        masks = self.xp.concatenate(parts or [self.xp.zeros((0, 1, 1), np.float32)])
        self.check_finite(masks)
        return F.sigmoid(masks).array

    def heatmaps(self, features: Maps, rois: Array, number: int) -> Array:
        """The heat maps (R, K, S, S), logits, of the keypoints in RoIs (R, 4) of an image of the batch."""
        parts = [logits.array for _, logits in self._outputs(self.keypoint_head, features, rois, number)]
        heatmaps = self.xp.concatenate(parts or [self.xp.zeros((0, self.keypoints, 1, 1), np.float32)])
        self.check_finite(heatmaps)
        return heatmaps

    def _outputs(self, head: Callable[[Maps, Array, Array], Any], features: Maps, rois: Array, number: int
                 ) -> Iterator[tuple[slice, Any]]:
        """Slices of the RoIs of image ``number``, and what a head gives for each slice."""
        for start in range(0, len(rois), REGIONS_AT_ONCE):
            part = slice(start, start + REGIONS_AT_ONCE)
            yield part, head(features, rois[part], self.xp.full(len(rois[part]), number, np.int32))

    def _pooled(self, features: Maps, rois: Array, roi_indices: Array, size: int) -> chainer.Variable:
        return self.extractor.pool_regions(features, rois, roi_indices, size)
