"""The synthetic data sets that commands name, and the seeds of their images."""

from chainer_seg.datasets import FiguresDataset, PlainShapesDataset, ShapesDataset

# Images for validation come from another seed than those for training.
VALIDATION_SEED_OFFSET = 1_000_000

DRAWN = {'shapes': ShapesDataset, 'plain-shapes': PlainShapesDataset, 'figures': FiguresDataset}
