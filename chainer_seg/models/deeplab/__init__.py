"""DeepLab-v2 (arXiv 1606.00915) and the click segmentation built on it (arXiv 1603.04042)."""

import typing

from chainer_seg import lazy

if typing.TYPE_CHECKING:
    from chainer_seg.models.deeplab.click_sampler import sample_clicks, sample_pairs
    from chainer_seg.models.deeplab.click_samples import ClickSamples
    from chainer_seg.models.deeplab.clicks import Click, click_maps, point_maps
    from chainer_seg.models.deeplab.model import DeepLab
    from chainer_seg.models.deeplab.sampling import ClickSampling
    from chainer_seg.models.deeplab.segmenter import ClickSegmenter
    from chainer_seg.models.deeplab.semantic_samples import SemanticSamples
    from chainer_seg.models.deeplab.semantic_train_chain import SemanticTrainChain
    from chainer_seg.models.deeplab.train_chain import ClickTrainChain

_NAMES = {
    'Click': 'clicks', 'ClickSamples': 'click_samples', 'ClickSampling': 'sampling',
    'ClickSegmenter': 'segmenter', 'ClickTrainChain': 'train_chain',
    'DeepLab': 'model', 'SemanticSamples': 'semantic_samples', 'SemanticTrainChain': 'semantic_train_chain',
    'click_maps': 'clicks', 'point_maps': 'clicks', 'sample_clicks': 'click_sampler',
    'sample_pairs': 'click_sampler'}

__all__ = ['Click', 'ClickSamples', 'ClickSampling', 'ClickSegmenter', 'ClickTrainChain',
           'DeepLab', 'SemanticSamples', 'SemanticTrainChain', 'click_maps',
           'point_maps', 'sample_clicks', 'sample_pairs']
__getattr__, __dir__ = lazy.names(__name__, _NAMES)
