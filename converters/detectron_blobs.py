"""The blobs of a Detectron file, and how links are filled with them."""

import re

import chainer
import numpy as np

from chainer_seg.links import GroupNorm
from chainer_seg.links.conv_norm import ConvNorm
from chainer_seg.models.mask_rcnn.heads import bilinear_kernel
from converters.weight_mapping import WeightMapping

# Detectron orders deltas as dx, dy, dw, dh; here they are dy, dx, dh, dw.
DELTAS = np.array([1, 0, 3, 2])

_ZERO_BIAS = re.compile(r'(conv1|res\d_\d+_branch(1|2[abc]))_b')


class Blobs:
    """The blobs of a file, and how links are filled with them."""

    def __init__(self, arrays: dict[str, np.ndarray], mapping: WeightMapping) -> None:
        self.arrays = arrays
        self.mapping = mapping

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a blob, which must have ``dimensions`` axes, none of them empty."""
        shape = np.shape(self._get(name))
        if len(shape) != dimensions or 0 in shape:
            self.mapping.fail(f'{name} has the shape {shape}, expected {dimensions} dimensions')
        return shape

    def fill(self, link: chainer.Link, name: str) -> None:
        """Fills a linear layer or a convolution, with its bias or its normalisation."""
        if isinstance(link, ConvNorm):
            self.fill_conv_norm(link, name)
            return
        self.mapping.fill(link.W.array, self._get(f'{name}_w'), self._file_shape(link, f'{name}_w'))
        self.mapping.fill(link.b.array, self._get(f'{name}_b'))

    def fill_deltas(self, link: chainer.Link, name: str) -> None:
        """Fills a layer that predicts deltas, in our order."""
        for target, suffix in ((link.W.array, '_w'), (link.b.array, '_b')):
            array = self._get(name + suffix)
            if np.shape(array) != target.shape:
                self.mapping.fail(f'{name + suffix} has the shape {np.shape(array)}, expected '
                                  f'{target.shape}')
            groups = self.mapping.use(array).reshape((-1, 4) + target.shape[1:])
            self.mapping.put(target, groups[:, DELTAS].reshape(target.shape), array)

    def fill_conv_norm(self, link: ConvNorm, name: str, affine: str = '') -> None:
        """Fills a convolution without bias and the layer behind it.

        That is group normalisation, or a frozen affine layer with the name ``affine``, by default that of the
        convolution and ``_bn``.
        """
        self.mapping.fill(link.conv.W.array, self._get(f'{name}_w'))
        if isinstance(link.norm, GroupNorm):
            targets, norm = (link.norm.gamma.array, link.norm.beta.array), f'{name}_gn'
        else:
            targets, norm = (link.norm.scale, link.norm.shift), affine or f'{name}_bn'
        for target, suffix in zip(targets, ('_s', '_b')):
            self.mapping.fill(target, self._get(norm + suffix))

    def check_size(self, count: int) -> None:
        """Refuses shapes that need more weights than the file has numbers, before memory is allocated."""
        available = sum(np.size(array) for array in self.arrays.values())
        if count > available:
            self.mapping.fail(f'its shapes need {count} weights, but it has {available} numbers')

    def skip_leftovers(self) -> None:
        """Skips the remaining arrays that are known not to be needed."""
        for name, array in self.mapping.left():
            reason = self._reason(name, array)
            if reason is not None:
                self.mapping.skip(array, reason)

    def _reason(self, name: str, array: np.ndarray) -> str | None:
        if name.endswith('_momentum') and name[:-len('_momentum')] in self.arrays:
            return 'momentum of training'
        if _ZERO_BIAS.fullmatch(name) and not np.any(array):
            return 'bias that is zero'
        if name in ('fc1000_w', 'fc1000_b'):
            return 'classifier of ImageNet'
        if name in ('kps_score_w', 'kps_score_b') and self._is_bilinear(array):
            return 'bilinear upsampling'
        return None

    @staticmethod
    def _is_bilinear(array: np.ndarray) -> bool:
        if np.ndim(array) == 1:
            return not np.any(array)
        expected = np.eye(len(array), dtype=np.float32)[:, :, None, None] * bilinear_kernel()
        return np.shape(array) == expected.shape and np.allclose(array, expected)

    def _get(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            self.mapping.fail(f'it has no blob {name}')
        return self.arrays[name]

    def _file_shape(self, link: chainer.Link, name: str) -> tuple[int, ...] | None:
        # A 1x1 convolution here may be a fully connected layer in the file.
        flat = link.W.shape[:2]
        return flat if np.ndim(self._get(name)) == 2 and link.W.shape[2:] in ((), (1, 1)) else None
