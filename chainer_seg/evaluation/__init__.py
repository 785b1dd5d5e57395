"""How good predictions are: COCO's average precision and recall, and the number of clicks."""

from chainer_seg.evaluation.coco import CocoEvaluator, evaluate_coco

__all__ = ['CocoEvaluator', 'evaluate_coco']
