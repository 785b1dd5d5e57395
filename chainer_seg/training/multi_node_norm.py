"""Batch normalisation over the batches of all ranks, through ChainerMN."""

from typing import Any

import chainer
import numpy as np
from chainer.functions.normalization.batch_normalization import BatchNormalization

from chainer_seg.links import BatchNorm
from chainer_seg.training.multi_node import MPIRanks, Ranks


class SyncBatchNorm(BatchNorm):
    """Batch normalisation by mean and variance of the batches of all ranks.

    Attributes:
        communicator: A ChainerMN communicator.
    """

    communicator: Any

    def forward(self, x: Any, **kwargs: Any) -> chainer.Variable:
        if not chainer.config.train:
            return super().forward(x, **kwargs)
        from chainermn.functions.batch_normalization import MultiNodeBNImplSelector
        self.adapt_decay()
        before = self.decay * self.avg_var
        function = BatchNormalization(
            self.eps, self.avg_mean, self.avg_var, self.decay,
            impl_selector=MultiNodeBNImplSelector(self.communicator, 'auto'))
        y, = function.apply((x, self.gamma, self.beta))
        self.avg_mean[...] = function.running_mean
        # ChainerMN makes the variance unbiased by the number of values on this rank, which is that of all.
        count = x.size // len(self.avg_var)
        total = count * self.communicator.size
        unbiased = np.float32((count - 1) / count * total / (total - 1)) if count > 1 else np.float32(1)
        self.avg_var[...] = before + unbiased * (function.running_var - before)
        return y


def synchronise_norms(chain: chainer.Link, ranks: Ranks) -> None:
    """Lets the batch normalisation of a chain see the batches of all ranks.

    Parameters, running statistics and their paths stay, and so do all references to the layers: the class of
    each changes in place.
    """
    if not isinstance(ranks, MPIRanks):
        return
    for link in chain.links():
        if isinstance(link, BatchNorm):
            link.__class__ = SyncBatchNorm
            link.communicator = ranks.communicator  # type: ignore[attr-defined]
