"""The base of the synthetic data sets, whose images are rendered when they are read."""

import numpy as np

from chainer_seg.datasets.base import Dataset, Example
from chainer_seg.datasets.synthetic.scene import SMALLEST_SIDE
from chainer_seg.errors import DatasetError


class SyntheticDataset(Dataset):
    """Images that depend only on the arguments and their number; subclasses implement ``_draw(rng)``.

    Args:
        length: Number of images; images do not depend on it.
        seed: Another seed gives other images.
        size: (height, width) in pixels.

    Raises:
        chainer_seg.errors.DatasetError: An argument is out of range.
    """

    def __init__(self, length: int, seed: int, size: tuple[int, int]) -> None:
        self.length, self.seed = int(length), int(seed)
        if len(size) != 2 or min(size) < SMALLEST_SIDE:
            raise DatasetError(f'The size of synthetic images must be (height, width) of at least '
                               f'{SMALLEST_SIDE} pixels, got {tuple(size)}.')
        self.size = int(size[0]), int(size[1])
        if self.length < 0 or self.seed < 0:
            raise DatasetError(f'The length and the seed of synthetic images must not be negative, got '
                               f'{self.length} and {self.seed}.')

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Example:
        """Renders one image.

        Returns:
            The image (H, W, 3) uint8 RGB and its :class:`chainer_seg.Instances`, far ones first.

        Raises:
            IndexError: If index is not in -length..length - 1.
        """
        return self._draw(np.random.default_rng((self.seed, range(self.length)[index])))

    def _draw(self, rng: np.random.Generator) -> Example:
        """One image and its objects; all randomness comes from the generator."""
        raise NotImplementedError

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.size
