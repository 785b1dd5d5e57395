"""A picture whose proposals answer to the pointer: hover shows one and its score, a click pins it.

Masks travel to the browser once, as run lengths. Filtering, searching below the pointer and drawing
happen there, so all of it works at once and even where no kernel runs.
"""

import pathlib

import numpy as np
import traitlets
from pycocotools import mask as coco_mask

from chainer_seg.datasets.proposal_files import proposal_results
from chainer_seg.errors import DatasetError
from chainer_seg.images import as_image, fit_within, resize
from chainer_seg.instances import Instances
from chainer_seg.masks import decode_rle
from chainer_seg.visualization import instance_colors, overlay_masks
from chainer_seg.widgets.mask_data import shrink_mask
from chainer_seg.widgets.mask_explorer import MaskExplorer, explorer_program, shown_traits

_FIRST_COUNT = 20  # More outlines at once hide the picture.


class ProposalExplorer(MaskExplorer):
    """An image and its proposals, to be looked through with the mouse.

    Sliders choose how many of the best proposals are shown, from which score on and of which sizes;
    the pointer shows the topmost one below it, filled and with its score; a click pins it, so that it
    stays, and a second click lets it go.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes: a path, a PIL image, an
            array.
        proposals: :class:`chainer_seg.Instances` of the image; what ``model.propose_rle`` gives; COCO
            result dicts, as :func:`chainer_seg.datasets.read_proposals` gives them; a DeepMask or
            SharpMask; or the name or path of a model file, such as ``'sharpmask'``.
        n: A model is asked for so many.
        longest_side: Larger images are shown shrunk to this many pixels.

    Attributes:
        count: The best so many of those that the other sliders let through are shown.
        least_score: Proposals of a lower score are not shown.
        sizes: The least and the largest size of what is shown: the side in pixels of a square of
            the same area.
        on_top: Of several proposals below the pointer, the ``'smallest'`` or the ``'best'`` by score
            is taken.
        pinned: List of the numbers of the pinned proposals; number 0 has the highest score.
        opacity: Of a filled mask, from 0 to 1.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read, or the proposals are
            not of this image.
    """

    _esm = explorer_program('proposal_explorer.js')

    # For each mask, as float64: score and size.
    figures_data = traitlets.Bytes(b'').tag(sync=True)

    count = traitlets.Int(_FIRST_COUNT).tag(sync=True)
    least_score = traitlets.Float(0.0).tag(sync=True)
    sizes = traitlets.Tuple(traitlets.Float(), traitlets.Float()).tag(sync=True)
    on_top = traitlets.Enum(('smallest', 'best'), 'smallest').tag(sync=True)
    pinned = traitlets.List(traitlets.Int()).tag(sync=True)
    opacity = traitlets.Float(0.5).tag(sync=True)

    def __init__(self, image, proposals='sharpmask', n=200, longest_side=640, **traits):
        self.image = as_image(image)
        size = self.image.shape[:2]
        shown = fit_within(size, longest_side)
        self._codes, self.scores = _sorted_codes(proposals, self.image, n)
        self.areas = np.array(coco_mask.area(self._codes), np.int64)
        self._shown_codes = [shrink_mask(code, shown) for code in self._codes]
        super().__init__(
            **shown_traits(self.image, self._shown_codes, shown),
            figures_data=np.stack([self.scores, np.sqrt(self.areas)], axis=1).tobytes(),
            sizes=(0.0, float(max(size))),
            **{'least_score': float(min(0.0, self.scores.min(initial=0))), **traits})

    @traitlets.validate('pinned')
    def _check_pinned(self, proposal):
        unknown = [number for number in proposal['value'] if not 0 <= number < len(self)]
        if unknown:
            raise traitlets.TraitError(f'There are proposals 0 to {len(self) - 1}, not {unknown[0]}.')
        return list(dict.fromkeys(proposal['value']))

    def __len__(self):
        """The number of proposals."""
        return len(self._codes)

    @property
    def shown(self):
        """The numbers (K,) of the proposals that the sliders let through, best first."""
        size = np.sqrt(self.areas)
        chosen = (self.scores >= self.least_score) & (size >= self.sizes[0]) & (size <= self.sizes[1])
        return np.flatnonzero(chosen)[:max(0, self.count)]

    def instances(self, numbers):
        """The proposals of these numbers as :class:`chainer_seg.Instances`.

        ``explorer.instances(explorer.pinned)`` is what was chosen with the mouse.
        """
        numbers = np.asarray(numbers, int)
        masks = decode_rle([self._codes[number] for number in numbers], self.image_size)
        return Instances(masks, scores=self.scores[numbers], class_names=('object',))

    def snapshot(self):
        """What is shown without a pointer, (h, w, 3) uint8 RGB: outlines, and what is pinned filled."""
        colors = instance_colors(len(self))
        picture = resize(self.image, self.shown_size)
        for numbers, alpha in ((self.shown, 0), (np.array(self.pinned, int), self.opacity)):
            masks = decode_rle([self._shown_codes[number] for number in numbers], self.shown_size)
            picture = overlay_masks(picture, masks, colors[numbers], alpha, contour=1)
        return picture

    def __repr__(self):
        height, width = self.image_size
        return (f'ProposalExplorer({height}x{width} image, {len(self)} proposals, '
                f'{len(self.pinned)} pinned)')


def _sorted_codes(proposals, image, n):
    """The run-length codes and the scores (R,) float64 of proposals, best first."""
    if isinstance(proposals, (str, pathlib.Path)):
        from chainer_seg.model_file import load_model
        proposals = load_model(proposals)
    if hasattr(proposals, 'propose_rle'):
        proposals = proposals.propose_rle(image, n=n)
    results = proposal_results(proposals)
    if any('segmentation' not in result for result in results):
        raise DatasetError('Proposals without masks cannot be shown; give those with a segmentation.')
    for size in {tuple(result['segmentation']['size']) for result in results} - {image.shape[:2]}:
        raise DatasetError(f'The proposals are for an image of {size[0]}x{size[1]} pixels, but this one '
                           f'has {image.shape[0]}x{image.shape[1]}; give the image they belong to.')
    best = sorted(results, key=lambda result: -result['score'])
    return ([result['segmentation'] for result in best],
            np.array([result['score'] for result in best], np.float64))
