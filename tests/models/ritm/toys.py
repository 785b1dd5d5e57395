"""Small untrained networks of both kinds, quick enough for many clicks."""

import numpy as np

from chainer_seg.models.ritm import RitmDeepLab, RitmHRNet

KINDS = ('hrnet', 'deeplab')


def make(kind, **settings):
    """A network whose probabilities lie around 0.5, so that masks are neither empty nor full."""
    settings = {'zoom_side': 48, 'zoom_least': 16, 'click_width': 2, **settings}
    if kind == 'hrnet':
        model = RitmHRNet(width=2, blocks=1, modules=(1, 1), ocr_width=2, stem_width=4, **settings)
        last = model.context.logits
    else:
        model = RitmDeepLab(blocks=(1, 1, 1, 1), width=4, channels=4, **{'mask_input': True, **settings})
        last = model.logits.last
    last.W.array[...] = np.random.default_rng(1).normal(0, 1, last.W.shape)
    if not model.colors_only:
        model.clicks.scale.array[...] = 1
    return model


def image(size=(40, 56), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
