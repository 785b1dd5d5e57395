"""DeepLab-v2 (arXiv 1606.00915) and the click segmentation built on it (arXiv 1603.04042)."""

from chainer_seg.models.deeplab.clicks import Click, click_maps, point_maps
from chainer_seg.models.deeplab.model import DeepLab
from chainer_seg.models.deeplab.sampling import ClickSampling, sample_clicks, sample_pairs
from chainer_seg.models.deeplab.segmenter import ClickSegmenter
from chainer_seg.models.deeplab.semantic_samples import SemanticSamples
from chainer_seg.models.deeplab.semantic_train_chain import SemanticTrainChain
from chainer_seg.models.deeplab.session import ClickObject, ClickSession
from chainer_seg.models.deeplab.train_chain import ClickSamples, ClickTrainChain

__all__ = ['Click', 'ClickObject', 'ClickSamples', 'ClickSampling', 'ClickSegmenter', 'ClickSession',
           'ClickTrainChain', 'DeepLab', 'SemanticSamples', 'SemanticTrainChain', 'click_maps',
           'point_maps', 'sample_clicks', 'sample_pairs']
