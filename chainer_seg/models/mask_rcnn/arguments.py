"""The arguments of Mask R-CNN: what stands for those that are not given, and which contradict each other."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from chainer_seg.schema import InputSide

Scales = Annotated[Sequence[InputSide], Meta(max_length=32)]

# Options of ``detect`` beyond those of all detectors.
SUPPRESSION_OPTIONS = 'soft_nms', 'soft_nms_sigma', 'vote_threshold'
VIEW_OPTIONS = 'scales', 'flip'

# The settings of Detectron's published networks, by their necks.
PUBLISHED = {
    'c4': {'roi_size': 14, 'sampling_ratio': 0, 'proposals_before_nms': 6000, 'proposals': 1000},
    'fpn': {'roi_size': 7, 'sampling_ratio': 2, 'proposals_before_nms': 1000, 'proposals': 1000}}


def or_published(neck: str, **given: int | None) -> list[int]:
    """The given values, with the published ones in place of None."""
    return [PUBLISHED[neck][name] if value is None else value for name, value in given.items()]


def check_arguments(neck: str, blocks: Sequence[int], keypoints: int, anchor_sizes: Sequence[float],
                    other_heads: bool) -> None:
    """Refuses arguments that do not fit together; ``other_heads``: normalised ones or with convolutions.

    Raises:
        ValueError: The neck is unknown, has other levels than there are sizes of anchors, or lacks the heads.
    """
    if neck not in ('c4', 'fpn'):
        raise ValueError(f"neck must be 'c4' or 'fpn', got {neck!r}")
    if neck == 'fpn' and len(anchor_sizes) != len(blocks) + 1:
        raise ValueError(f'anchor_sizes must have {len(blocks) + 1} sizes, one for each level of the '
                         f'pyramid, got {len(anchor_sizes)}')
    if neck == 'c4' and keypoints:
        raise ValueError("keypoints need neck='fpn'")
    if neck == 'c4' and other_heads:
        raise ValueError("group_heads and box_convolutions need neck='fpn'")
