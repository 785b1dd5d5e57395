"""What the synthetic data sets of images share: an image is drawn when it is asked for."""

import numpy as np

from chainer_seg.datasets.base import Dataset, Example
from chainer_seg.datasets.synthetic.scene import SMALLEST_SIDE
from chainer_seg.errors import DatasetError


class SyntheticDataset(Dataset):
    """Images that depend on the arguments and their number alone; subclasses have ``_draw(rng)``.

    Args:
        length (int): Number of images; images do not depend on it.
        seed (int): Another seed gives other images.
        size (tuple of int): (height, width) in pixels.

    Raises:
        chainer_seg.errors.DatasetError: For arguments that allow no image.
    """

    def __init__(self, length: int, seed: int, size: tuple[int, int]):
        self.length, self.seed = int(length), int(seed)
        self.size: tuple[int, int] = tuple(int(side) for side in size)  # type: ignore[assignment]
        if len(self.size) != 2 or min(self.size) < SMALLEST_SIDE:
            raise DatasetError(
                f'Drawn pictures need a size of (height, width) of at least {SMALLEST_SIDE} '
                f'pixels, not {self.size}.')
        if self.length < 0 or self.seed < 0:
            raise DatasetError('The length and the seed of drawn pictures must not be negative.')

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Example:
        """Draw one image.

        Returns:
            tuple: image (H, W, 3) uint8 RGB and its :class:`chainer_seg.Instances`, far ones first.

        Raises:
            IndexError: If index is not in -length..length - 1.
        """
        return self._draw(np.random.default_rng((self.seed, range(self.length)[index])))

    def _draw(self, rng: np.random.Generator) -> Example:
        """One image and its objects, from the generator alone."""
        raise NotImplementedError

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.size
