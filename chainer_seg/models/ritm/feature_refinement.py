"""f-BRS (arXiv 2001.10331, section 3): features are scaled and shifted until the clicks are satisfied."""

import dataclasses
from collections.abc import Callable, Sequence

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.models.deeplab.clicks import Click

CLICKS_SHOWN = 8  # The network gets the first clicks; further ones count in the optimisation alone.

_EPS = 1e-5  # In the denominators of the loss.

Logits = Callable[[chainer.Variable], chainer.Variable]


@dataclasses.dataclass(frozen=True)
class FeatureRefinement:
    """The optimisation and the loss; the defaults are those of the authors' code.

    Attributes:
        weight: Weight of the squared changes of the scales.
        bias_weight: Weight of the squared shifts beside that.
        evaluations: Maximum number of evaluations of the head for a click.
        after: Number of clicks that are answered without optimisation.
        radius: Pixels around a click that it holds for, in both directions.
        threshold: A click is satisfied where the probability is on its side of this. The search ends
            once all are.
        least_change: The search ends once the mask changes by less (1 - IoU) from one evaluation to the next.
    """

    weight: float = 1e-3
    bias_weight: float = 10.0
    evaluations: int = 20
    after: int = 1
    radius: int = 1
    threshold: float = 0.49
    least_change: float = 0.01

    def click_masks(self, clicks: Sequence[Click], size: tuple[int, int], flip: bool) -> np.ndarray:
        """Where clicks hold, (1 or 2, 2, H, W) float32: positive ones, negative ones.

        Args:
            clicks: In pixels of the network's input.
            size: (H, W) of the network's input.
            flip: Whether the mirrored masks follow.
        """
        masks = np.zeros((2, *size), np.float32)
        for click in clicks:
            rows, columns = (slice(max(0, round(at) - self.radius), max(0, round(at) + self.radius + 1))
                             for at in (click.y, click.x))
            masks[0 if click.positive else 1, rows, columns] = 1
        return np.stack([masks, masks[:, :, ::-1]]) if flip else masks[None]

    def refine(self, logits_of: Logits, features: np.ndarray, masks: np.ndarray, start: np.ndarray | None
               ) -> tuple[np.ndarray, np.ndarray]:
        """Finds scales and shifts of the features.

        Args:
            logits_of: The logits (B, 1, H, W) of features, at the size of ``masks``.
            features: (B, C, h, w) float32.
            masks: (B, 2, H, W) float32, as of :meth:`click_masks`, on the device of ``features``.
            start: (2, C) float64, where the optimisation starts: changes of the scales, and shifts. None
                for zeros.

        Returns:
            tuple: the features scaled and shifted as was best, and (2, C) float64.
        """
        from scipy.optimize import fmin_l_bfgs_b
        loss = _Loss(self, logits_of, features, masks)
        first = np.zeros((2, features.shape[1])) if start is None else start
        found, *_ = fmin_l_bfgs_b(loss, first.ravel(), m=20, factr=0, pgtol=1e-8, maxfun=self.evaluations,
                                  maxiter=2 * self.evaluations)
        best = first.ravel() if loss.best is None else loss.best
        return loss.changed(best).array, found.reshape(2, -1)


class _Loss:
    """The loss and its gradient for L-BFGS; zero gradients end the search."""

    def __init__(self, settings: FeatureRefinement, logits_of: Logits, features: np.ndarray,
                 masks: np.ndarray) -> None:
        self._settings, self._logits_of = settings, logits_of
        self._features, self._masks = features, masks
        self._last: np.ndarray | None = None
        self.best: np.ndarray | None = None
        self._least = np.inf

    def changed(self, values: np.ndarray) -> chainer.Variable:
        """The features for changes (2 * C,) of the scales and shifts."""
        return self._apply(*self._variables(values))

    def __call__(self, values: np.ndarray) -> tuple[float, np.ndarray]:
        scale, shift = self._variables(values)
        with chainer.force_backprop_mode():
            probability = F.sigmoid(self._logits_of(self._apply(scale, shift)))
            error = self._errors(probability)
            settings = self._settings
            penalty = settings.weight * (F.sum(scale ** 2) + settings.bias_weight * F.sum(shift ** 2))
            total = error + penalty
        loss = float(total.array)
        if loss < self._least:
            self._least, self.best = loss, values.copy()
        if self._ends(probability.array):
            return loss, np.zeros_like(values)
        gradients = chainer.grad([total], [scale, shift])
        flat = [chainer.backends.cuda.to_cpu(each.array).ravel() for each in gradients]
        return loss, np.concatenate(flat).astype(np.float64)

    def _variables(self, values: np.ndarray) -> tuple[chainer.Variable, chainer.Variable]:
        xp = chainer.backend.get_array_module(self._features)
        scale, shift = xp.asarray(values.reshape(2, 1, -1, 1, 1), np.float32)
        return chainer.Variable(scale), chainer.Variable(shift)

    def _apply(self, scale: chainer.Variable, shift: chainer.Variable) -> chainer.Variable:
        shape = self._features.shape
        return self._features * F.broadcast_to(1 + scale, shape) + F.broadcast_to(shift, shape)

    def _errors(self, probability: chainer.Variable) -> chainer.Variable:
        """Mean squared errors at the positive and at the negative clicks."""
        positive, negative = self._masks[:, :1], self._masks[:, 1:]
        missed, excess = (1 - probability) * positive, probability * negative
        return (F.sum(missed ** 2) / float(positive.sum() + _EPS)
                + F.sum(excess ** 2) / float(negative.sum() + _EPS))

    def _ends(self, probability: np.ndarray) -> bool:
        """Whether all clicks are satisfied, or the mask is that of the last evaluation."""
        threshold = self._settings.threshold
        missed = ((1 - probability) * self._masks[:, :1]).max()
        excess = (probability * self._masks[:, 1:]).max()
        if missed < 1 - threshold and excess < threshold:
            return True
        mask, last = probability > threshold, self._last
        self._last = mask
        if last is None:
            return False
        union = (mask | last).sum(axis=(1, 2, 3))
        shared = (mask & last).sum(axis=(1, 2, 3))
        ious = shared[union > 0] / union[union > 0]
        return len(ious) > 0 and float(ious.mean()) > 1 - self._settings.least_change
