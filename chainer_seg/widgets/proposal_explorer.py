"""Explores the proposals of an image: hovering shows one and its score, a click pins it.

Masks are sent to the browser once, run-length encoded. Filtering, drawing and hit-testing happen there, so
all of it responds immediately, even without a running kernel.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import traitlets
from pycocotools import mask as coco_mask

from chainer_seg.datasets.proposal_files import proposal_results
from chainer_seg.errors import DatasetError
from chainer_seg.images import ImageLike, as_image, fit_within, resize
from chainer_seg.instances import Instances
from chainer_seg.visualization import instance_colors, overlay_masks
from chainer_seg.widgets.cell_progress import Progress, cell_progress
from chainer_seg.widgets.mask_data import resize_masks, shrink_mask
from chainer_seg.widgets.mask_explorer import MaskExplorer, explorer_program, mask_traits
from chainer_seg.widgets.sizes import sent_size

_DEFAULT_COUNT = 20  # More outlines at once obscure the image.


@runtime_checkable
class Proposer(Protocol):
    """Anything that proposes masks, such as :class:`chainer_seg.models.deepmask.DeepMask`."""

    def propose_rle(self, image: npt.NDArray[np.uint8], /, n: int, *, progress: Progress) -> Any: ...


class ProposalExplorer(MaskExplorer):
    """An image and its proposals.

    Sliders set the maximum number of proposals shown, their minimum score, and their minimum and maximum
    size; the topmost proposal under the pointer is filled and shows its score; a click pins it, and a
    second click unpins it.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts: a path, a PIL image, an
            array.
        proposals: :class:`chainer_seg.Instances` of the image; the result of ``model.propose_rle``;
            COCO result dicts, as returned by :func:`chainer_seg.datasets.read_proposals`; a DeepMask or
            SharpMask; or the name or path of a model file, such as ``'sharpmask'``. A model sees the image
            at the size at which it is displayed, which takes seconds also for a large one.
        n: Number of proposals to request from a model.
        longest_side: Maximum longer side of the displayed image in pixels; images below 480 are enlarged.

    Attributes:
        count: Maximum number of proposals shown: the best of those that pass the other sliders.
        score_threshold: Proposals with a lower score are hidden.
        sizes: Minimum and maximum size of the proposals shown: the side in pixels of a square of the
            same area.
        on_top: Which of several proposals under the pointer is chosen: the ``'smallest'``, or the
            ``'best'`` by score.
        pinned: List of the numbers of the pinned proposals; number 0 has the highest score.
        opacity: Opacity of a filled mask, from 0 to 1.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read, or the proposals belong to
            an image of another size.
    """

    _esm = explorer_program('proposal_explorer.js')

    # For each mask, as float64: score and size.
    figures_data = traitlets.Bytes(b'').tag(sync=True)

    count = traitlets.Int(_DEFAULT_COUNT).tag(sync=True)
    score_threshold = traitlets.Float(0.0).tag(sync=True)
    sizes = traitlets.Tuple(traitlets.Float(), traitlets.Float()).tag(sync=True)
    on_top = traitlets.Enum(('smallest', 'best'), 'smallest').tag(sync=True)
    pinned = traitlets.List(traitlets.Int()).tag(sync=True)
    opacity = traitlets.Float(0.5).tag(sync=True)

    def __init__(self, image: ImageLike, proposals: Any = 'sharpmask', n: int = 200,
                 longest_side: int = 640, **traits: Any) -> None:
        self.image = as_image(image)
        size = self.image.shape[:2]
        self._codes, self.scores, searched = _sorted_codes(proposals, self.image, n, longest_side)
        sent = min(searched, sent_size(size, longest_side))
        pixels = np.prod(size) / np.prod(searched)  # of the image, in a pixel of the masks
        self.areas = np.round(pixels * np.array(coco_mask.area(self._codes))).astype(np.int64)
        self._sent_codes = [shrink_mask(code, sent) for code in self._codes]
        super().__init__(
            **mask_traits(self.image, self._sent_codes, longest_side, sent),
            figures_data=np.stack([self.scores, np.sqrt(self.areas)], axis=1).tobytes(),
            sizes=(0.0, float(max(size))),
            **{'score_threshold': float(min(0.0, self.scores.min(initial=0))), **traits})

    @traitlets.validate('pinned')
    def _check_pinned(self, proposal: Mapping[str, Any]) -> list[int]:
        unknown = [number for number in proposal['value'] if not 0 <= number < len(self)]
        if unknown:
            raise traitlets.TraitError(f'There is no proposal {unknown[0]}; the proposals are numbered '
                                       f'from 0 to {len(self) - 1}.')
        return list(dict.fromkeys(proposal['value']))

    def __len__(self) -> int:
        """The number of proposals."""
        return len(self._codes)

    @property
    def shown(self) -> npt.NDArray[np.int64]:
        """The numbers (K,) of the proposals that pass the sliders, best first."""
        size = np.sqrt(self.areas)
        passes = (self.scores >= self.score_threshold) & (size >= self.sizes[0]) & (size <= self.sizes[1])
        return np.flatnonzero(passes)[:max(0, self.count)]

    def instances(self, numbers: Sequence[int] | npt.NDArray[np.integer]) -> Instances:
        """The proposals with these numbers as :class:`chainer_seg.Instances`.

        ``explorer.instances(explorer.pinned)`` are those pinned with the mouse.
        """
        numbers = np.asarray(numbers, int)
        masks = resize_masks([self._codes[number] for number in numbers], self.image_size)
        return Instances(masks, scores=self.scores[numbers], class_names=('object',))

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """What is shown without a pointer, (h, w, 3) uint8 RGB: outlines, and pinned proposals filled."""
        colors = instance_colors(len(self))
        image = resize(self.image, self.shown_size)
        for numbers, alpha in ((self.shown, 0.0), (np.array(self.pinned, int), self.opacity)):
            masks = resize_masks([self._sent_codes[number] for number in numbers], self.shown_size)
            image = overlay_masks(image, masks, colors[numbers], alpha, contour=1)
        return image

    def __repr__(self) -> str:
        height, width = self.image_size
        return (f'ProposalExplorer({height}x{width} image, {len(self)} proposals, '
                f'{len(self.pinned)} pinned)')


def _sorted_codes(proposals: Any, image: np.ndarray, n: int, longest_side: int
                  ) -> tuple[list[Any], npt.NDArray[np.float64], tuple[int, int]]:
    """The run-length encoded masks, the scores (R,) float64 of proposals, best first, and the masks' size."""
    if isinstance(proposals, (str, os.PathLike)):
        from chainer_seg.engines import compile
        from chainer_seg.model_file import load_model
        proposals = compile(load_model(proposals))
    if isinstance(proposals, Proposer):
        image = resize(image, fit_within(image.shape[:2], longest_side))
        with cell_progress('Computing proposals') as progress:
            proposals = proposals.propose_rle(image, n=n, progress=progress)
    results = proposal_results(proposals)
    if any('segmentation' not in result for result in results):
        raise DatasetError('Proposals without masks cannot be shown; pass proposals that have a '
                           'segmentation.')
    for size in {tuple(result['segmentation']['size']) for result in results} - {image.shape[:2]}:
        raise DatasetError(f'The proposals belong to an image of {size[0]}x{size[1]} pixels, but this '
                           f'one has {image.shape[0]}x{image.shape[1]}; pass the image they belong to.')
    best = sorted(results, key=lambda result: -result['score'])
    return ([result['segmentation'] for result in best],
            np.array([result['score'] for result in best], np.float64), image.shape[:2])
