"""Full-scene inference: proposals for a whole image (arXiv 1506.06204, section 3.2)."""

import dataclasses
import itertools

import numpy as np
from chainer.backends import cuda

from chainer_seg import boxes
from chainer_seg.datasets.proposal_files import RleProposals
from chainer_seg.errors import UserError
from chainer_seg.images import as_image
from chainer_seg.instances import Instances
from chainer_seg.mask_runs import MaskRuns
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.candidate_model import CandidateModel
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deepmask.at_click import masks_at
from chainer_seg.models.deepmask.defaults import MASK_THRESHOLD
from chainer_seg.models.deepmask.pasting import paste
from chainer_seg.models.deepmask.pyramid import ZOOM_SCALE, build_pyramid, pyramid_scales
from chainer_seg.models.deepmask.selection import (
    best_candidates, best_selection, torch_candidates, torch_selection)
from chainer_seg.models.deepmask.trunk import STRIDE
from chainer_seg.models.inference import inference, total_of

# Larger levels are processed in pieces that overlap by the receptive field of the network, which
# changes nothing but the memory. With the published sizes a piece takes 0.9 GB, or 1.8 GB for SharpMask.
PIECE_PIXELS = 2 ** 21

# Masks computed at once; more per matrix product would not be faster.
MASKS_AT_ONCE = 32

# Proposals among which a click picks.
CLICK_CANDIDATES = 300

# Reach, in positions, of the three 3x3 convolutions of SharpMask's horizontal nets.
SKIP_REACH = 3


@dataclasses.dataclass
class Maps:
    """What the network computes once for a level, as arrays on its device.

    Attributes:
        features: (features, h, w), a vector for each window.
        scores: (h, w), the score logits.
        skips: What SharpMask's horizontal nets make of the stages at stride 16, 8, 4 and 2.
    """

    features: np.ndarray
    scores: np.ndarray
    skips: list


def _scores_and_total(maps):
    """The scores on the CPU, and a number that is finite if all outputs are; the GPU is waited for once."""
    xp = cuda.get_array_module(maps.scores)
    total = xp.asarray(total_of(maps.features, maps.scores), np.float32)
    both = cuda.to_cpu(xp.concatenate([maps.scores.ravel(), total.reshape(1)]))
    return both[:-1].reshape(maps.scores.shape), both[-1]


class ProposalModel(CandidateModel):
    """What DeepMask and SharpMask share beyond their networks: proposals for whole images.

    Subclasses have ``trunk``, ``score``, ``patch_size`` and :meth:`branch`.
    """

    # Whether the Torch code clips positions to the side of the mask (its SharpMask does).
    clips_to_mask = False

    def propose(self, image, n=100, scales=None, zoom=False, dm=False, threshold=MASK_THRESHOLD,
                nms=None, exact=False):
        """Proposes objects: masks and scores, the best first.

        An image pyramid is searched at all places, every 16 pixels of a level, and the ``n``
        windows with the highest scores over all levels become masks. Windows without any pixel
        above ``threshold`` are omitted, and there are never more proposals than windows.

        The Torch implementation does not take the windows that have the scores, but those one row up
        and one column to the right, never more than the last level has, and its SharpMask clips
        windows far right or down to the side of the mask in positions. ``exact`` reproduces all
        this: results agree to the pixel, and are worse.

        Args:
            image: Anything that :func:`chainer_seg.images.as_image` accepts; usually (H, W, 3) uint8.
            n: Maximum number of proposals.
            scales: Scales of the pyramid; 2 ** -2.5 to 2 ** 0.5 in steps of 2 ** 0.5 by default.
            zoom: Whether to add the scale 2, for small objects; it doubles the time.
            dm: Whether SharpMask is to give the coarse masks of its DeepMask branch.
            threshold: Probability above which a pixel belongs to a mask.
            nms: Proposals whose boxes overlap that of a better one by at least this intersection
                over union are dropped; None keeps all.
            exact: Whether to reproduce the Torch implementation's choice of windows.

        Returns:
            :class:`chainer_seg.instances.Instances` of the image's size, in which each mask takes
            H * W bytes; see :meth:`propose_rle` for very many or very large ones.

        Raises:
            chainer_seg.errors.UserError: An argument is invalid.
            chainer_seg.errors.ImageError: ``image`` is not an image.
            chainer_seg.errors.ModelError: The network gives values that are not finite.
        """
        runs, scores, _ = self._find(image, n, scales, zoom, dm, threshold, nms, exact)
        return Instances(runs.to_masks(), runs.bboxes(), scores=scores, class_names=('object',))

    def propose_rle(self, image, n=100, scales=None, zoom=False, dm=False, threshold=MASK_THRESHOLD,
                    nms=None, exact=False):
        """As :meth:`propose`, but with masks as run-length encodings, in memory that is bounded.

        Beside the image itself, the memory depends on ``n`` and :data:`PIECE_PIXELS`, and hardly on
        the size of the image: 1000 proposals for twelve megapixels fit easily.

        Returns:
            :class:`RleProposals`.
        """
        runs, scores, scales = self._find(image, n, scales, zoom, dm, threshold, nms, exact)
        return RleProposals(runs.to_rle(), runs.bboxes(), scores, scales)

    def candidates(self, image):
        runs, scores, _ = self._find(image, CLICK_CANDIDATES, None, False, False, MASK_THRESHOLD, None, False)
        return CandidateMasks.of(runs, scores)

    def candidates_at(self, image, click: Click) -> CandidateMasks:
        return masks_at(self, image, click, (*pyramid_scales(), ZOOM_SCALE))

    def branch(self, dm):
        """The nets that make masks.

        Args:
            dm: Whether DeepMask's coarse masks are wanted.

        Returns:
            A function from the trunk's stages to the arrays that are computed once for a level,
            and one from feature vectors (m, features, 1, 1) and windows of these arrays to mask
            logits (m, S, S).
        """
        raise NotImplementedError

    def predict_logits(self, level, skips_of):
        """Runs the trunk and the score branch over a level of the pyramid: its :class:`Maps`."""
        across = _piece_positions(level, self._halo)
        spans = [[(first, min(first + across, count)) for first in range(0, count, across)]
                 for count in level.positions]
        if len(spans[0]) == len(spans[1]) == 1:
            return self._look_at(level, spans[0][0], spans[1][0], skips_of)
        pieces = ((rows, columns, self._look_at(level, rows, columns, skips_of))
                  for rows, columns in itertools.product(*spans))
        return _joined(level, pieces, self.xp)

    @property
    def _halo(self):
        """How many positions beyond its own windows a piece has to show, before them and behind."""
        before = -(-self.trunk.reach // STRIDE) + SKIP_REACH
        return before, before + self.patch_size // STRIDE - 1

    def _look_at(self, level, rows, columns, skips_of):
        """The maps of the windows whose positions lie in two spans (first, end)."""
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

    def _find(self, image, n, scales, zoom, dm, threshold, nms, exact):
        """The masks as runs, (R,) scores, and (R,) scales at which they were found."""
        _check(n, threshold, nms)
        scales = pyramid_scales() if scales is None else tuple(scales)
        image = self.device.send(as_image(image))
        levels = build_pyramid(image, scales + ((ZOOM_SCALE,) if zoom else ()), self.patch_size)
        skips_of, logits_of = self.branch(dm)
        pick = torch_candidates if exact else best_candidates
        select = torch_selection if exact else best_selection
        with inference():
            candidates, totals = [], []
            for level in levels:
                maps = self.predict_logits(level, skips_of)
                maps.scores, total = _scores_and_total(maps)
                totals.append(total)
                candidates.append(pick(level, maps, n))
            self.check_finite(totals)
            chosen = select(candidates, n)
            runs = self.paste(self.draw_masks(candidates, chosen, logits_of), len(chosen[0]),
                              image.shape[:2], threshold, exact)
        scores = chosen[2]
        scales = np.array([level.scale for level in levels], np.float32)[chosen[0]]
        kept = _kept(runs.bboxes(), scores, nms, exact)
        return runs.take(kept), scores[kept], scales[kept]

    def draw_masks(self, candidates, chosen, logits_of):
        """Computes masks, a few at once.

        Args:
            candidates: A :class:`chainer_seg.models.deepmask.selection.Candidates` for each level.
            chosen: What :func:`chainer_seg.models.deepmask.selection.best_selection` chose of them.
            logits_of: The second function of :meth:`branch`.

        Yields:
            (m,) int, places in ``chosen``; their candidates' level; (m,) int, their rows and
            columns there; and their mask logits (m, S, S) float32 on the CPU.
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

    def paste(self, drawn, count, size, threshold, exact):
        """Puts what :meth:`draw_masks` gives into an image of ``size``: ``count`` masks as runs."""
        parts = []
        for part, level, rows, columns, logits in drawn:
            last = logits.shape[1] - 1 if exact and self.clips_to_mask else None
            tops, lefts = (self._corners(places, level.scale, last) for places in (rows, columns))
            side = int(self.patch_size / level.scale)
            parts.append((paste(logits, tops, lefts, side, size, threshold), part))
        return MaskRuns.collect(parts, count, size)

    def _corners(self, places, scale, last):
        """Where windows begin in the image, for their positions along one side."""
        places = places if last is None else np.minimum(places, last)
        return np.floor(places * STRIDE / scale - self.patch_size / 2 / scale).astype(int)


def _piece_positions(level, halo):
    """How many positions a piece has along each side, so that it has few enough pixels."""
    if level.padded[0] * level.padded[1] <= PIECE_PIXELS:
        return max(level.positions)
    return max(1, int(PIECE_PIXELS ** 0.5) // STRIDE - sum(halo))


def _joined(level, pieces, xp):
    """The maps of a level from those of its pieces, (rows, columns, maps) each."""
    joined = None
    for rows, columns, maps in pieces:
        joined = joined or _empty_maps(level, maps, xp)
        part = np.s_[..., rows[0]:rows[1], columns[0]:columns[1]]
        joined.features[part], joined.scores[part] = maps.features, maps.scores
        for k, (whole, skip) in enumerate(zip(joined.skips, maps.skips)):
            top, left = rows[0] << k, columns[0] << k
            whole[:, top:top + skip.shape[1], left:left + skip.shape[2]] = skip
    return joined


def _empty_maps(level, maps, xp):
    """Maps for a whole level, of as many channels as those of a piece."""
    skips = [xp.empty((len(skip),) + tuple(-(-side // (STRIDE >> k)) for side in level.padded),
                      np.float32) for k, skip in enumerate(maps.skips)]
    return Maps(xp.empty((len(maps.features),) + level.positions, np.float32),
                xp.empty(level.positions, np.float32), skips)


def _kept(bboxes, scores, nms, exact):
    """The numbers of the proposals that stay: not the empty ones, nor those that a better one covers."""
    filled = (bboxes[:, 2:] > bboxes[:, :2]).all(axis=1)
    kept = np.flatnonzero(filled | exact)
    if nms is None:
        return kept
    return kept[np.sort(boxes.nms(bboxes[kept], scores[kept], nms))]


def _check(n, threshold, nms):
    if n < 1:
        raise UserError(f'n must be at least 1, got {n}.')
    if not 0 < threshold < 1:
        raise UserError(f'threshold must be between 0 and 1, exclusive, got {threshold:g}.')
    if nms is not None and not 0 < nms <= 1:
        raise UserError(f'nms must be above 0 and at most 1, got {nms:g}.')
