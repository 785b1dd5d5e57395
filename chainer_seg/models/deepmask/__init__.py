"""DeepMask (arXiv 1506.06204) and SharpMask (arXiv 1603.08695): object proposals with masks."""

import typing

from chainer_seg import lazy

if typing.TYPE_CHECKING:
    from chainer_seg.models.deepmask.model import DeepMask, SharpMask
    from chainer_seg.models.deepmask.proposals import RleProposals
    from chainer_seg.models.deepmask.pyramid import pyramid_scales
    from chainer_seg.models.deepmask.samples import PatchSamples
    from chainer_seg.models.deepmask.train_chain import DeepMaskTrainChain, SharpMaskTrainChain
    from chainer_seg.models.deepmask.trunk import normalise

_NAMES = {
    'DeepMask': 'model', 'DeepMaskTrainChain': 'train_chain', 'PatchSamples': 'samples', 'RleProposals':
    'proposals', 'SharpMask': 'model', 'SharpMaskTrainChain': 'train_chain', 'normalise': 'trunk',
    'pyramid_scales': 'pyramid'}

__all__ = ['DeepMask', 'DeepMaskTrainChain', 'PatchSamples', 'RleProposals', 'SharpMask',
           'SharpMaskTrainChain', 'normalise', 'pyramid_scales']
__getattr__, __dir__ = lazy.names(__name__, _NAMES)
