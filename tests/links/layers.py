"""Layers computed from their numbers, and normalisations that are not the identity."""

import chainer
import numpy as np
from chainer import functions as F


def randomise_norms(link, rng):
    """Sets the statistics and the shift of every batch normalisation in a link to random values."""
    for child in link.links():
        if isinstance(child, chainer.links.BatchNormalization):
            child.avg_mean[...] = rng.normal(0, 0.1, child.avg_mean.shape)
            child.avg_var[...] = rng.uniform(0.5, 2, child.avg_var.shape)
            child.beta.array[...] = rng.normal(0, 0.5, child.beta.shape)


def conv_norm(link, x, stride=1, groups=1):
    """Convolution and batch normalisation of a ConvNorm at inference."""
    weights, norm = link.conv.W.array, link.norm
    y = F.convolution_2d(x, weights, None, stride, weights.shape[2] // 2, groups=groups).array
    scale = norm.gamma.array / np.sqrt(norm.avg_var + 1e-5)
    return (y - norm.avg_mean[:, None, None]) * scale[:, None, None] + norm.beta.array[:, None, None]
