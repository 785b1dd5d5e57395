"""Full-scene inference: proposals for a whole image (arXiv 1506.06204, section 3.2)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import chainer
import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg import boxes
from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.datasets.proposal_files import RleProposals
from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike, as_image
from chainer_seg.instances import Instances
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.candidate_model import CandidateModel
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deepmask import pieces, search
from chainer_seg.models.deepmask.at_click import masks_at
from chainer_seg.models.deepmask.defaults import MASK_THRESHOLD
from chainer_seg.models.deepmask.pasting import paste_windows
from chainer_seg.models.deepmask.pyramid import ZOOM_SCALE, PyramidLevel, build_pyramid, pyramid_scales
from chainer_seg.models.deepmask.selection import (
    Candidates, Maps, Selection, best_selection, torch_selection)
from chainer_seg.models.deepmask.trunk import STRIDE, Trunk
from chainer_seg.models.inference import inference, network

MASKS_AT_ONCE = 32  # computed in one batch; larger batches are not faster

CLICK_CANDIDATES = 300  # proposals from which a click selects

SKIP_REACH = 3  # positions, of the three 3x3 convolutions of SharpMask's horizontal nets

ALL_WINDOWS = (slice(0, None), slice(0, None))  # rows and columns

# Wraps an iteration over scales, as tqdm does.
Progress: TypeAlias = Callable[[Sequence[PyramidLevel]], Iterable[PyramidLevel]]
# Numbers of the masks, their level, their rows and columns there, and their logits (m, S, S) float32.
MaskLogits: TypeAlias = tuple[np.ndarray, PyramidLevel, np.ndarray, np.ndarray, np.ndarray]


class ProposalModel(CandidateModel):
    """Base of DeepMask and SharpMask: proposals for whole images.

    An image goes through :meth:`prepare`, :meth:`dense` for each level of its pyramid, and :meth:`decode`,
    which calls :meth:`window_masks` for the best windows. A subclass has the links ``trunk``, ``score`` and
    ``mask``.

    Attributes:
        patch_size: Side of the window that a mask covers, in pixels.
        mask_size: Side of the masks of ``mask``; None without it.
        target_size: Side to which masks are enlarged for the loss.
    """

    patch_size: int
    mask_size: int | None
    target_size: int
    trunk: Trunk
    score: chainer.Chain
    mask: chainer.Chain

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
            :class:`chainer_seg.instances.Instances` of the image's size.

        Raises:
            chainer_seg.errors.UserError: An argument is invalid.
            chainer_seg.errors.ImageError: ``image`` is not an image.
            chainer_seg.errors.ModelError: The network returned values that are not finite.
        """
        runs, scores, _ = self._find(image, n, scales, zoom, dm, threshold, nms, exact)
        return Instances(runs, scores=scores, class_names=('object',))

    def propose_rle(self, image: ImageLike, n: int = 100, scales: Sequence[float] | None = None,
                    zoom: bool = False, dm: bool = False, threshold: float = MASK_THRESHOLD,
                    nms: float | None = None, exact: bool = False,
                    progress: Progress = iter) -> RleProposals:
        """As :meth:`propose`, but with masks as run-length encodings, in bounded memory.

        Apart from the image, the memory depends on ``n`` and :data:`.pieces.PIECE_PIXELS`, and hardly on
        the size of the image: 1000 proposals for twelve megapixels fit easily.

        Args:
            image, n, scales, zoom, dm, threshold, nms, exact: As those of :meth:`propose`.
            progress: Wraps the iteration over scales, as ``tqdm`` does.

        Returns:
            :class:`RleProposals`.
        """
        runs, scores, found_at = self._find(image, n, scales, zoom, dm, threshold, nms, exact, progress)
        return RleProposals(runs.to_rle(), runs.bboxes(), scores, found_at)

    def candidates(self, image: npt.NDArray[np.uint8]) -> CandidateMasks:
        runs, scores, _ = self._find(image, CLICK_CANDIDATES)
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

    def dense(self, x: ArrayOrVariable, windows: tuple[slice, slice] = ALL_WINDOWS, dm: bool = False
              ) -> tuple[chainer.Variable, chainer.Variable, Sequence[chainer.Variable]]:
        """The network over a whole image: all windows, every 16 pixels, at once.

        Args:
            x: (B, 3, H, W) float32, normalised, as of :meth:`.pyramid.PyramidLevel.read`.
            windows: The rows and columns of the windows to compute.
            dm: Whether to omit what only SharpMask's refinement needs.

        Returns:
            Feature vectors (B, features, h, w) and score logits (B, h, w) of the windows, and what is in
            the windows of the maps of :meth:`skips`.
        """
        stage, *maps = self.coarse_maps(x) if dm else self.maps(x)
        around = self.patch_size // STRIDE - 1
        rows, columns = (slice(part.start, part.stop and part.stop + around) for part in windows)
        features, scores = self.window_scores(stage[:, :, rows, columns])
        skips = []
        for k, skip in enumerate(maps):
            rows, columns = (slice(part.start << k, part.stop and part.stop + around << k)
                             for part in windows)
            skips.append(skip[:, :, rows, columns])
        return features, scores, skips

    @network
    def maps(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        """The last stage of the trunk for ``x`` of :meth:`dense`, and the maps of :meth:`skips`."""
        stages = self.trunk(x)
        return stages[-1], *self.skips(stages)

    @network
    def coarse_maps(self, x: ArrayOrVariable) -> tuple[chainer.Variable]:
        """As :meth:`maps`, without what only SharpMask's refinement needs."""
        return self.trunk(x)[-1],

    @network
    def window_scores(self, stage: ArrayOrVariable) -> tuple[chainer.Variable, chainer.Variable]:
        """Feature vectors (B, features, h, w) and score logits (B, h, w) of all windows of a stage."""
        features = self.trunk.describe(stage)
        return features, self.score(features)

    def skips(self, stages: Sequence[chainer.Variable]) -> Sequence[chainer.Variable]:
        """What :meth:`window_masks` needs of the trunk's stages: maps at stride 16, 8, ...; here none."""
        return ()

    def masks(self, features: ArrayOrVariable) -> chainer.Variable:
        """The mask logits (B, mask_size, mask_size, h, w) of feature vectors (B, features, h, w)."""
        logits = self.mask(features)
        return logits.reshape(len(logits), self.mask_size, self.mask_size, *logits.shape[2:])

    @network
    def window_masks(self, features: ArrayOrVariable, skips: Sequence[ArrayOrVariable]) -> chainer.Variable:
        """The mask logits (m, S, S) of windows.

        Args:
            features: (m, features, 1, 1), their feature vectors.
            skips: Their parts (m, C, s, s) of the maps of :meth:`skips`; none for the coarse masks.
        """
        return self.masks(features)[:, :, :, 0, 0]

    def level_pieces(self, level: PyramidLevel) -> list[pieces.Piece]:
        """The pieces in which a level of the pyramid is searched; several if it is large."""
        before = -(-self.trunk.reach // STRIDE) + SKIP_REACH
        return pieces.split(level, (before, before + self.patch_size // STRIDE - 1))

    def piece_maps(self, level: PyramidLevel, piece: pieces.Piece, dm: bool = False) -> Maps:
        """The outputs of :meth:`dense` for a piece of a level."""
        features, scores, skips = self.dense(level.read(*piece.pixels)[None], piece.inside, dm)
        return Maps(features.array[0], scores.array[0], [skip.array[0] for skip in skips])

    def level_maps(self, level: PyramidLevel, dm: bool = False) -> Maps:
        """The outputs of :meth:`dense` for a whole level."""
        outputs = ((piece, self.piece_maps(level, piece, dm)) for piece in self.level_pieces(level))
        return pieces.join(level, outputs, self.xp)

    def decode(self, candidates: Sequence[Candidates], n: int, size: tuple[int, int],
               threshold: float = MASK_THRESHOLD, nms: float | None = None, exact: bool = False
               ) -> tuple[RunLengthMasks, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Turns the best windows of each level into masks of the image.

        Args:
            candidates: The best windows of each level.
            n, threshold, nms, exact: As those of :meth:`propose`.
            size: (H, W) of the image.

        Returns:
            R masks as runs, their scores (R,) and the scales (R,) of their levels, by descending score.
        """
        chosen = (torch_selection if exact else best_selection)(candidates, n)
        runs = self.paste(self.mask_logits(candidates, chosen), len(chosen[0]), size, threshold, exact)
        scales = np.array([each.level.scale for each in candidates], np.float32)[chosen[0]]
        kept = _kept(runs.bboxes(), chosen[2], nms, exact)
        return runs.take(kept), chosen[2][kept], scales[kept]

    def _find(self, image: ImageLike, n: int, scales: Sequence[float] | None = None, zoom: bool = False,
              dm: bool = False, threshold: float = MASK_THRESHOLD, nms: float | None = None,
              exact: bool = False, progress: Progress = iter
              ) -> tuple[RunLengthMasks, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The results of :meth:`decode` for an image."""
        _check(n, threshold, nms)
        if dm and self.mask_size is None:
            raise UserError('This SharpMask has no DeepMask branch; call it without dm.')
        pixels = as_image(image)
        with inference():
            levels = progress(self.prepare(pixels, scales, zoom))
            candidates = (search.torch_windows if exact else search.best_windows)(self, levels, n, dm)
            return self.decode(candidates, n, pixels.shape[:2], threshold, nms, exact)

    def mask_logits(self, candidates: Sequence[Candidates], chosen: Selection) -> Iterator[MaskLogits]:
        """Predicts masks in small batches.

        Args:
            candidates: The best windows of each level.
            chosen: The selected ones, as of
                :func:`chainer_seg.models.deepmask.selection.best_selection`.

        Yields:
            (m,) int, positions in ``chosen``; their level; (m,) int, their rows and columns there; and
            their mask logits (m, S, S) float32 on the CPU.
        """
        levels, within, _ = chosen
        for number, of_level in enumerate(candidates):
            mine = np.flatnonzero(levels == number)
            for first in range(0, len(mine), MASKS_AT_ONCE):
                part = mine[first:first + MASKS_AT_ONCE]
                windows = of_level.windows(within[part])
                logits = cuda.to_cpu(self.window_masks(*windows).array)
                self.check_finite(logits)
                rows, columns = of_level.rows[within[part]], of_level.columns[within[part]]
                yield part, of_level.level, rows, columns, logits

    def paste(self, masks: Iterable[MaskLogits], count: int, size: tuple[int, int], threshold: float,
              exact: bool) -> RunLengthMasks:
        """Pastes the results of :meth:`mask_logits` into an image of ``size``: ``count`` masks as runs."""
        parts = []
        for part, level, rows, columns, logits in masks:
            if exact and self.clips_to_mask:
                rows, columns = (np.minimum(places, logits.shape[1] - 1) for places in (rows, columns))
            parts.append((paste_windows(logits, STRIDE * rows, STRIDE * columns, self.patch_size,
                                        level.scale, size, threshold), part))
        return RunLengthMasks.collect(parts, count, size)


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
