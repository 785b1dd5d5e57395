"""The anchors of YOLACT's published models, in pixels of an input of 550x550."""

PUBLISHED_SCALES, PUBLISHED_RATIOS, PUBLISHED_SIZE = (24, 48, 96, 192, 384), (1, 0.5, 2), 550
