"""Full-scene inference: proposals for a whole image (arXiv 1506.06204, section 3.2)."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import chainer
import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg import boxes
from chainer_seg.arrays import Array
from chainer_seg.datasets.proposal_files import RleProposals
from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike, as_image
from chainer_seg.instances import Instances
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.candidate_model import CandidateModel
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deepmask.at_click import masks_at
from chainer_seg.models.deepmask.defaults import MASK_THRESHOLD
from chainer_seg.models.deepmask.pasting import paste
from chainer_seg.models.deepmask.pieces import Span, join_pieces, piece_positions
from chainer_seg.models.deepmask.pyramid import ZOOM_SCALE, PyramidLevel, build_pyramid, pyramid_scales
from chainer_seg.models.deepmask.selection import (
    Candidates, Maps, Selection, best_candidates, best_selection, torch_candidates, torch_selection)
from chainer_seg.models.deepmask.trunk import STRIDE, Trunk
from chainer_seg.models.inference import inference, total_of

MASKS_AT_ONCE = 32  # computed in one batch; larger batches are not faster

CLICK_CANDIDATES = 300  # proposals from which a click selects

SKIP_REACH = 3  # positions, of the three 3x3 convolutions of SharpMask's horizontal nets

# Numbers of the masks, their level, their rows and columns there, and their logits (m, S, S) float32.
MaskLogits: TypeAlias = tuple[np.ndarray, PyramidLevel, np.ndarray, np.ndarray, np.ndarray]


class MaskBranch(NamedTuple):
    """The networks that predict masks.

    Attributes:
        skips: From the trunk's stages to the maps that are computed once for a level.
        logits: From feature vectors (m, features, 1, 1) and windows of these maps to mask logits
            (m, S, S).
    """

    skips: Callable[[Sequence[chainer.Variable]], Sequence[chainer.Variable]]
    logits: Callable[[Array, Sequence[Array]], chainer.Variable]


def _scores_and_total(maps: Maps) -> tuple[npt.NDArray[np.float32], np.float32]:
    """The scores on the CPU, and a number that is finite if all outputs are, with one synchronisation."""
    xp = cuda.get_array_module(maps.scores)
    total = xp.asarray(total_of(maps.features, maps.scores), np.float32)
    both = cuda.to_cpu(xp.concatenate([maps.scores.ravel(), total.reshape(1)]))
    return both[:-1].reshape(maps.scores.shape), both[-1]


class ProposalModel(CandidateModel):
    """Base of DeepMask and SharpMask: proposals for whole images.

    An image goes through :meth:`prepare`, :meth:`predict_logits` for each level, and :meth:`decode`. A
    subclass has the links ``trunk`` and ``score``, and :meth:`branch`.

    Attributes:
        patch_size: Side of the window that a mask covers, in pixels.
        target_size: Side to which masks are enlarged for the loss.
    """

    patch_size: int
    target_size: int
    trunk: Trunk
    score: chainer.Chain

    # Whether the Torch implementation clips positions to the side of the mask (its SharpMask does).
    clips_to_mask = False

    def propose(self, image: ImageLike, n: int = 100, scales: Sequence[float] | None = None,
                zoom: bool = False, dm: bool = False, threshold: float = MASK_THRESHOLD,
                nms: float | None = None, exact: bool = False) -> Instances:
        """Proposes objects: masks and scores, the best first.

        An image pyramid is searched at all places, every 16 pixels of a level, and the ``n``
        windows with the highest scores over all levels become masks. Windows without any pixel
        above ``threshold`` are omitted, and there are never more proposals than windows.

        The Torch implementation does not use the windows with the best scores, but those one row up and
        one column to the right, at most as many as the last level has, and its SharpMask clips positions
        to the side of the mask. ``exact`` reproduces this: results agree to the pixel, and are worse.

        Args:
            image: Anything that :func:`chainer_seg.images.as_image` accepts; usually (H, W, 3) uint8.
            n: Maximum number of proposals.
            scales: Scales of the pyramid; 2 ** -2.5 to 2 ** 0.5 in steps of 2 ** 0.5 by default.
            zoom: Whether to add the scale 2, for small objects; it doubles the time.
            dm: Whether SharpMask returns the coarse masks of its DeepMask branch.
            threshold: Probability above which a pixel belongs to a mask.
            nms: Intersection over union with the box of a better proposal from which a proposal is
                dropped; None keeps all.
            exact: Whether to reproduce the Torch implementation's choice of windows.

        Returns:
            :class:`chainer_seg.instances.Instances` of the image's size, in which each mask takes
            H * W bytes; see :meth:`propose_rle` for very many or very large ones.

        Raises:
            chainer_seg.errors.UserError: An argument is invalid.
            chainer_seg.errors.ImageError: ``image`` is not an image.
            chainer_seg.errors.ModelError: The network returned values that are not finite.
        """
        runs, scores, _ = self._find(image, n, scales, zoom, dm, threshold, nms, exact)
        return Instances(runs.to_masks(), runs.bboxes(), scores=scores, class_names=('object',))

    def propose_rle(self, image: ImageLike, n: int = 100, scales: Sequence[float] | None = None,
                    zoom: bool = False, dm: bool = False, threshold: float = MASK_THRESHOLD,
                    nms: float | None = None, exact: bool = False) -> RleProposals:
        """As :meth:`propose`, but with masks as run-length encodings, in bounded memory.

        Apart from the image, the memory depends on ``n`` and :data:`.pieces.PIECE_PIXELS`, and hardly on
        the size of the image: 1000 proposals for twelve megapixels fit easily.

        Returns:
            :class:`RleProposals`.
        """
        runs, scores, found_at = self._find(image, n, scales, zoom, dm, threshold, nms, exact)
        return RleProposals(runs.to_rle(), runs.bboxes(), scores, found_at)

    def candidates(self, image: npt.NDArray[np.uint8]) -> CandidateMasks:
        runs, scores, _ = self._find(image, CLICK_CANDIDATES, None, False, False, MASK_THRESHOLD, None, False)
        return CandidateMasks.of(runs, scores)

    def candidates_at(self, image: npt.NDArray[np.uint8], click: Click) -> CandidateMasks:
        return masks_at(self, image, click, (*pyramid_scales(), ZOOM_SCALE))

    def prepare(self, image: np.ndarray, scales: Sequence[float] | None = None, zoom: bool = False
                ) -> list[PyramidLevel]:
        """The pyramid of an image, on the model's device.

        Args:
            image: (H, W, 3) uint8 RGB.
            scales, zoom: As those of :meth:`propose`.

        Raises:
            chainer_seg.errors.UserError: A scale is invalid.
        """
        chosen = pyramid_scales() if scales is None else tuple(scales)
        chosen += (ZOOM_SCALE,) if zoom else ()
        return build_pyramid(self.device.send(image), chosen, self.patch_size)

    def branch(self, dm: bool) -> MaskBranch:
        """The networks that predict masks; with ``dm`` those of DeepMask's coarse masks."""
        raise NotImplementedError

    def predict_logits(self, level: PyramidLevel,
                       skips_of: Callable[[Sequence[chainer.Variable]], Sequence[chainer.Variable]]) -> Maps:
        """Runs the trunk and the score branch over a level of the pyramid, in pieces if it is large.

        Args:
            level: The level.
            skips_of: The maps of :class:`MaskBranch` to compute from the trunk's stages.
        """
        across = piece_positions(level, self._halo)
        spans = [[(first, min(first + across, count)) for first in range(0, count, across)]
                 for count in level.positions]
        if len(spans[0]) == len(spans[1]) == 1:
            return self._piece_maps(level, spans[0][0], spans[1][0], skips_of)
        pieces = ((rows, columns, self._piece_maps(level, rows, columns, skips_of))
                  for rows, columns in itertools.product(*spans))
        return join_pieces(level, pieces, self.xp)

    @property
    def _halo(self) -> Span:
        """Number of positions that a piece must include before its windows and after them."""
        before = -(-self.trunk.reach // STRIDE) + SKIP_REACH
        return before, before + self.patch_size // STRIDE - 1

    def _piece_maps(self, level: PyramidLevel, rows: Span, columns: Span,
                 skips_of: Callable[[Sequence[chainer.Variable]], Sequence[chainer.Variable]]) -> Maps:
        """The maps of the windows at the positions of two spans."""
        before, behind = self._halo
        starts = [max(0, span[0] - before) for span in (rows, columns)]
        ends = [min(side, STRIDE * (span[1] + behind))
                for side, span in zip(level.padded, (rows, columns))]
        x = level.read(*((STRIDE * start, end) for start, end in zip(starts, ends)))
        stages = self.trunk(x[None])
        around = self.patch_size // STRIDE - 1
        (top, bottom), (left, right) = (
            (span[0] - start, span[1] - start) for span, start in zip((rows, columns), starts))
        features = self.trunk.describe(stages[-1][:, :, top:bottom + around, left:right + around])
        whole = [span[1] == count for span, count in zip((rows, columns), level.positions)]
        skips = [skip.array[0, :, top << k:None if whole[0] else bottom << k,
                            left << k:None if whole[1] else right << k]
                 for k, skip in enumerate(skips_of(stages))]
        return Maps(features.array[0], self.score(features).array[0], skips)

    def decode(self, candidates: Sequence[Candidates], n: int, size: tuple[int, int], branch: MaskBranch,
               threshold: float = MASK_THRESHOLD, nms: float | None = None, exact: bool = False
               ) -> tuple[RunLengthMasks, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Turns the best windows of each level into masks of the image.

        Args:
            candidates: The best windows of each level.
            n, threshold, nms, exact: As those of :meth:`propose`.
            size: (H, W) of the image.
            branch: The branch that predicts the masks.

        Returns:
            R masks as runs, their scores (R,) and the scales (R,) of their levels, by descending score.
        """
        chosen = (torch_selection if exact else best_selection)(candidates, n)
        logits = self.mask_logits(candidates, chosen, branch.logits)
        runs = self.paste(logits, len(chosen[0]), size, threshold, exact)
        scales = np.array([each.level.scale for each in candidates], np.float32)[chosen[0]]
        kept = _kept(runs.bboxes(), chosen[2], nms, exact)
        return runs.take(kept), chosen[2][kept], scales[kept]

    def _find(self, image: ImageLike, n: int, scales: Sequence[float] | None, zoom: bool, dm: bool,
              threshold: float, nms: float | None, exact: bool
              ) -> tuple[RunLengthMasks, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The results of :meth:`decode` for an image."""
        _check(n, threshold, nms)
        pixels, branch = as_image(image), self.branch(dm)
        with inference():
            levels = self.prepare(pixels, scales, zoom)
            candidates = self._best_windows(levels, n, branch, exact)
            return self.decode(candidates, n, pixels.shape[:2], branch, threshold, nms, exact)

    def _best_windows(self, levels: Sequence[PyramidLevel], n: int, branch: MaskBranch, exact: bool
                      ) -> list[Candidates]:
        """The ``n`` best windows of each level; the maps of a level are released before the next one."""
        pick = torch_candidates if exact else best_candidates
        candidates, totals = [], []
        for level in levels:
            maps = self.predict_logits(level, branch.skips)
            maps.scores, total = _scores_and_total(maps)
            totals.append(total)
            candidates.append(pick(level, maps, n))
        self.check_finite(totals)
        return candidates

    def mask_logits(self, candidates: Sequence[Candidates], chosen: Selection,
                   logits_of: Callable[..., chainer.Variable]) -> Iterator[MaskLogits]:
        """Predicts masks in small batches.

        Args:
            candidates: The best windows of each level.
            chosen: The selected ones, as of
                :func:`chainer_seg.models.deepmask.selection.best_selection`.
            logits_of: The ``logits`` of :class:`MaskBranch`.

        Yields:
            (m,) int, positions in ``chosen``; their level; (m,) int, their rows and columns there; and
            their mask logits (m, S, S) float32 on the CPU.
        """
        levels, within, _ = chosen
        for number, of_level in enumerate(candidates):
            mine = np.flatnonzero(levels == number)
            for first in range(0, len(mine), MASKS_AT_ONCE):
                part = mine[first:first + MASKS_AT_ONCE]
                features, windows = of_level.windows(within[part], self.patch_size // STRIDE)
                logits = cuda.to_cpu(logits_of(features, windows).array)
                self.check_finite(logits)
                rows, columns = of_level.rows[within[part]], of_level.columns[within[part]]
                yield part, of_level.level, rows, columns, logits

    def paste(self, masks: Iterable[MaskLogits], count: int, size: tuple[int, int], threshold: float,
              exact: bool) -> RunLengthMasks:
        """Pastes the results of :meth:`mask_logits` into an image of ``size``: ``count`` masks as runs."""
        parts = []
        for part, level, rows, columns, logits in masks:
            last = logits.shape[1] - 1 if exact and self.clips_to_mask else None
            tops, lefts = (self._corners(places, level.scale, last) for places in (rows, columns))
            side = int(self.patch_size / level.scale)
            parts.append((paste(logits, tops, lefts, side, size, threshold), part))
        return RunLengthMasks.collect(parts, count, size)

    def _corners(self, places: np.ndarray, scale: float, last: int | None) -> npt.NDArray[np.int64]:
        """The first pixels of windows in the image, for their positions along one side."""
        places = places if last is None else np.minimum(places, last)
        return np.floor(places * STRIDE / scale - self.patch_size / 2 / scale).astype(int)


def _kept(bboxes: np.ndarray, scores: np.ndarray, nms: float | None, exact: bool) -> npt.NDArray[np.int64]:
    """The numbers of the proposals to keep: neither empty nor suppressed by a better one."""
    filled = (bboxes[:, 2:] > bboxes[:, :2]).all(axis=1)
    kept = np.flatnonzero(filled | exact)
    if nms is None:
        return kept
    return kept[np.sort(boxes.nms(bboxes[kept], scores[kept], nms))]


def _check(n: int, threshold: float, nms: float | None) -> None:
    if n < 1:
        raise UserError(f'n must be at least 1, got {n}.')
    if not 0 < threshold < 1:
        raise UserError(f'threshold must be between 0 and 1, exclusive, got {threshold:g}.')
    if nms is not None and not 0 < nms <= 1:
        raise UserError(f'nms must be above 0 and at most 1, got {nms:g}.')
