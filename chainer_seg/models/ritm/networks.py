"""RITM's networks: HRNet with object context, and DeepLab v3+ (section 4 of arXiv 2102.06583)."""

from typing import Literal

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.links import HRNet, ResNet
from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder
from chainer_seg.links.hrnet import side_by_side
from chainer_seg.models.ritm.decoder import SKIP_CHANNELS, AtrousPooling, SeparableHead, beside_skip
from chainer_seg.models.ritm.object_context import ObjectContext
from chainer_seg.models.ritm.segmenter import RitmSegmenter
from chainer_seg.schema import (
    Above, Channels, ClicksBefore, Count, Dilations, InputSide, Positive, Share, Stages)


class RitmHRNet(RitmSegmenter):
    """HRNet and object-contextual representations.

    The defaults are HRNet-18 as published; HRNet-18s has blocks 2, modules (1, 3, 2) and ocr_width 48,
    HRNet-32 width 32 and ocr_width 128.

    Args:
        width, blocks, modules, stem_width: As those of :class:`chainer_seg.links.HRNet`.
        ocr_width: As ``width`` of :class:`chainer_seg.models.ritm.object_context.ObjectContext`.
        click_encoding: ``'disk'`` or ``'distance'``; see
            :func:`chainer_seg.models.ritm.click_maps.click_maps`.
        click_radius: In pixels of the network's input: of the disks, or what distances are measured in.
        mask_input: Whether the network is shown what it found before the last click.
        fusion: ``'features'`` adds features of the clicks behind the first convolution; ``'colors'``
            mixes the clicks into the colours of the image.
        click_width: Channels inside the click features.
        slope: Of the leaky ReLUs for negative numbers in the layers of the clicks; 0 for a ReLU.
        zoom_side, zoom_after, zoom_margin, zoom_least, zoom_square: As side, after, margin, least and
            square of :class:`chainer_seg.models.ritm.zoom_in.ZoomIn`; ``zoom_side`` is None for no
            zoom-in.
        longest_side: Maximum longer side of the network's input in pixels, to which larger ones are resized;
            None for no limit.
        flip: Whether the logits are averaged with those of the mirrored image.
        click_limit: Number of clicks, the first ones, that the network sees; None for all, or with ``fbrs``
            for the eight of the authors.
        fbrs: Whether features are scaled and shifted from the second click on until the result agrees
            with the clicks (:class:`chainer_seg.models.ritm.feature_refinement.FeatureRefinement`).
        seed: Seed of the initial weights.
    """

    def __init__(self, width: Channels = 18, blocks: Positive = 4, modules: Stages = (1, 4, 3),
                 ocr_width: Channels = 64, stem_width: Channels = 64,
                 click_encoding: Literal['disk', 'distance'] = 'disk', click_radius: Above = 5.0,
                 mask_input: bool = True, fusion: Literal['features', 'colors'] = 'features',
                 click_width: Channels = 16, slope: Share = 0.2, zoom_side: InputSide | None = 400,
                 zoom_after: ClicksBefore = 1, zoom_margin: Above = 1.4, zoom_least: Count = 200,
                 zoom_square: bool = False, longest_side: Positive | None = None, flip: bool = True,
                 click_limit: Positive | None = None, fbrs: bool = False, seed: Count = 0) -> None:
        super().__init__(stem_width)
        with self.init_scope():
            self.backbone = HRNet(width, blocks, tuple(modules), stem_width, seed=seed)
            self.context = ObjectContext(sum(self.backbone.out_channels), ocr_width, 1,
                                         LayerBuilder('zero', 'batch', np.random.default_rng((seed, 2))))

    def backbone_features(self, image: ArrayOrVariable, clicks: chainer.Variable | None) -> chainer.Variable:
        return side_by_side(self.backbone(image, clicks))

    def head(self, features: ArrayOrVariable) -> tuple[chainer.Variable, chainer.Variable | None]:
        return self.context(features)


class RitmDeepLab(RitmSegmenter):
    """DeepLab v3+ on a dilated ResNet of basic blocks; the defaults are ResNet-34 as published.

    Args:
        blocks, width: As those of :class:`chainer_seg.links.ResNet`.
        channels: Channels of the pyramid and of the decoder.
        pyramid: Dilations of the pyramid.
        dropout: Share of the values of the pyramid that are dropped in training.
        click_encoding, click_radius, mask_input, fusion, click_width, slope: As those of :class:`RitmHRNet`.
        zoom_side, zoom_after, zoom_margin, zoom_least, zoom_square: The same.
        longest_side, flip, click_limit, fbrs, seed: The same.
    """

    def __init__(self, blocks: Stages = (3, 4, 6, 3), width: Channels = 64, channels: Channels = 128,
                 pyramid: Dilations = (12, 24, 36), dropout: Share = 0.2,
                 click_encoding: Literal['disk', 'distance'] = 'disk', click_radius: Above = 5.0,
                 mask_input: bool = False, fusion: Literal['features', 'colors'] = 'features',
                 click_width: Channels = 16, slope: Share = 0.2, zoom_side: InputSide | None = 400,
                 zoom_after: ClicksBefore = 1, zoom_margin: Above = 1.4, zoom_least: Count = 200,
                 zoom_square: bool = False, longest_side: Positive | None = None, flip: bool = True,
                 click_limit: Positive | None = None, fbrs: bool = False, seed: Count = 0) -> None:
        super().__init__(width)
        build = LayerBuilder('zero', 'batch', np.random.default_rng((seed, 2)))
        with self.init_scope():
            self.resnet = ResNet(blocks, width, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4),
                                 first_dilations=(1, 1, 1, 2), block='basic', seed=seed)
            self.pyramid = AtrousPooling(build, self.resnet.out_channels[-1], channels, tuple(pyramid),
                                         dropout)
            self.skip = ConvNorm(build, self.resnet.out_channels[0], SKIP_CHANNELS, 1)
            self.decoder = SeparableHead(build, channels + SKIP_CHANNELS, channels, channels)
            self.logits = SeparableHead(build, channels, channels // 2, 1)

    def backbone_features(self, image: ArrayOrVariable, clicks: chainer.Variable | None) -> chainer.Variable:
        h = F.relu(self.resnet.stem(image))
        stages = self.resnet.stages(h if clicks is None else h + clicks)
        return beside_skip(self.pyramid(stages[-1]), F.relu(self.skip(stages[0])))

    def head(self, features: ArrayOrVariable) -> tuple[chainer.Variable, chainer.Variable | None]:
        return self.logits(self.decoder(features)), None
