"""The settings of YOLACT's training (arXiv 1904.02689, sections 3 and 6), with the published values.

Nothing here imports Chainer, so that a command line generated from them starts quickly.
"""

import dataclasses
from typing import Annotated

from msgspec import Meta

from chainer_seg.schema import NotNegative, Overlap, Share

Byte = Annotated[int, Meta(ge=0, le=255)] | Annotated[float, Meta(ge=0, le=255)]
Factor = Annotated[int, Meta(ge=0, le=100)] | Annotated[float, Meta(ge=0, le=100)]
Factors = tuple[Factor, Factor]
Degrees = Annotated[int, Meta(ge=0, le=360)] | Annotated[float, Meta(ge=0, le=360)]
Enlargement = Annotated[int, Meta(ge=1, le=8)] | Annotated[float, Meta(ge=1, le=8)]


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Matching of anchors to objects.

    Attributes:
        positive: Intersection over union with an object from which an anchor is positive.
        negative: Intersection over union below which an anchor is background; neutral in between.
        crowd: Share of an anchor inside a crowd from which it is neutral, unless it is positive.
    """

    positive: Share = 0.5
    negative: Share = 0.4
    crowd: Share = 0.7


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the losses.

    Attributes:
        classes: Weight of the class loss.
        boxes: Weight of the box loss.
        masks: Weight of the mask loss.
        semantic: Weight of the semantic loss, whose layer exists in training only.
        rescoring: Weight of the loss of mask re-scoring (YOLACT++).
    """

    classes: NotNegative = 1
    boxes: NotNegative = 1.5
    masks: NotNegative = 6.125
    semantic: NotNegative = 1
    rescoring: NotNegative = 25


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Augmentation of the images.

    Attributes:
        photometric: Shift brightness, contrast, saturation and hue.
        expand: Put half of the images on a larger canvas.
        crop: Crop a part that overlaps some object enough.
        mirror: Mirror half of the images left to right.
        brightness: Maximum shift of the values, of 255.
        contrast: Minimum and maximum factor.
        saturation: Minimum and maximum factor.
        hue: Maximum shift, in degrees.
        largest_canvas: Maximum side of the canvas, in sides of the image.
        least_crop: Minimum side of a crop, in sides of the image.
        canvas_colour: RGB of the canvas; the published mean of ImageNet.
    """

    photometric: bool = True
    expand: bool = True
    crop: bool = True
    mirror: bool = True
    brightness: Byte = 32
    contrast: Factors = (0.5, 1.5)
    saturation: Factors = (0.5, 1.5)
    hue: Degrees = 18
    largest_canvas: Enlargement = 4
    least_crop: Overlap = 0.3
    canvas_colour: tuple[Byte, Byte, Byte] = (123.68, 116.78, 103.94)
