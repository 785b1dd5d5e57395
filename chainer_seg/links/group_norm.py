"""Group normalisation (Wu and He, arXiv 1803.08494): by the statistics of groups of channels of one image."""

from chainer import links as L

from chainer_seg.links.batch_norm import EPS

GROUPS = 32  # section 4.1, and Detectron's GROUP_NORM.NUM_GROUPS


class GroupNorm(L.GroupNormalization):
    """Group normalisation with the published number of groups, which a narrower network may not divide.

    Args:
        channels: Number of channels C of the input (B, C, H, W).
        groups: Number of groups; C must be a multiple of it.

    The parameters ``gamma`` and ``beta`` are (C,) float32.

    Raises:
        ValueError: C is not a multiple of the groups.
    """

    def __init__(self, channels: int, groups: int = GROUPS) -> None:
        if channels % groups:
            raise ValueError(f'group normalisation needs channels in multiples of its {groups} groups, got '
                             f'{channels}')
        super().__init__(groups, channels, eps=EPS)
