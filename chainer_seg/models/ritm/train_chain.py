"""Iterative training with mask guidance (sections 3.2 and 3.3 of arXiv 2102.06583)."""

import chainer
import numpy as np
from chainer import functions as F
from chainer.backends import cuda

from chainer_seg.functions import resize_bilinear
from chainer_seg.links import DeviceChain
from chainer_seg.models.deeplab.train_chain import mean_iou
from chainer_seg.models.ritm.losses import cross_entropy, normalised_focal_loss
from chainer_seg.models.ritm.samples import error_click
from chainer_seg.models.ritm.segmenter import RitmSegmenter


class RitmTrainChain(DeviceChain):
    """The loss of a RITM network after the clicks of a simulated user.

    The simulated user clicks where the network, in inference, is wrong; no gradient goes through these
    passes. The network is trained on the last click, with the probability before it as previous mask.

    Args:
        model: The model to train.
        alpha, gamma: As those of :func:`normalised_focal_loss`.
        aux_weight: Weight of the cross entropy of the auxiliary logits, where the network has them.

    Called with a batch of :class:`chainer_seg.models.ritm.samples.RitmSamples`. Returns the scalar loss
    and reports ``loss``, ``loss/focal``, ``loss/aux`` and the batch's mean ``iou``.
    """

    def __init__(self, model: RitmSegmenter, alpha: float = 0.5, gamma: float = 2.0,
                 aux_weight: float = 0.4) -> None:
        super().__init__()
        self.alpha, self.gamma, self.aux_weight = alpha, gamma, aux_weight
        with self.init_scope():
            self.model = model

    def forward(self, image: np.ndarray, points: np.ndarray, draws: np.ndarray,
                target: np.ndarray) -> chainer.Variable:
        points, previous = self.play(image, points, draws, target)
        logits, aux = self._logits(image, points, previous)
        focal = normalised_focal_loss(logits, target, self.alpha, self.gamma)
        losses = {'loss/focal': focal}
        loss = focal
        if aux is not None:
            losses['loss/aux'] = cross_entropy(aux, target)
            loss = focal + self.aux_weight * losses['loss/aux']
        chainer.report({'loss': loss, **losses, 'iou': mean_iou(logits.array, target)}, self)
        return loss

    def play(self, image: np.ndarray, points: np.ndarray, draws: np.ndarray, target: np.ndarray
             ) -> tuple[np.ndarray, np.ndarray]:
        """Adds the simulated user's clicks; the arguments are those of the chain.

        Returns:
            ``points`` (B, K, 3) with these clicks, and (B, H, W) float32, the probability before the last
            one; zeros for samples without.
        """
        send = self.device.send
        given, numbers = np.array(cuda.to_cpu(points)), cuda.to_cpu(draws)
        truth = cuda.to_cpu(target) == 1
        previous = self.device.xp.zeros(target.shape, np.float32)
        for number in range(numbers.shape[1]):
            playing = np.flatnonzero(numbers[:, number] >= 0)
            if len(playing) == 0:
                break
            there = send(playing)
            with chainer.using_config('train', False), chainer.no_backprop_mode():
                logits, _ = self._logits(image[there], send(given[playing]), previous[there])
                previous[there] = F.sigmoid(logits).array
            found = cuda.to_cpu(previous[there])
            for each, probability in zip(playing, found):
                click = error_click(probability, truth[each], numbers[each, number])
                if click is not None:
                    given[each, (given[each, :, 2] != 0).argmin()] = click
        return send(given), previous

    def _logits(self, image: np.ndarray, points: np.ndarray, previous: np.ndarray
                ) -> tuple[chainer.Variable, chainer.Variable | None]:
        """The logits and the auxiliary ones, (B, H, W)."""
        x = self.model.encode(image, points, previous)
        logits, aux = self.model.head(self.model.features(x))
        size = image.shape[2:]
        full = resize_bilinear(logits, size)[:, 0]
        return full, None if aux is None else resize_bilinear(aux, size)[:, 0]
